/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnel packets: what reaches a worker, what the daemon, and what nobody. */
#include "progrun/lab.h"

#include "sallyport/core/bucket.h"

TestSuite(tunnel, .init = lab_open, .fini = progrun_close);

/* A WireGuard message of so many bytes; index stands where a data message has its receiver. */
static struct frame message(const struct family *f, uint32_t type, uint32_t bytes, uint32_t index)
{
	uint8_t payload[FRAME_MAX] = {(uint8_t)type,	      (uint8_t)(type >> 8),
				      (uint8_t)(type >> 16),  (uint8_t)(type >> 24),
				      (uint8_t)index,	      (uint8_t)(index >> 8),
				      (uint8_t)(index >> 16), (uint8_t)(index >> 24)};
	struct spec s = {.src = f->remote,
			 .dst = f->host,
			 .proto = SP_PROTO_UDP,
			 .sport = 4500,
			 .dport = PORT,
			 .payload = payload,
			 .bytes = bytes};

	return frame_of(&s);
}

static struct sp_session session(void)
{
	uint32_t k = RECEIVER;
	struct sp_session s = {0};

	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_sessions), &k, &s), 0);
	return s;
}

Test(tunnel, data_of_a_live_session_goes_to_the_worker)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = message(f, 4, 32 + 1424, RECEIVER);
		struct sp_session before = session(), after;
		uint64_t start_ns = now_ns();
		struct sp_meta m = expect_worker(&in, &in, SP_META_TUNNEL, f->name);

		after = session();
		cr_assert_eq(m.receiver, RECEIVER);
		cr_assert_eq(m.peer_id, PEER);
		cr_assert_eq(m.user_id, USER);
		cr_assert_eq(m.l4_off, in.l4 + 8);
		cr_assert_eq(m.flags, 0);
		cr_assert_eq(after.packets, before.packets + 1);
		cr_assert_eq(after.bytes, before.bytes + 32 + 1424);
		cr_assert_geq(after.seen_ns, start_ns);
	}
}

Test(tunnel, data_is_found_behind_tags_options_and_extension_headers)
{
	uint8_t payload[48] = {4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11};

	for (const struct family *f = families; f < families + 2; f++)
		for (uint32_t i = 0; i < 3; i++) {
			struct spec s = {.src = f->remote,
					 .dst = f->shared,
					 .proto = SP_PROTO_UDP,
					 .sport = 1,
					 .dport = PORT,
					 .payload = payload,
					 .bytes = sizeof(payload),
					 .tags = i,
					 .options = i * 20,
					 .extensions = i * 3,
					 .padding = i};
			struct frame in = frame_of(&s);
			struct sp_meta m = expect_worker(&in, &in, SP_META_TUNNEL, f->name);

			cr_assert_eq(m.l4_off, in.l4 + 8);
		}
}

Test(tunnel, another_vlan_is_another_link)
{
	uint8_t payload[48] = {4, 0, 0, 0, 0x44, 0x33, 0x22, 0x11};

	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote,
				 .dst = f->shared,
				 .proto = SP_PROTO_UDP,
				 .sport = 1,
				 .dport = PORT,
				 .payload = payload,
				 .bytes = sizeof(payload),
				 .tags = 1,
				 .vlan = 100};
		struct frame in = frame_of(&s);

		expect_drop(&in, SP_DIR_UP, SP_R_NO_INTERFACE, f->name);
		s.dport = 123;
		in = frame_of(&s);
		cr_assert_eq(progrun(&in).action, XDP_PASS, "the kernel's VLAN device");
	}
}

Test(tunnel, other_data_is_dropped_for_its_own_reason)
{
	uint64_t now = now_ns();

	put_session(1, SP_SESSION_FULL, now);
	put_session(2, SP_SESSION_BLOCKED, now + 60000000000);
	put_session(3, SP_SESSION_BLOCKED, now);
	put_session(4, SP_SESSION_LIMITED, now + 60000000000);
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame unknown = message(f, 4, 32, 0x44332211);
		struct frame expired = message(f, 4, 32, 1), blocked = message(f, 4, 32, 2);
		struct frame both = message(f, 4, 32, 3), limited = message(f, 4, 32, 4);

		expect_drop(&unknown, SP_DIR_UP, SP_R_WG_UNKNOWN_INDEX, "byte order");
		expect_drop(&expired, SP_DIR_UP, SP_R_SESSION_EXPIRED, "expired");
		expect_drop(&blocked, SP_DIR_UP, SP_R_SESSION_BLOCKED, "blocked");
		expect_drop(&both, SP_DIR_UP, SP_R_SESSION_EXPIRED, "both");
		expect_worker(&limited, &limited, SP_META_TUNNEL,
			      "reduced rights are still rights");
	}
}

Test(tunnel, a_session_ends_by_the_clock_alone)
{
	struct frame in = message(families, 4, 32, 9);

	put_session(9, SP_SESSION_FULL, now_ns() + 300000000);
	expect_worker(&in, &in, SP_META_TUNNEL, "before");
	usleep(320000);
	expect_drop(&in, SP_DIR_UP, SP_R_SESSION_EXPIRED, "after");
}

Test(tunnel, messages_of_wrong_type_or_length_are_malformed)
{
	static const struct {
		uint32_t type, bytes;
		bool good;
	} rows[] = {
		{1, 148, true},		 {1, 147, false},      {1, 149, false},
		{2, 92, true},		 {2, 91, false},       {2, 148, false},
		{3, 64, true},		 {3, 65, false},       {4, 31, false},
		{4, 0, false},		 {4, 7, false},	       {0, 148, false},
		{5, 148, false},	 {0x0100, 148, false}, {0x101, 148, false},
		{0x1000001, 148, false}, {0x10004, 64, false},
	};

	for (const struct family *f = families; f < families + 2; f++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			struct frame in = message(f, rows[i].type, rows[i].bytes, RECEIVER);

			if (rows[i].good)
				expect_pass(&in, "handshake");
			else
				expect_drop(&in, SP_DIR_UP, SP_R_WG_MALFORMED, "malformed");
		}
}

Test(tunnel, a_udp_length_that_hides_bytes_is_malformed)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = message(f, 4, 96, RECEIVER);

		put16(in.b + in.l4 + 4, 8 + 64);
		expect_drop(&in, SP_DIR_UP, SP_R_WG_MALFORMED, f->name);
	}
}

Test(tunnel, handshakes_of_one_source_keep_to_its_rate)
{
	gateway->handshake_cost_ns = 10000000000;
	gateway->handshake_burst_ns = 30000000000;
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame in = message(f, 1, 148, 0);
		struct family other = *f;
		struct frame from;

		for (int i = 0; i < 3; i++)
			expect_pass(&in, "within the burst");
		expect_drop(&in, SP_DIR_UP, SP_R_HANDSHAKE_RATE, "above it");
		/* Who has one IPv6 address has its /64. */
		other.remote = f->icmp == SP_PROTO_ICMP ? "203.0.113.10" : "2001:db8:9:0:1::1";
		from = message(&other, 2, 92, 0);
		if (f->icmp == SP_PROTO_ICMP)
			expect_pass(&from, "a neighbour is another source");
		else
			expect_drop(&from, SP_DIR_UP, SP_R_HANDSHAKE_RATE, "the same /64");
		other.remote = f->icmp == SP_PROTO_ICMP ? "203.0.114.9" : "2001:db8:9:1::9";
		from = message(&other, 3, 64, 0);
		expect_pass(&from, "a stranger is another source");
	}
}

Test(tunnel, the_rate_of_handshakes_comes_back_with_time)
{
	struct frame in = message(families, 1, 148, 0);

	gateway->handshake_cost_ns = 200000000;
	gateway->handshake_burst_ns = 200000000;
	expect_pass(&in, "first");
	expect_drop(&in, SP_DIR_UP, SP_R_HANDSHAKE_RATE, "second");
	usleep(220000);
	expect_pass(&in, "later");
}

Test(tunnel, data_above_the_users_upload_rate_is_dropped)
{
	struct frame in = message(families, 4, 32 + 1000, RECEIVER);

	sp_bucket_set(&buckets[5], 8000, 3028); /* 1000 bytes a second */
	for (int i = 0; i < 3; i++)
		expect_worker(&in, &in, SP_META_TUNNEL, "within the burst");
	expect_drop(&in, SP_DIR_UP, SP_R_LIMIT_UP, "above it");
	cr_assert_eq(buckets[5].passed_bytes, 3000);
	cr_assert_eq(buckets[5].dropped_bytes, 1000);
	cr_assert_eq(buckets[5].dropped_packets, 1);
	cr_assert_eq(session().packets, 3);
	cr_assert_eq(buckets[6].passed_bytes, 0, "the other direction has its own");
}

Test(tunnel, a_user_or_bucket_beyond_the_maps_has_no_rate_to_pass_at)
{
	struct frame in = message(families, 4, 64, RECEIVER);
	struct sp_session s = session();
	uint32_t k = RECEIVER;

	users[USER].bucket_up = 64;
	expect_drop(&in, SP_DIR_UP, SP_R_LIMIT_UP, "bucket");
	users[USER].bucket_up = 0;
	expect_worker(&in, &in, SP_META_TUNNEL, "no bucket: unlimited");
	s.user_id = 64;
	map_put(MAP_FD(sp_sessions), &k, &s);
	expect_drop(&in, SP_DIR_UP, SP_R_LIMIT_UP, "user");
}

Test(tunnel, an_interface_without_the_role_listens_to_no_tunnel)
{
	for (const struct family *f = families; f < families + 2; f++) {
		struct frame data = message(f, 4, 64, RECEIVER), hello = message(f, 1, 148, 0);

		put_iface(SP_ROLE_EGRESS, 1);
		expect_drop(&data, SP_DIR_UP, SP_R_NO_INTERFACE, "data");
		expect_drop(&hello, SP_DIR_UP, SP_R_NO_INTERFACE, "handshake");
	}
}

Test(tunnel, fragments_of_tunnel_packets_are_refused)
{
	uint8_t payload[64] = {4};

	for (const struct family *f = families; f < families + 2; f++) {
		struct spec s = {.src = f->remote,
				 .dst = f->host,
				 .proto = SP_PROTO_UDP,
				 .sport = 1,
				 .dport = PORT,
				 .payload = payload,
				 .bytes = sizeof(payload),
				 .fragment = 0x2000};
		struct frame first = frame_of(&s), later;

		s.fragment = 9;
		later = frame_of(&s);
		expect_drop(&first, SP_DIR_UP, SP_R_OUTER_FRAGMENT, "first");
		expect_pass(&later, "a later one says no port");
	}
}

Test(tunnel, without_a_worker_on_the_queue_data_is_dropped)
{
	struct frame in = message(families, 4, 64, RECEIVER);

	put_worker(false);
	expect_drop(&in, SP_DIR_UP, SP_R_NO_WORKER, "no socket");
	put_worker(true);
	expect_worker(&in, &in, SP_META_TUNNEL, "socket");
	put_iface(TUNNEL, 0);
	expect_drop(&in, SP_DIR_UP, SP_R_NO_WORKER, "a queue that is another interface's");
}
