/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/flow.h"
#include "sallyport/core/icmp.h"
#include "sallyport/core/reset.h"
#include "sallyport/core/rewrite.h"

/* RFC 1812 4.3.2.8 and RFC 4443 2.4 (f): ICMP errors are limited; 1000 a second, 64 at once. */
#define ANSWER_COST_NS	1000000ull
#define ANSWER_BURST_NS (64 * ANSWER_COST_NS)

static bool may_answer(struct sp_worker *w)
{
	uint64_t tat_ns = w->icmp_tat_ns > w->now_ns ? w->icmp_tat_ns : w->now_ns;

	if (tat_ns - w->now_ns > ANSWER_BURST_NS)
		return false;
	w->icmp_tat_ns = tat_ns + ANSWER_COST_NS;
	return true;
}

struct question {
	enum sp_answer kind;
	const uint8_t *data;
	const struct sp_packet *ip;
	uint32_t mtu;
	struct sp_addr source; /* of the answer */
};

/* Bytes of the answer at out, or 0 when the packet deserves none. */
static uint32_t build(const struct question *q, uint8_t *out)
{
	uint32_t room = SP_FRAME_BYTES - SP_FRAME_HEADROOM;

	if (q->kind == SP_ANSWER_TOO_BIG)
		return sp_icmp_build_too_big(q->data, q->ip->l3_bytes, &q->source, q->mtu, out,
					     room);
	if (q->kind == SP_ANSWER_PROHIBITED)
		return sp_icmp_build_admin_prohibited(q->data, q->ip->l3_bytes, &q->source, out,
						      room);
	return sp_icmp_build_time_exceeded(q->data, q->ip->l3_bytes, &q->source, out, room);
}

static bool is_zero(const struct sp_addr *a)
{
	static const struct sp_addr zero;

	return sp_addr_equal(a, &zero);
}

/* RFC 7600, section 4.8: 192.0.0.8 is the source where no IPv4 address of ours fits. */
static struct sp_addr inner_source(const struct sp_worker *w, const struct sp_packet *ip)
{
	static const struct sp_addr dummy = {.b = {[10] = 0xff, 0xff, 192, 0, 0, 8}};

	if (ip->version == 4)
		return is_zero(&w->config.icmp_source_v4) ? dummy : w->config.icmp_source_v4;
	return is_zero(&w->config.icmp_source_v6) ? ip->dst : w->config.icmp_source_v6;
}

void sp_answer_user(struct sp_worker *w, enum sp_answer kind, const uint8_t *data,
		    const struct sp_packet *ip, struct sp_peer *peer, uint32_t mtu)
{
	const struct question q = {kind, data, ip, mtu, inner_source(w, ip)};
	uint8_t *frame = may_answer(w) ? sp_frame_get(&w->frames) : NULL;
	uint32_t bytes;

	if (!frame)
		return;
	bytes = build(&q, frame + SP_FRAME_HEADROOM);
	if (!bytes) {
		sp_frame_put(&w->frames, frame);
		return;
	}
	sp_seal_push(w, &(struct sp_seal){.data = frame + SP_FRAME_HEADROOM,
					  .bytes = bytes,
					  .peer = peer,
					  .direction = SP_DIR_DOWN});
}

static void send_reset(struct sp_worker *w, const uint8_t *data, const struct sp_packet *ip,
		       struct sp_peer *peer)
{
	uint8_t *frame = may_answer(w) ? sp_frame_get(&w->frames) : NULL;
	uint32_t bytes;

	if (!frame)
		return;
	bytes = sp_reset_build(data, ip, frame + SP_FRAME_HEADROOM,
			       SP_FRAME_BYTES - SP_FRAME_HEADROOM);
	if (!bytes) {
		sp_frame_put(&w->frames, frame);
		return;
	}
	sp_seal_push(w, &(struct sp_seal){.data = frame + SP_FRAME_HEADROOM,
					  .bytes = bytes,
					  .peer = peer,
					  .direction = SP_DIR_DOWN});
}

void sp_answer_reject(struct sp_worker *w, const uint8_t *data, const struct sp_packet *ip,
		      struct sp_peer *peer)
{
	if (ip->proto == SP_PROTO_TCP)
		send_reset(w, data, ip, peer);
	else
		sp_answer_user(w, SP_ANSWER_PROHIBITED, data, ip, peer, 0);
}

static void send_outside(struct sp_worker *w, struct sp_entry *entry, uint8_t *data, uint32_t bytes)
{
	uint8_t version = sp_addr_is_v4(&entry->key.dst) ? 4 : 6;
	struct sp_nexthop nexthop;

	if (sp_path_use(w, entry, &nexthop)) {
		sp_frame_put(&w->frames, data);
		return;
	}
	sp_path_ethernet(data - SP_ETH_BYTES, &nexthop, version);
	sp_worker_out(w, &(struct sp_out){.data = data - SP_ETH_BYTES,
					  .bytes = bytes + SP_ETH_BYTES,
					  .slot = nexthop.slot,
					  .direction = SP_DIR_UP});
}

void sp_answer_outside(struct sp_worker *w, enum sp_answer kind, uint8_t *data,
		       const struct sp_packet *ip, uint32_t mtu)
{
	struct question q = {kind, data, ip, mtu, {{0}}};
	struct sp_flow_key key, original;
	struct sp_entry *entry;
	uint8_t *frame;
	uint32_t bytes;

	/* RFC 1812 4.3.2.7: nothing is said about an ICMP error; its flow is another one, too. */
	if (ip->icmp_error || !may_answer(w))
		return;
	sp_packet_flow_key(ip, &key);
	sp_flow_key_reverse(&key, &original);
	entry = sp_flow_find(w, &original);
	if (!entry)
		return;
	/* Quoted is the packet as its sender knows it: the NAT is done again. */
	if (entry->translated && sp_rewrite(data, data + ip->l3_bytes, ip, SP_REWRITE_DST,
					    &entry->nat_addr, entry->nat_port_be))
		return;
	frame = sp_frame_get(&w->frames);
	if (!frame)
		return;
	q.source = entry->nat_addr;
	bytes = build(&q, frame + SP_FRAME_HEADROOM);
	if (bytes)
		send_outside(w, entry, frame + SP_FRAME_HEADROOM, bytes);
	else
		sp_frame_put(&w->frames, frame);
}
