/* SPDX-License-Identifier: Apache-2.0 */
/* The tables, for the writer and for questions. docs/records.md explains the columns. */
#ifndef SP_RECORDS_SCHEMA_H
#define SP_RECORDS_SCHEMA_H

#include <stdint.h>

extern const char *const sp_records_migrations[];
extern const uint32_t sp_records_migration_count;

#endif
