/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/flow.h"

#include <criterion/criterion.h>
#include <string.h>

#include "sallyport/core/packet.h"
#include "unit/core/random.h"

#define SYN SP_TCP_SEEN_SYN
#define FIN SP_TCP_SEEN_FIN
#define RST SP_TCP_SEEN_RST
#define ACK SP_TCP_SEEN_ACK

Test(core_flow, key_is_the_packet_as_seen_without_stray_bytes)
{
	struct sp_flow_key a, b, c;
	uint64_t seed = 3;
	struct sp_packet p = {.sport_be = 0x1122, .dport_be = 0x3344, .proto = 17};

	p.src = random_addr(&seed, 4);
	p.dst = random_addr(&seed, 6);
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0xee, sizeof(b));
	memset(&c, 0xdd, sizeof(c));
	sp_packet_flow_key(&p, &a);
	cr_assert(sp_addr_equal(&a.src, &p.src) && sp_addr_equal(&a.dst, &p.dst));
	cr_assert(a.sport_be == 0x1122 && a.dport_be == 0x3344 && a.proto == 17);
	cr_assert(!a.pad[0] && !a.pad[1] && !a.pad[2]);
	sp_flow_key_reverse(&a, &b);
	cr_assert(sp_addr_equal(&b.src, &p.dst) && sp_addr_equal(&b.dst, &p.src));
	cr_assert(b.sport_be == 0x3344 && b.dport_be == 0x1122 && b.proto == 17);
	sp_flow_key_reverse(&b, &c);
	cr_assert(!memcmp(&a, &c, sizeof(a)));
}

Test(core_flow, reads_tcp_flags)
{
	const struct {
		uint8_t flags, want;
	} rows[] = {{0x02, SYN}, {0x12, SYN},	    {0x10, ACK}, {0x18, ACK}, {0x11, ACK | FIN},
		    {0x04, RST}, {0x14, RST | ACK}, {0x00, 0},	 {0xc2, SYN}, {0x29, FIN}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(sp_flow_tcp_seen(rows[i].flags), rows[i].want, "%02x", rows[i].flags);
}

Test(core_flow, waits_as_long_as_the_rfcs_ask)
{
	const struct {
		const char *name;
		uint8_t proto, original, reply;
		uint32_t want_s;
	} rows[] = {
		{"SYN", 6, SYN, 0, 240},
		{"SYN, SYN ACK", 6, SYN, SYN, 240},
		{"three packets", 6, SYN | ACK, SYN, 7440},
		{"data both ways", 6, SYN | ACK, SYN | ACK, 7440},
		{"older than the gateway", 6, ACK, ACK, 7440},
		{"ACK without an answer", 6, ACK, 0, 240},
		{"half closed", 6, SYN | ACK | FIN, SYN | ACK, 7440},
		{"closed", 6, SYN | ACK | FIN, SYN | ACK | FIN, 240},
		{"reset by the user", 6, SYN | ACK | RST, SYN | ACK, 240},
		{"reset by the server", 6, SYN | ACK, SYN | ACK | RST, 240},
		{"UDP", 17, 0, 0, 300},
		{"ICMP", 1, 0, 0, 60},
		{"ICMPv6", 58, 0, 0, 60},
		{"GRE", 47, 0, 0, 60},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(sp_flow_idle_s(rows[i].proto, rows[i].original, rows[i].reply),
			     rows[i].want_s, "%s", rows[i].name);
}

Test(core_flow, is_idle_at_the_nanosecond)
{
	struct sp_flow f = {.seen_ns = 5000, .idle_s = 7440};
	uint64_t limit_ns = 5000 + 7440 * 1000000000ull;

	cr_assert_not(sp_flow_is_idle(&f, 5000));
	cr_assert_not(sp_flow_is_idle(&f, limit_ns - 1));
	cr_assert(sp_flow_is_idle(&f, limit_ns));
	/* seen by another CPU after this one read the clock */
	cr_assert_not(sp_flow_is_idle(&f, 4000));
}
