/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/reasons.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *label, *text;
} reasons[] = {
#define SP_X(number, name, label, text) [number] = {label, text},
	SP_REASONS(SP_X)
#undef SP_X
};

static const char *const advices[SP_R_COUNT] = {
	[SP_R_NONE] = "nothing",
	[SP_R_TRUNCATED] = "look at the sender: its packets are cut or forged",
	[SP_R_BAD_HEADER] = "look at the sender: its packets are damaged or forged",
	[SP_R_TOO_DEEP] = "let the sender use fewer VLAN tags or extension headers",
	[SP_R_FRAGMENT] = "lower the sender's MTU; look for loss of the first fragment",
	[SP_R_FRAGMENT_TINY] = "nothing: it hides what it is (RFC 1858)",
	[SP_R_NO_INTERFACE] = "give the interface a role in interfaces, or send over another",
	[SP_R_NOT_FOR_US] = "look at the neighbour's route: it sends strangers' packets here",
	[SP_R_NO_FLOW] = "nothing: nobody asked for it, or it came after its flow had ended",
	[SP_R_FLOW_EXPIRED] = "let the application send keepalives more often",
	[SP_R_HANDSHAKE_RATE] =
		"a flood, or many peers behind one address: gateway.handshakes_per_s",
	[SP_R_WG_MALFORMED] = "nothing: something other than WireGuard speaks to its port",
	[SP_R_WG_UNKNOWN_INDEX] = "nothing: the peer shakes hands again by itself",
	[SP_R_SESSION_EXPIRED] =
		"look why the peer does not shake hands again: sallyport show peers",
	[SP_R_SESSION_BLOCKED] = "unblock it, if it should pass",
	[SP_R_LIMIT_UP] = "raise users.limit or groups.limit, if the user should have more",
	[SP_R_LIMIT_DOWN] = "raise users.limit or groups.limit, if the user should have more",
	[SP_R_NO_WORKER] = "look whether sallyportd runs: sallyport status",
	[SP_R_AUTH_FAILED] = "look for damage on the way, or for someone who forges",
	[SP_R_REPLAYED] = "look for doubled packets on the way, or for someone who replays",
	[SP_R_KEY_EXHAUSTED] = "look why the peer does not shake hands again: sallyport show peers",
	[SP_R_INNER_MALFORMED] = "look at the client: what it seals is no IP packet",
	[SP_R_SOURCE_NOT_ALLOWED] = "add the source to the peer's addresses, if it is the peer's",
	[SP_R_POLICY_DENY] = "change that rule, or put one that allows it before it",
	[SP_R_POLICY_DEFAULT] = "add a rule that allows it, if it should pass",
	[SP_R_NAT_NO_POOL] = "give the rule's egress pool an address of this family",
	[SP_R_NAT_EXHAUSTED] = "enlarge egress.ports, or give the pool more addresses",
	[SP_R_FLOW_QUOTA] = "raise flows_max of the user or zone, if so many are right",
	[SP_R_FLOW_TABLE_FULL] = "raise gateway.flows_max (at a restart)",
	[SP_R_NO_ROUTE] = "add a route over an interface with a role: ip route",
	[SP_R_NO_NEIGHBOUR] =
		"look whether the next hop lives: ip neigh; the first packet may be it",
	[SP_R_TTL_EXPIRED] = "nothing of a traceroute; else look for a loop",
	[SP_R_TOO_BIG] = "let path MTU discovery through, or lower the sender's MTU",
	[SP_R_NO_SESSION] = "nothing: a handshake was asked for; look whether the peer answers",
	[SP_R_TX_FULL] = "overload: more queues and workers, or limits",
	[SP_R_NO_FRAME] = "overload: more queues and workers, or limits",
	[SP_R_INNER_FROM_OUTSIDE] = "nothing: someone probes users' addresses (CVE-2019-14899)",
	[SP_R_PROTOCOL] = "use TCP, UDP or ICMP echo: others cannot be translated",
	[SP_R_ICMP_UNMATCHED] = "nothing: the flow that it is about is not ours, or has ended",
	[SP_R_HOST_FULL] = "look what keeps this host's own sockets busy",
	[SP_R_CLOSED] = "wait for the policy, or look why there is none: sallyport status",
	[SP_R_ECN_INVALID] = "look for a router on the way that writes wrong ECN marks",
	[SP_R_REDIRECT_FAILED] = "look at the outgoing interface: its driver must redirect",
	[SP_R_SPOOFED_SOURCE] = "add the source to a zone of this interface, if it belongs there",
	[SP_R_TOO_LONG] = "lower the MTU of the interface it came in by",
	[SP_R_UNSPECIFIED] = "nothing: it has no host to go to",
	[SP_R_OUTER_FRAGMENT] = "lower the tunnel's MTU, so that its packets need no fragments",
	[SP_R_LIMIT_RULE] = "raise limit of that rule, if all who use it should have more",
	[SP_R_PATH_DOWN] = "look why: sallyport show paths; or name a second path in the rule",
};

_Static_assert(sizeof(reasons) / sizeof(*reasons) == SP_R_COUNT, "one table of reasons");

static const char *word(const char *text)
{
	return text ? text : "unknown";
}

const char *sp_reason_label(uint32_t reason)
{
	return word(reason < SP_R_COUNT ? reasons[reason].label : NULL);
}

const char *sp_reason_text(uint32_t reason)
{
	return word(reason < SP_R_COUNT ? reasons[reason].text : NULL);
}

const char *sp_reason_advice(uint32_t reason)
{
	return word(reason < SP_R_COUNT ? advices[reason] : NULL);
}

const char *sp_direction_label(uint32_t direction)
{
	static const char *const labels[SP_DIR_COUNT] = {
		[SP_DIR_UP] = "up", [SP_DIR_DOWN] = "down", [SP_DIR_HOST] = "host"};

	return word(direction < SP_DIR_COUNT ? labels[direction] : NULL);
}

int sp_reason_parse(const char *label, enum sp_reason *ret_reason)
{
	for (uint32_t i = 0; i < SP_R_COUNT; i++) {
		if (!reasons[i].label || strcmp(label, reasons[i].label))
			continue;
		*ret_reason = (enum sp_reason)i;
		return 0;
	}
	return -ENOENT;
}
