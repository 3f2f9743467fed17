/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Verdicts, and the one table of drop reasons: enum, metric label, text. Any thread. */
#ifndef SALLYPORT_ABI_VERDICT_H
#define SALLYPORT_ABI_VERDICT_H

#include "sallyport/abi/base.h"

enum sp_verdict {
	SP_V_NEXT = 0,	   /* the next stage decides */
	SP_V_PASS = 1,	   /* to the kernel's own stack: ARP, ND, SSH, handshakes */
	SP_V_DROP = 2,	   /* counted under its reason */
	SP_V_WORKER = 3,   /* to the AF_XDP worker of this queue */
	SP_V_REDIRECT = 4, /* out of another interface */
};

/* What happened to a flow's right to exist; the policy's answer. */
enum sp_action {
	SP_ACTION_DENY = 0,
	SP_ACTION_ALLOW = 1,
	SP_ACTION_REJECT = 2, /* denied, and told so */
};

/* Which way a packet was going when it was dropped or counted. */
enum sp_direction {
	SP_DIR_UP = 0,	 /* from a user or workload towards the outside */
	SP_DIR_DOWN = 1, /* from outside towards a user or workload */
	SP_DIR_HOST = 2, /* to or from the gateway itself, or not yet known */
	SP_DIR_COUNT = 3,
};

/* X(number, NAME, label, text). Numbers are never reused; append only. */
/* A table reads by its columns. */
/* clang-format off */
#define SP_REASONS(X)                                                                              \
	X(0, NONE, "none", "not dropped")                                                          \
	X(1, TRUNCATED, "truncated", "the packet ends inside a header")                            \
	X(2, BAD_HEADER, "bad_header", "a header contradicts itself or the packet's length")       \
	X(3, TOO_DEEP, "too_deep", "more VLAN tags or extension headers than allowed")             \
	X(4, FRAGMENT, "fragment", "a later fragment whose first one did not pass")                       \
	X(5, FRAGMENT_TINY, "fragment_tiny", "a fragment that hides or covers the ports")                 \
	X(6, NO_INTERFACE, "no_interface", "the interface has no role in the configuration")       \
	X(7, NOT_FOR_US, "not_for_us", "addressed to another host, and no flow asked for it")      \
	X(8, NO_FLOW, "no_flow", "arrived at a NAT port without a matching flow")                  \
	X(9, FLOW_EXPIRED, "flow_expired", "its flow was idle for too long")                       \
	X(10, HANDSHAKE_RATE, "handshake_rate", "too many handshakes from this source")            \
	X(11, WG_MALFORMED, "wg_malformed", "not a WireGuard message of a known type and length")  \
	X(12, WG_UNKNOWN_INDEX, "wg_unknown_index", "no session has this receiver index")          \
	X(13, SESSION_EXPIRED, "session_expired", "the session's right to pass has ended")         \
	X(14, SESSION_BLOCKED, "session_blocked", "the session is blocked by an administrator")    \
	X(15, LIMIT_UP, "limit_up", "above the user's upload rate limit")                          \
	X(16, LIMIT_DOWN, "limit_down", "above the user's download rate limit")                    \
	X(17, NO_WORKER, "no_worker", "no worker is bound to this receive queue")                  \
	X(18, AUTH_FAILED, "auth_failed", "the authentication tag is wrong")                       \
	X(19, REPLAYED, "replayed", "the counter was used before, or is too old")                  \
	X(20, KEY_EXHAUSTED, "key_exhausted", "the key is too old or has sealed too much")         \
	X(21, INNER_MALFORMED, "inner_malformed", "no valid IP packet inside the tunnel packet")   \
	X(22, SOURCE_NOT_ALLOWED, "source_not_allowed", "the inner source is not this peer's")     \
	X(23, POLICY_DENY, "policy_deny", "a rule denies it")                                      \
	X(24, POLICY_DEFAULT, "policy_default", "no rule allows it")                               \
	X(25, NAT_NO_POOL, "nat_no_pool", "no egress pool has an address of this family")          \
	X(26, NAT_EXHAUSTED, "nat_exhausted", "no free port is left for this user or pool")        \
	X(27, FLOW_QUOTA, "flow_quota", "the user has too many flows open")                        \
	X(28, FLOW_TABLE_FULL, "flow_table_full", "the flow table is full")                        \
	X(29, NO_ROUTE, "no_route", "no route leads to the destination")                           \
	X(30, NO_NEIGHBOUR, "no_neighbour", "the next hop's link address is not yet known")        \
	X(31, TTL_EXPIRED, "ttl_expired", "TTL or hop limit reached zero")                         \
	X(32, TOO_BIG, "too_big", "larger than the next MTU and may not be fragmented")            \
	X(33, NO_SESSION, "no_session", "the peer has no live session to seal with")               \
	X(34, TX_FULL, "tx_full", "the transmit ring is full")                                     \
	X(35, NO_FRAME, "no_frame", "no packet buffer is free")                                    \
	X(36, INNER_FROM_OUTSIDE, "inner_from_outside", "an inner address used outside a tunnel")  \
	X(37, PROTOCOL, "protocol", "a protocol that cannot be translated")                        \
	X(38, ICMP_UNMATCHED, "icmp_unmatched", "an ICMP error about no flow of ours")             \
	X(39, HOST_FULL, "host_full", "the gateway's own TUN device did not take it")              \
	X(40, CLOSED, "closed", "no policy is loaded yet")                                         \
	X(41, ECN_INVALID, "ecn_invalid", "ECN marks that RFC 6040 forbids to combine")            \
	X(42, REDIRECT_FAILED, "redirect_failed", "the redirect map refused it")                   \
	X(43, SPOOFED_SOURCE, "spoofed_source", "a source address that cannot come from here")     \
	X(44, TOO_LONG, "too_long", "longer than a packet buffer")                                 \
	X(45, UNSPECIFIED, "unspecified", "an empty or multicast address where a host must be")    \
	X(46, OUTER_FRAGMENT, "outer_fragment", "a fragmented tunnel packet")                      \
	X(47, LIMIT_RULE, "limit_rule", "above the rate limit of its rule")                       \
	X(51, PATH_DOWN, "path_down", "no path that its rule names is up")
/* clang-format on */

enum sp_reason {
#define SP_X(number, name, label, text) SP_R_##name = number,
	SP_REASONS(SP_X)
#undef SP_X
	SP_R_COUNT,
};

/* Stride of one lane in sp_drop_lanes: reasons may grow up to this without a new ABI. */
#define SP_DROP_STRIDE 256
_Static_assert(SP_R_COUNT <= SP_DROP_STRIDE / 4, "a lane holds direction x reason");

/*
 * One cell of sp_drop_lanes[lane * SP_DROP_STRIDE + direction * (SP_DROP_STRIDE / 4) + reason].
 * A lane has one writer: lanes 0.. are XDP's CPUs, then one for each worker. Never reset.
 */
struct sp_drop_cell {
	__u64 packets;
	__u64 bytes;
	__u64 last_ns; /* CLOCK_MONOTONIC */
};
SP_ABI_SIZE(struct sp_drop_cell, 24);

/* sp_drops: the sum over lanes, written by the daemon each second, only rows that are not zero. */
struct sp_drop_key {
	enum sp_reason reason;
	enum sp_direction direction;
};
SP_ABI_SIZE(struct sp_drop_key, 8);

#endif
