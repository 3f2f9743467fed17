/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>

#include "cli/pick.h"

static struct sp_prefix own(const char *text)
{
	struct sp_prefix prefix;

	cr_assert_eq(sp_prefix_parse_host(text, &prefix), 0, "%s", text);
	return prefix;
}

/* The listener has own, the peers have the prefixes of used, up to a NULL. */
static int pick(const char *gateway, const char *const *used, char text[static SP_ADDR_TEXT])
{
	struct sp_prefix prefix = own(gateway), prefixes[16];
	struct sp_config_wireguard wg = {.addresses = &prefix, .address_count = 1};
	struct sp_config_peer peer = {.addresses = prefixes};
	struct sp_config config = {
		.wireguards = &wg, .wireguard_count = 1, .peers = &peer, .peer_count = 1};
	struct sp_addr addr;
	int rc;

	while (used[peer.address_count]) {
		prefixes[peer.address_count] = own(used[peer.address_count]);
		peer.address_count++;
	}
	text[0] = '\0';
	rc = sp_pick_address(&config, &prefix, &addr);
	if (!rc)
		sp_addr_format(&addr, text);
	return rc;
}

Test(cli_pick, takes_the_lowest_free_address)
{
	static const struct {
		const char *name, *gateway, *used[8];
		int rc;
		const char *expected;
	} rows[] = {
		{"first", "10.9.0.1/24", {NULL}, 0, "10.9.0.2"},
		{"gateway in the middle", "10.9.0.9/24", {NULL}, 0, "10.9.0.1"},
		{"behind another", "10.9.0.1/24", {"10.9.0.2"}, 0, "10.9.0.3"},
		{"a gap", "10.9.0.1/24", {"10.9.0.2", "10.9.0.4"}, 0, "10.9.0.3"},
		{"out of order", "10.9.0.1/24", {"10.9.0.3", "10.9.0.2"}, 0, "10.9.0.4"},
		{"over a prefix", "10.9.0.1/24", {"10.9.0.2/31", "10.9.0.4/30"}, 0, "10.9.0.8"},
		{"nested", "10.9.0.1/24", {"10.9.0.0/28", "10.9.0.3"}, 0, "10.9.0.16"},
		{"elsewhere", "10.9.0.1/24", {"10.8.0.0/16", "10.10.0.0/16"}, 0, "10.9.0.2"},
		{"full", "10.9.0.1/30", {"10.9.0.2"}, -ENOSPC, ""},
		{"not the broadcast", "10.9.0.2/30", {"10.9.0.1"}, -ENOSPC, ""},
		{"all taken", "10.9.0.1/24", {"10.0.0.0/8"}, -ENOSPC, ""},
		{"alone", "10.9.0.1/32", {NULL}, -ENOSPC, ""},
		{"pair", "10.9.0.1/31", {NULL}, 0, "10.9.0.0"},
		{"at the end", "255.255.255.254/24", {"255.255.255.0/25"}, 0, "255.255.255.128"},
		{"six", "fd00:9::1/64", {NULL}, 0, "fd00:9::2"},
		{"six, not the anycast", "fd00:9::5/64", {NULL}, 0, "fd00:9::1"},
		{"six, wide", "fd00:9::1/64", {"fd00:9::/65"}, 0, "fd00:9:0:0:8000::"},
		{"six, last", "fd00:9::1/126", {"fd00:9::2"}, 0, "fd00:9::3"},
		{"six, full", "ffff::1/127", {"ffff::"}, -ENOSPC, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[SP_ADDR_TEXT];
		int rc = pick(rows[i].gateway, rows[i].used, text);

		cr_expect_eq(rc, rows[i].rc, "%s: %d", rows[i].name, rc);
		cr_expect_str_eq(text, rows[i].expected, "%s: %s", rows[i].name, text);
	}
}
