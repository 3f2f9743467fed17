/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 packets without DF that are longer than their way: cut by the worker (RFC 791 3.2). */
#include "pieces.h"

#include "engine/split.h"

static const struct shape up4 = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 10};

/* An answer of payload bytes, not yet in the house. */
static struct packet answer(uint16_t payload, uint32_t id)
{
	const struct shape shape = {"192.0.2.1", "10.9.0.2", 0, 53, 5000, payload};
	struct packet p = packet_make(&shape);

	put16(p.b + 4, id);
	packet_finish(&p, SP_PROTO_UDP, false);
	return p;
}

static struct pieces opened(struct house *h, uint32_t peer, uint32_t mtu)
{
	struct pieces out = {.n = 0};

	for (; out.n < h->sent_count; out.n++) {
		house_opened(h, out.n, peer, &out.p[out.n]);
		cr_assert_leq(out.p[out.n].bytes, mtu);
	}
	return out;
}

Test(engine_split, answers_fit_the_tunnel)
{
	static const uint32_t mtus[] = {1380, 1280, 576};

	for (int i = 0; i < 3; i++)
		for (uint32_t payload = 1472 - 8; payload <= 1472; payload++) {
			struct packet sent = answer((uint16_t)payload, 0xabcd), got;
			struct pieces out;
			struct sp_packet ip;
			struct house h;

			house_open(&h);
			h.peers[ALICE].peer->mtu = mtus[i];
			cr_assert_eq(house_say(&h, ALICE, &up4), 1);
			house_down(&h, ALICE, &sent, 0);
			cr_assert_eq(house_run(&h), mtus[i] == 576 ? 3 : 2);
			out = opened(&h, ALICE, mtus[i]);
			got = join(&out);
			ip = packet_check(got.b, got.bytes);
			cr_assert_eq(ip.ttl, 63);
			cr_assert_eq(get16(got.b + 4), 0xabcd, "the identification is kept");
			cr_assert_eq(memcmp(got.b + 20, sent.b + 20, sent.bytes - 20), 0);
			cr_assert_eq(house_all_drops(&h), 0);
			house_close(&h);
		}
}

Test(engine_split, leaves_by_a_narrow_way)
{
	const struct shape big = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 1390};
	const struct shape across = {"10.9.0.2", "10.9.0.3", SP_PROTO_ICMP, 7, 0, 1390};
	struct packet sent = packet_make(&big), got;
	struct pieces out = {.n = 0};
	struct sp_packet ip;
	struct house h;

	house_open(&h);
	h.shared->nexthops[1].mtu = 600;
	cr_assert_eq(house_say(&h, ALICE, &big), 3);
	for (; out.n < 3; out.n++) {
		out.p[out.n] = piece_outside(&h, out.n);
		cr_assert_leq(out.p[out.n].bytes, 600);
		cr_assert_eq(h.sent[out.n].b[5], 1, "to the next hop");
	}
	got = join(&out);
	ip = packet_check(got.b, got.bytes);
	assert_addr(ip.src, "203.0.113.10");
	cr_assert_eq(memcmp(got.b + 28, sent.b + 28, sent.bytes - 28), 0);
	h.peers[BOB].peer->mtu = 1280;
	sent = packet_make(&across);
	cr_assert_eq(house_say(&h, ALICE, &across), 2);
	out = opened(&h, BOB, 1280);
	got = join(&out);
	packet_check(got.b, got.bytes);
	cr_assert_eq(memcmp(got.b + 20, sent.b + 20, sent.bytes - 20), 0);
	cr_assert_eq(house_all_drops(&h), 0);
	house_close(&h);
}

/* A fragment that does not fit is cut once more, at its place in the datagram. */
Test(engine_split, fragments_are_cut_further)
{
	struct packet sent = answer(3000, 0x4321), got;
	struct pieces in = cut(&sent, 1480, 0x4321), out;
	struct house h;

	house_open(&h);
	h.peers[ALICE].peer->mtu = 1000;
	cr_assert_eq(house_say(&h, ALICE, &up4), 1);
	for (unsigned int i = 0; i < in.n; i++)
		house_down(&h, ALICE, &in.p[i], 0);
	cr_assert_eq(house_run(&h), 5);
	out = opened(&h, ALICE, 1000);
	got = join(&out);
	packet_check(got.b, got.bytes);
	cr_assert_eq(memcmp(got.b + 20, sent.b + 20, sent.bytes - 20), 0);
	house_close(&h);
}

/* RFC 791 3.1: router alert stands in every piece, record route in the first alone. */
Test(engine_split, options_go_where_they_belong)
{
	const uint8_t options[12] = {7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0};
	struct packet plain = answer(1400, 1), p = plain;
	struct sp_frames frames;
	struct sp_pieces pieces;
	struct sp_packet ip;
	uint8_t *data;

	memcpy(p.b + 20, options, 12);
	memcpy(p.b + 32, plain.b + 20, plain.bytes - 20);
	p.bytes += 12;
	p.b[0] = 0x48;
	put16(p.b + 2, p.bytes);
	cr_assert_eq(sp_frames_init(&frames, 8), 0);
	data = sp_frame_get(&frames) + SP_FRAME_HEADROOM;
	memcpy(data, p.b, p.bytes);
	cr_assert_eq(sp_parse_ip(data, data + p.bytes, 0, &ip), SP_R_NONE);
	cr_assert(sp_split_may(&ip, 576));
	cr_assert_eq(sp_split(&frames, data, &ip, 576, &pieces), 0);
	cr_assert_eq(pieces.count, 3);
	cr_assert_eq(memcmp(pieces.list[0].data + 20, options, 12), 0);
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *b = pieces.list[i].data;
		uint32_t header = (b[0] & 15) * 4u;

		cr_assert_eq(header, i ? 24 : 32);
		cr_assert_eq(sum_bytes(b, header, 0), 0xffff);
		if (i)
			cr_assert_eq(memcmp(b + 20, options + 7, 4), 0);
	}
	sp_frames_fini(&frames);
}

/* Whatever bytes a user calls options: nothing is read or written beside the packet. */
Test(engine_split, options_of_any_bytes)
{
	struct packet plain = answer(1400, 1);
	struct sp_frames frames;
	uint32_t random = 12345;

	cr_assert_eq(sp_frames_init(&frames, 8), 0);
	for (int row = 0; row < 20000; row++) {
		uint8_t *data = sp_frame_get(&frames) + SP_FRAME_HEADROOM;
		uint32_t options = (uint32_t)row % 11 * 4, payload = 0;
		struct sp_pieces pieces;
		struct sp_packet ip;

		memcpy(data, plain.b, 20);
		for (uint32_t i = 0; i < options; i++) {
			random = random * 1664525 + 1013904223;
			data[20 + i] = (uint8_t)(random >> 24 & (row & 1 ? 0x87 : 0xff));
		}
		memcpy(data + 20 + options, plain.b + 20, plain.bytes - 20);
		data[0] = (uint8_t)(0x45 + options / 4);
		put16(data + 2, plain.bytes + options);
		cr_assert_eq(sp_parse_ip(data, data + plain.bytes + options, 0, &ip), SP_R_NONE);
		cr_assert_eq(sp_split(&frames, data, &ip, 576, &pieces), 0);
		for (unsigned int i = 0; i < pieces.count; i++) {
			const uint8_t *b = pieces.list[i].data;
			uint32_t header = (b[0] & 15) * 4u;

			cr_assert(header >= 20 && header <= 20 + options);
			cr_assert_leq(pieces.list[i].bytes, 576);
			cr_assert_eq(get16(b + 2), pieces.list[i].bytes);
			cr_assert_eq(sum_bytes(b, header, 0), 0xffff);
			cr_assert_eq((get16(b + 6) & 0x1fff) * 8, payload);
			cr_assert_eq(memcmp(b + header, plain.b + 20 + payload,
					    pieces.list[i].bytes - header),
				     0);
			payload += pieces.list[i].bytes - header;
			sp_frame_put(&frames, b);
		}
		cr_assert_eq(payload, plain.bytes - 20);
	}
	cr_assert_eq(frames.free_count, 8);
	sp_frames_fini(&frames);
}

Test(engine_split, without_a_free_frame_nothing_is_half_sent)
{
	struct packet sent = answer(1472, 1);
	struct sp_frames *frames;
	struct house h;

	house_open(&h);
	frames = &h.w->frames;
	h.peers[ALICE].peer->mtu = 576;
	cr_assert_eq(house_say(&h, ALICE, &up4), 1);
	house_down(&h, ALICE, &sent, 0);
	frames->free_count = 1; /* two are needed */
	cr_assert_eq(house_run(&h), 0);
	cr_assert_eq(house_drops(&h, SP_DIR_DOWN, SP_R_NO_FRAME), 1);
	cr_assert_eq(frames->free_count, 2, "its own came back, too");
	sp_frames_reset(frames);
	house_close(&h);
}

/* An absurd MTU is no reason to make a hundred packets of one. */
Test(engine_split, into_no_more_than_eight_pieces)
{
	const struct shape big = {"10.9.0.2", "192.0.2.1", 0, 5000, 53, 1392};
	struct sp_packet ip;
	struct packet got;
	struct house h;

	house_open(&h);
	h.shared->nexthops[1].mtu = 20 + 176;
	cr_assert_eq(house_say(&h, ALICE, &big), 8);
	h.shared->nexthops[1].mtu = 20 + 175;
	cr_assert_eq(house_say(&h, ALICE, &big), 1);
	ip = house_inside(&h, 0, ALICE, &got);
	cr_assert_eq(ip.icmp, 3 << 8 | 4);
	cr_assert_eq(house_drops(&h, SP_DIR_UP, SP_R_TOO_BIG), 1);
	h.shared->nexthops[1].mtu = 20;
	cr_assert_eq(house_say(&h, ALICE, &big), 1, "no room for a byte");
	house_close(&h);
}
