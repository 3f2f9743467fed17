/* SPDX-License-Identifier: Apache-2.0 */
/* The form of an entry on disk, for the files of this folder and its tests. One thread. */
#ifndef SP_HISTORY_ENTRY_H
#define SP_HISTORY_ENTRY_H

#include <stddef.h>

#include "history/history.h"

/* malloc-ed. -EFBIG, -ENOMEM. */
int sp_history_emit(const struct sp_history_entry *entry, const char *const *files,
		    const char *const *texts, uint32_t count, char **ret_bytes, size_t *ret_len);

#endif
