/* SPDX-License-Identifier: Apache-2.0 */
#include "records/schema.h"

/* Names stand once, in word. Times are milliseconds since 1970, addresses 16 bytes as in the maps. */
const char *const sp_records_migrations[] = {
	"CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
	"CREATE TABLE flow ("
	"  id INTEGER PRIMARY KEY, name INTEGER NOT NULL,"
	"  user INTEGER NOT NULL, device INTEGER NOT NULL,"
	"  kind INTEGER NOT NULL, protocol INTEGER NOT NULL,"
	"  source BLOB NOT NULL, source_port INTEGER NOT NULL,"
	"  destination BLOB NOT NULL, destination_port INTEGER NOT NULL,"
	"  egress BLOB NOT NULL, egress_port INTEGER NOT NULL,"
	"  outer BLOB NOT NULL, rule INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL,"
	"  begun INTEGER NOT NULL, seen INTEGER NOT NULL, ended INTEGER,"
	"  packets INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	"  back_packets INTEGER NOT NULL, back_bytes INTEGER NOT NULL);"
	"CREATE INDEX flow_name ON flow (name);"
	"CREATE INDEX flow_egress ON flow (egress, egress_port, begun);"
	"CREATE TABLE denied ("
	"  id INTEGER PRIMARY KEY,"
	"  user INTEGER NOT NULL, device INTEGER NOT NULL,"
	"  kind INTEGER NOT NULL, protocol INTEGER NOT NULL,"
	"  source BLOB NOT NULL, destination BLOB NOT NULL, destination_port INTEGER NOT NULL,"
	"  outer BLOB NOT NULL, rule INTEGER NOT NULL, file INTEGER NOT NULL, line INTEGER NOT NULL,"
	"  reason INTEGER NOT NULL,"
	"  begun INTEGER NOT NULL, seen INTEGER NOT NULL, count INTEGER NOT NULL,"
	"  UNIQUE (user, source, destination, destination_port, protocol, rule));"
	"CREATE TABLE alive (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);",
};
const uint32_t sp_records_migration_count =
	sizeof(sp_records_migrations) / sizeof(*sp_records_migrations);
