/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Sessions, users and inner addresses as XDP sees them. */
#ifndef SALLYPORT_ABI_SESSION_H
#define SALLYPORT_ABI_SESSION_H

#include "sallyport/abi/addr.h"

enum sp_session_state {
	SP_SESSION_BLOCKED = 0,
	SP_SESSION_FULL = 1,
	SP_SESSION_LIMITED = 2,	   /* room for identity: reduced rights */
	SP_SESSION_QUARANTINE = 3, /* room for identity: portal and DNS only */
};

enum sp_tunnel_protocol {
	SP_TUNNEL_WIREGUARD = 1,
};

/*
 * sp_sessions[receiver index]: one keypair of one peer. Written by the daemon; packets, bytes and
 * seen_ns by XDP (atomic add: a session may arrive on several queues).
 */
struct sp_session {
	enum sp_session_state state;
	enum sp_tunnel_protocol protocol;
	__u32 peer_id;
	__u32 user_id;
	__u64 valid_until_ns; /* CLOCK_MONOTONIC; XDP drops at or after it */
	__u64 seen_ns;
	__u64 packets;
	__u64 bytes; /* outer UDP payload */
};
SP_ABI_SIZE(struct sp_session, 48);

/* sp_users[user_id]: users and zones; name, two token buckets. 0 "nobody", 1 the gateway itself. */
struct sp_user {
	char name[SP_NAME_BYTES];
	__u32 bucket_up;   /* index in sp_buckets; 0 = unlimited */
	__u32 bucket_down; /* index in sp_buckets; 0 = unlimited */
	__u32 flow_max;	   /* flows open at once */
	__s32 plain_flows; /* of a zone, open now: XDP adds, whoever removes subtracts */
};
SP_ABI_SIZE(struct sp_user, 48);

#define SP_USER_NOBODY	0
#define SP_USER_GATEWAY 1
#define SP_PEER_NONE	0

/* sp_inner[LPM]: cryptokey routing, inner address -> peer. */
enum sp_inner_kind {
	SP_INNER_PEER = 0,
	SP_INNER_GATEWAY = 1, /* the gateway's own inner address: the TUN device */
};
struct sp_inner {
	enum sp_inner_kind kind;
	__u32 peer_id;
};
SP_ABI_SIZE(struct sp_inner, 8);

/* sp_listeners[UDP port]: where tunnels are listened for. */
struct sp_listener_key {
	__be16 port_be;
	__u16 pad[3];
};
SP_ABI_SIZE(struct sp_listener_key, 8);
struct sp_listener {
	enum sp_tunnel_protocol protocol;
	__u32 listener_id;
};
SP_ABI_SIZE(struct sp_listener, 8);

#endif
