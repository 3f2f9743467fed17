/* SPDX-License-Identifier: Apache-2.0 */
#include "config/geoip.h"

#include <errno.h>
#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define V4_BITS 96

struct walk {
	MMDB_s mmdb;
	struct sp_config_country *list;
	uint32_t count;
	uint8_t *seen; /* the IPv4 part hangs in several places of the tree: the first is its own */
	int rc;
};

static struct sp_config_country *country_of(struct walk *w, MMDB_entry_s *entry)
{
	MMDB_entry_data_s data;

	if (MMDB_get_value(entry, &data, "country", "iso_code", NULL) != MMDB_SUCCESS ||
	    !data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
		return NULL;
	for (uint32_t i = 0; i < w->count; i++) {
		if (!memcmp(w->list[i].code, data.utf8_string, 2))
			return &w->list[i];
	}
	return NULL;
}

/* IPv4 stands under ::/96 there and under ::ffff:0:0/96 here. */
static struct sp_prefix to_ours(const struct sp_prefix *prefix)
{
	static const uint8_t zero[V4_BITS / 8];
	struct sp_prefix p = *prefix;

	if (p.len >= V4_BITS && !memcmp(p.addr.b, zero, sizeof(zero)))
		p.addr.b[10] = p.addr.b[11] = 0xff;
	return p;
}

static void take(struct walk *w, MMDB_entry_s *entry, const struct sp_prefix *prefix)
{
	struct sp_config_country *country = country_of(w, entry);
	uint32_t n = country ? country->prefix_count : 0;

	if (!country)
		return;
	if (!(n & (n - 1))) { /* full at each power of two */
		struct sp_prefix *list =
			reallocarray(country->prefixes, n ? (size_t)n * 2 : 1, sizeof(*list));

		if (!list) {
			w->rc = -ENOMEM;
			return;
		}
		country->prefixes = list;
	}
	country->prefixes[country->prefix_count++] = to_ours(prefix);
}

static void visit(struct walk *w, uint64_t number, struct sp_prefix prefix)
{
	MMDB_search_node_s node;

	if (w->rc || prefix.len >= 128 || number >= w->mmdb.metadata.node_count || w->seen[number])
		return;
	w->seen[number] = 1;
	if (MMDB_read_node(&w->mmdb, (uint32_t)number, &node) != MMDB_SUCCESS) {
		w->rc = -EINVAL;
		return;
	}
	prefix.len++;
	if (node.left_record_type == MMDB_RECORD_TYPE_SEARCH_NODE)
		visit(w, node.left_record, prefix);
	else if (node.left_record_type == MMDB_RECORD_TYPE_DATA)
		take(w, &node.left_record_entry, &prefix);
	prefix.addr.b[(prefix.len - 1) / 8] |= (uint8_t)(0x80 >> (prefix.len - 1) % 8);
	if (node.right_record_type == MMDB_RECORD_TYPE_SEARCH_NODE)
		visit(w, node.right_record, prefix);
	else if (node.right_record_type == MMDB_RECORD_TYPE_DATA)
		take(w, &node.right_record_entry, &prefix);
}

int sp_config_geoip_read(const char *path, struct sp_config_country *list, uint32_t count,
			 const char **ret_why)
{
	struct walk w = {.list = list, .count = count};
	struct sp_prefix all = {0};
	int status = MMDB_open(path, MMDB_MODE_MMAP, &w.mmdb);

	if (status != MMDB_SUCCESS) {
		*ret_why = MMDB_strerror(status);
		return status == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	}
	w.seen = calloc(w.mmdb.metadata.node_count + 1u, 1);
	if (w.mmdb.metadata.ip_version == 4)
		all.len = V4_BITS;
	if (!w.seen)
		w.rc = -ENOMEM;
	else
		visit(&w, 0, all);
	MMDB_close(&w.mmdb);
	free(w.seen);
	if (w.rc == -EINVAL)
		*ret_why = "its tree is damaged";
	return w.rc;
}
