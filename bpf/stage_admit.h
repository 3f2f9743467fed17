/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stage 4: tunnel packets. Data of a live session within its rate goes to a worker. XDP only. */
#ifndef SP_BPF_STAGE_ADMIT_H
#define SP_BPF_STAGE_ADMIT_H

#include "context.h"

/* WireGuard paper 5.4: type and three reserved zero bytes, read as one little-endian word. */
#define SP_WG_INITIATION       1
#define SP_WG_RESPONSE	       2
#define SP_WG_COOKIE	       3
#define SP_WG_DATA	       4
#define SP_WG_INITIATION_BYTES 148
#define SP_WG_RESPONSE_BYTES   92
#define SP_WG_COOKIE_BYTES     64
#define SP_WG_DATA_BYTES       32 /* header and tag around nothing: a keepalive */

SP_INLINE __u32 sp_load_le32(const __u8 *p)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return sp_load32(p);
#else
	return __builtin_bswap32(sp_load32(p));
#endif
}

SP_INLINE bool sp_is_to_listener(const struct sp_xdp *x)
{
	return x->packet.proto == SP_PROTO_UDP && x->packet.fragment != SP_FRAGMENT_LATER &&
	       x->local && (x->local->kind == SP_LOCAL_HOST || x->local->kind == SP_LOCAL_SHARED) &&
	       sp_is_listener(x->packet.dport_be);
}

SP_INLINE enum sp_verdict sp_admit_data(struct sp_xdp *x, __u32 receiver, __u32 payload_bytes)
{
	struct sp_session *s = bpf_map_lookup_elem(&sp_sessions, &receiver);

	if (!s || s->protocol != SP_TUNNEL_WIREGUARD)
		return sp_drop(x, SP_R_WG_UNKNOWN_INDEX);
	x->meta.peer_id = s->peer_id;
	x->meta.user_id = s->user_id;
	if (x->now_ns >= s->valid_until_ns)
		return sp_drop(x, SP_R_SESSION_EXPIRED);
	if (s->state == SP_SESSION_BLOCKED)
		return sp_drop(x, SP_R_SESSION_BLOCKED);
	if (!sp_user_take(x, s->user_id, true, payload_bytes - SP_WG_DATA_BYTES))
		return sp_drop(x, SP_R_LIMIT_UP);
	__sync_fetch_and_add(&s->packets, 1);
	__sync_fetch_and_add(&s->bytes, payload_bytes);
	s->seen_ns = x->now_ns;
	x->meta.kind = SP_META_TUNNEL;
	x->meta.l4_off = x->packet.payload_off;
	x->meta.receiver = receiver;
	return SP_V_WORKER;
}

SP_INLINE enum sp_verdict sp_admit(struct sp_xdp *x)
{
	const struct sp_packet *p = &x->packet;
	__u32 udp_bytes, bytes, type;
	const __u8 *h;

	if (!sp_is_to_listener(x))
		return SP_V_NEXT;
	x->direction = SP_DIR_UP;
	if (!(x->roles & SP_ROLE_TUNNEL))
		return sp_drop(x, SP_R_NO_INTERFACE);
	if (p->fragment != SP_FRAGMENT_NONE)
		return sp_drop(x, SP_R_OUTER_FRAGMENT);
	h = sp_at(sp_data(x), sp_end(x), p->l4_off, SP_UDP_BYTES + 8);
	udp_bytes = p->l3_off + p->l3_bytes - p->l4_off;
	if (!h || udp_bytes < SP_UDP_BYTES + SP_WG_DATA_BYTES ||
	    sp_swap16(sp_load16(h + 4)) != udp_bytes)
		return sp_drop(x, SP_R_WG_MALFORMED);
	bytes = udp_bytes - SP_UDP_BYTES;
	type = sp_load_le32(h + SP_UDP_BYTES);
	if (type == SP_WG_DATA)
		return sp_admit_data(x, sp_load_le32(h + SP_UDP_BYTES + 4), bytes);
	if ((type == SP_WG_INITIATION && bytes == SP_WG_INITIATION_BYTES) ||
	    (type == SP_WG_RESPONSE && bytes == SP_WG_RESPONSE_BYTES) ||
	    (type == SP_WG_COOKIE && bytes == SP_WG_COOKIE_BYTES)) {
		x->handshake = true;
		return SP_V_NEXT;
	}
	return sp_drop(x, SP_R_WG_MALFORMED);
}

#endif
