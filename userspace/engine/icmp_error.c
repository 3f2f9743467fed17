/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include "sallyport/core/flow.h"
#include "sallyport/core/parse.h"
#include "sallyport/core/rewrite.h"

/*
 * RFC 5508 REQ-4 and REQ-5: an ICMP error quotes a packet that came to its sender, so the flow is
 * the quoted packet's, turned round. Outside, the quotation must look as its sender knows it.
 */
enum sp_reason sp_icmp_error_match(struct sp_worker *w, uint8_t *data, const struct sp_packet *ip,
				   const struct sp_peer *from, struct sp_entry **ret_entry)
{
	uint32_t from_id = from ? from->id : SP_PEER_NONE;
	const uint8_t *end = data + ip->l3_bytes;
	struct sp_flow_key quoted_key, key;
	struct sp_packet quoted;
	struct sp_entry *entry;
	enum sp_reason r;

	if (sp_parse_embedded(data, end, ip, &quoted))
		return SP_R_ICMP_UNMATCHED;
	sp_packet_flow_key(&quoted, &quoted_key);
	sp_flow_key_reverse(&quoted_key, &key);
	entry = sp_flow_find(w, &key);
	if (!entry || entry->from_peer != from_id || !sp_addr_equal(&ip->dst, &key.dst))
		return SP_R_ICMP_UNMATCHED;
	/* A router behind the peer may answer for the host: its address must be the peer's too. */
	if (!sp_addr_equal(&ip->src, &key.src) && !sp_flow_source_is(w, &ip->src, from_id))
		return SP_R_SOURCE_NOT_ALLOWED;
	if (sp_judge_is_due(w, entry)) {
		r = sp_judge_again(w, entry);
		if (r)
			return r;
	}
	if (entry->translated) {
		r = sp_rewrite_embedded(data, end, ip, &quoted, SP_REWRITE_DST, &entry->nat_addr,
					entry->nat_port_be);
		if (r)
			return r;
	}
	*ret_entry = entry;
	return SP_R_NONE;
}
