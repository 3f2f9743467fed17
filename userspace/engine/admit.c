/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

/*
 * A later fragment is judged as its first one was, by the same flow. What is not translated keeps
 * its identification; so does IPv6, where 32 random bits hardly ever meet.
 */
enum sp_reason sp_packet_admit(struct sp_worker *w, uint8_t *data, struct sp_packet *ip,
			       const struct sp_flow_name *name, const struct sp_peer *from,
			       struct sp_entry **ret_entry)
{
	const struct sp_sender sender = {.peer_id = from ? from->id : SP_PEER_NONE,
					 .user_id = from ? from->user_id : SP_USER_GATEWAY,
					 .now_ns = w->now_ns};
	struct sp_flow_name with_ports;
	struct sp_entry *entry = NULL;
	enum sp_reason r = SP_R_NONE;

	if (ip->icmp_error)
		return ip->fragment ? SP_R_FRAGMENT
				    : sp_icmp_error_match(w, data, ip, from, ret_entry);
	if (ip->fragment == SP_FRAGMENT_LATER) {
		r = sp_fragments_follow(&w->fragments, &sender, ip);
		sp_flow_name(w, ip, &with_ports);
		name = &with_ports;
	}
	if (!r)
		r = sp_flow_admit(w, ip, name, from, &entry);
	if (!r && ip->fragment == SP_FRAGMENT_FIRST) {
		uint32_t id = sp_packet_outside_id(w, ip, entry);

		r = sp_fragments_begin(&w->fragments, &sender, ip, id);
		if (ip->version == 4)
			ip->fragment_id = id;
	}
	if (!r)
		*ret_entry = entry;
	return r;
}

/* RFC 6864 4: of a whole packet with DF nobody ever reads it. */
uint16_t sp_packet_outside_id(struct sp_worker *w, const struct sp_packet *ip,
			      const struct sp_entry *entry)
{
	if (ip->version != 4 || !entry->translated ||
	    (ip->fragment == SP_FRAGMENT_NONE && !ip->may_split))
		return (uint16_t)ip->fragment_id;
	return sp_fragments_id(&w->fragments, &entry->nat_addr, ip, w->config.index,
			       w->config.workers);
}
