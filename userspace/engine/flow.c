/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"
#include "engine/record.h"

#include <errno.h>
#include <string.h>

#include "sallyport/core/flow.h"

#define REFUSAL_NS (1000000000ull)
/* A TCP connection may be closed by the other side alone, whose flags stand in sp_flows. */
#define CHECK_TCP_NS (SP_FLOW_TCP_TRANSITORY_S * SP_NS_PER_S)

/* Between whom a packet goes, by cryptokey routing. */
struct ends {
	uint32_t from, to; /* peers; 0 = the gateway or outside */
	enum sp_flow_kind kind;
};

bool sp_flow_source_is(struct sp_worker *w, const struct sp_addr *addr, uint32_t peer_id)
{
	struct sp_inner inner;

	if (sp_inner_cache_lookup(&w->inner, w->config.dataplane, addr, &inner))
		return false;
	if (peer_id == SP_PEER_NONE)
		return inner.kind == SP_INNER_GATEWAY;
	return inner.kind == SP_INNER_PEER && inner.peer_id == peer_id;
}

static uint32_t peer_of(const struct sp_inner *inner)
{
	return inner->kind == SP_INNER_PEER ? inner->peer_id : SP_PEER_NONE;
}

/* False: the source is no inner address, or nobody behind a tunnel is concerned. */
static bool find_ends(struct sp_worker *w, const struct sp_flow_key *key, struct ends *ret_ends)
{
	struct sp_inner src, dst;
	struct ends ends = {0};

	if (sp_inner_cache_lookup(&w->inner, w->config.dataplane, &key->src, &src))
		return false;
	ends.from = peer_of(&src);
	if (sp_inner_cache_lookup(&w->inner, w->config.dataplane, &key->dst, &dst) == 0) {
		ends.to = peer_of(&dst);
		ends.kind = ends.from && ends.to ? SP_FLOW_HAIRPIN : SP_FLOW_HOST;
	} else {
		ends.kind = SP_FLOW_TUNNEL;
	}
	*ret_ends = ends;
	return ends.from || ends.to;
}

bool sp_flow_is_as_begun(struct sp_worker *w, const struct sp_entry *entry)
{
	uint32_t owner = entry->side == SP_FLOW_ORIGINAL ? entry->from_peer : entry->to_peer;
	const struct sp_peer *peer;
	struct ends ends;

	if (!find_ends(w, &entry->key, &ends) || ends.from != entry->from_peer ||
	    ends.to != entry->to_peer || ends.kind != entry->kind)
		return false;
	if (owner == SP_PEER_NONE)
		return true;
	peer = sp_peer_lookup(w->config.sessions, owner);
	return peer && peer->user_id == entry->user_id;
}

/* Multicast, broadcast, unspecified, loopback, link-local: nothing that can be routed to. */
static bool is_destination(const struct sp_addr *a)
{
	static const struct sp_addr zero, loopback = {.b[15] = 1};

	if (sp_addr_is_v4(a))
		return a->b[12] != 0 && a->b[12] != 127 && a->b[12] < 224 &&
		       !(a->b[12] == 169 && a->b[13] == 254);
	return a->b[0] != 0xff && !(a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80) &&
	       !sp_addr_equal(a, &zero) && !sp_addr_equal(a, &loopback);
}

/* What may begin a flow: RFC 5508 REQ-1 lets ICMP begin by an echo request only. */
static enum sp_reason may_begin(const struct sp_packet *ip)
{
	uint8_t type = (uint8_t)(ip->icmp >> 8);

	if (!is_destination(&ip->dst))
		return SP_R_UNSPECIFIED;
	if (ip->proto == SP_PROTO_ICMP && type != SP_ICMP_ECHO)
		return type == SP_ICMP_ECHO_REPLY ? SP_R_NO_FLOW : SP_R_PROTOCOL;
	if (ip->proto == SP_PROTO_ICMPV6 && type != SP_ICMP6_ECHO)
		return type == SP_ICMP6_ECHO_REPLY ? SP_R_NO_FLOW : SP_R_PROTOCOL;
	return SP_R_NONE;
}

/* The peer whose flow it is; what the gateway itself begins is the other end's. */
static uint32_t owner_of(const struct ends *ends, enum sp_flow_side side)
{
	uint32_t begun_by = side == SP_FLOW_ORIGINAL ? ends->from : ends->to;

	return begun_by ? begun_by : ends->from + ends->to;
}

/* A flow that another worker made and whose packets arrive here. */
static struct sp_entry *adopt(struct sp_worker *w, const struct sp_flow_key *key,
			      const struct ends *ends)
{
	struct sp_entry *entry;
	struct sp_flow flow;

	if (w->config.workers == 1)
		return NULL; /* there is no other */
	if (sp_dataplane_flow_lookup(w->config.dataplane, key, &flow))
		return NULL;
	/* Replies from outside never come here, and a flow of our own would be known. */
	if (flow.kind != ends->kind || flow.worker == w->config.index ||
	    (flow.kind == SP_FLOW_TUNNEL && flow.side != SP_FLOW_ORIGINAL) ||
	    flow.peer_id != owner_of(ends, flow.side))
		return NULL;
	entry = sp_flow_table_insert(&w->table, key);
	if (!entry)
		return NULL;
	entry->side = flow.side;
	entry->kind = flow.kind;
	entry->generation = entry->written_generation = flow.generation;
	entry->rule_id = flow.rule_id;
	entry->hit_id = flow.hit_id;
	entry->user_id = flow.user_id;
	entry->on_change = flow.on_change;
	entry->grace_s = flow.grace_s;
	entry->bucket_up = flow.bucket_up;
	entry->bucket_down = flow.bucket_down;
	entry->until_ns = entry->written_until_ns = flow.until_ns;
	entry->from_peer = ends->from;
	entry->to_peer = ends->to;
	entry->translated = flow.translated;
	entry->nat_addr = flow.nat_addr;
	entry->nat_port_be = flow.nat_port_be;
	entry->pool_id = flow.pool_id;
	entry->paths = flow.paths;
	entry->created_ns = flow.created_ns;
	entry->seen_ns = entry->written_ns = w->now_ns;
	return entry;
}

struct sp_entry *sp_flow_find(struct sp_worker *w, const struct sp_flow_key *key)
{
	struct sp_entry *entry = sp_flow_table_lookup(&w->table, key);
	struct ends ends;

	if (entry)
		return entry->refused ? NULL : entry;
	return find_ends(w, key, &ends) ? adopt(w, key, &ends) : NULL;
}

/* Remember a denial, so that a stream of denied packets costs no walk and no system call. */
static enum sp_reason refuse(struct sp_worker *w, const struct sp_flow_key *key,
			     const struct ends *ends, const struct sp_policy_answer *answer)
{
	enum sp_reason reason = answer->reason;
	struct sp_entry *entry = NULL;

	if (w->table.refusals < w->table.max / 8)
		entry = sp_flow_table_insert(&w->table, key);
	if (entry) {
		entry->refused = true;
		entry->reason = reason;
		entry->rejects = answer->action == SP_ACTION_REJECT;
		entry->rule_id = answer->rule_id;
		entry->hit_id = answer->hit_id;
		entry->from_peer = ends->from;
		entry->generation = w->generation;
		entry->check_ns = w->now_ns + REFUSAL_NS;
		if (answer->until_ns && answer->until_ns < entry->check_ns)
			entry->check_ns = answer->until_ns;
		w->table.refusals++;
	}
	return reason;
}

/* Path and outside address of a flow that leaves. */
static enum sp_reason begin_outside(struct sp_worker *w, struct sp_entry *entry)
{
	const struct sp_flow_key *key = &entry->key;
	struct sp_nat_request request = {.src = key->src,
					 .dst = key->dst,
					 .sport_be = key->sport_be,
					 .dport_be = key->dport_be,
					 .proto = key->proto,
					 .pool_id = entry->pool_id,
					 .now_ns = w->now_ns,
					 .user_id = entry->user_id};
	struct sp_nat_binding binding;
	struct sp_nexthop nexthop;
	enum sp_reason r = sp_path_choose(w, entry, &nexthop);
	int rc;

	if (r)
		return r;
	if (!request.pool_id && entry->paths)
		request.pool_id = entry->pool_id = sp_path_pool(w, entry);
	rc = sp_nat_get(w->nat, &request, &binding);
	if (rc == -ENOENT)
		return SP_R_NAT_NO_POOL;
	if (rc)
		return rc == -EPROTONOSUPPORT ? SP_R_PROTOCOL : SP_R_NAT_EXHAUSTED;
	entry->translated = binding.translated;
	entry->nat_handle = binding.handle;
	if (binding.translated) {
		entry->pool_id = binding.pool_id;
		entry->nat_addr = binding.addr;
		entry->nat_port_be = binding.port_be;
	}
	return SP_R_NONE;
}

/* Answers to a flow that stays inside come to a worker too: it wants to know them. */
static enum sp_reason begin_inside(struct sp_worker *w, struct sp_entry *entry)
{
	struct sp_flow_key key;
	struct sp_entry *mate;

	sp_flow_key_reverse(&entry->key, &key);
	mate = sp_flow_table_lookup(&w->table, &key);
	if (mate)
		sp_flow_forget(w, mate); /* a refusal, or a guest whose flow is no more */
	mate = sp_flow_table_insert(&w->table, &key);
	if (!mate)
		return SP_R_FLOW_TABLE_FULL;
	mate->side = SP_FLOW_REPLY;
	mate->kind = entry->kind;
	mate->generation = mate->written_generation = entry->generation;
	mate->rule_id = entry->rule_id;
	mate->hit_id = entry->hit_id;
	mate->user_id = entry->user_id;
	mate->on_change = entry->on_change;
	mate->grace_s = entry->grace_s;
	mate->bucket_up = entry->bucket_up;
	mate->bucket_down = entry->bucket_down;
	mate->place = entry->place;
	mate->place_seq = entry->place_seq;
	mate->until_ns = mate->written_until_ns = entry->until_ns;
	mate->from_peer = entry->to_peer;
	mate->to_peer = entry->from_peer;
	mate->created_ns = mate->seen_ns = mate->written_ns = w->now_ns;
	mate->mate = sp_entry_number(&w->table, entry);
	entry->mate = sp_entry_number(&w->table, mate);
	return SP_R_NONE;
}

static bool has_quota(const struct sp_worker *w, uint32_t user_id)
{
	uint32_t max;

	if (user_id >= w->shared->users_max)
		return false;
	max = __atomic_load_n(&w->shared->users[user_id].flow_max, __ATOMIC_RELAXED);
	return max == 0 || w->user_flows[user_id] < max; /* 0: none was configured */
}

static enum sp_reason begin(struct sp_worker *w, const struct sp_flow_key *key,
			    const struct ends *ends, uint32_t user_id, struct sp_entry **ret_entry)
{
	struct sp_question question = {.original = key, .user_id = user_id};
	struct sp_policy_answer answer;
	struct sp_entry *entry;
	uint32_t place_seq;
	enum sp_reason r;

	question.place = sp_judge_place(w, ends->from, &place_seq);
	r = sp_judge_ask(w, &question, &answer);

	sp_hits_decide(w, key, user_id, &answer);
	if (r) {
		const struct sp_denial denial = {key, ends->kind, ends->from, user_id};

		sp_hits_packet(w, answer.hit_id);
		sp_record_denied(w, &denial, &answer);
		return refuse(w, key, ends, &answer);
	}
	if (!has_quota(w, user_id))
		return SP_R_FLOW_QUOTA;
	entry = sp_flow_table_insert(&w->table, key);
	if (!entry)
		return SP_R_FLOW_TABLE_FULL;
	entry->kind = ends->kind;
	entry->from_peer = ends->from;
	entry->to_peer = ends->to;
	entry->user_id = user_id;
	entry->generation = entry->written_generation = w->generation;
	sp_judge_take(entry, &answer);
	entry->place = question.place;
	entry->place_seq = place_seq;
	entry->written_until_ns = entry->until_ns;
	entry->pool_id = answer.pool_id;
	entry->paths = ends->kind == SP_FLOW_TUNNEL ? answer.paths : 0;
	entry->nat_addr = key->src;
	entry->nat_port_be = key->sport_be;
	entry->created_ns = entry->seen_ns = entry->written_ns = w->now_ns;
	entry->check_ns = w->now_ns + sp_flow_idle_s(key->proto, 0, 0) * SP_NS_PER_S;
	r = ends->kind == SP_FLOW_TUNNEL ? begin_outside(w, entry) : begin_inside(w, entry);
	if (r) {
		sp_flow_table_remove(&w->table, entry);
		return r;
	}
	sp_flow_publish(w, entry);
	*ret_entry = entry;
	return SP_R_NONE;
}

/* A packet that no entry knows. */
static enum sp_reason meet(struct sp_worker *w, const struct sp_flow_key *key,
			   const struct sp_packet *ip, const struct sp_peer *from,
			   struct sp_entry **ret_entry)
{
	uint32_t from_id = from ? from->id : SP_PEER_NONE;
	struct sp_entry *entry;
	struct ends ends;
	enum sp_reason r;

	if (!find_ends(w, key, &ends) || ends.from != from_id)
		return SP_R_SOURCE_NOT_ALLOWED;
	entry = adopt(w, key, &ends);
	if (entry) {
		r = sp_judge_is_due(w, entry) ? sp_judge_again(w, entry) : SP_R_NONE;
		if (!r)
			*ret_entry = entry;
		return r;
	}
	r = may_begin(ip);
	if (r)
		return r;
	return begin(w, key, &ends, from ? from->user_id : SP_USER_GATEWAY, ret_entry);
}

/* An entry of an old policy, or one that another peer's packets made. */
static enum sp_reason look_again(struct sp_worker *w, struct sp_entry *entry, uint32_t from_id)
{
	if (!sp_flow_source_is(w, &entry->key.src, from_id)) {
		if (entry->from_peer == from_id)
			sp_flow_end(w, entry); /* its own right to the address is gone */
		return SP_R_SOURCE_NOT_ALLOWED;
	}
	if (entry->from_peer == from_id)
		return sp_judge_again(w, entry);
	/* The address has moved to this peer: nothing of the other's flow is its business. */
	sp_flow_end(w, entry);
	return SP_R_NO_FLOW;
}

void sp_flow_name(const struct sp_worker *w, const struct sp_packet *ip,
		  struct sp_flow_name *ret_name)
{
	sp_packet_flow_key(ip, &ret_name->key);
	ret_name->hash = sp_flow_table_hash(&w->table, &ret_name->key);
}

enum sp_reason sp_flow_admit(struct sp_worker *w, const struct sp_packet *ip,
			     const struct sp_flow_name *name, const struct sp_peer *from,
			     struct sp_entry **ret_entry)
{
	uint32_t from_id = from ? from->id : SP_PEER_NONE;
	struct sp_entry *entry = sp_flow_table_lookup_name(&w->table, name);
	enum sp_reason r;

	if (entry && entry->refused) {
		if (entry->from_peer == from_id && entry->generation == w->generation &&
		    w->now_ns < entry->check_ns) {
			sp_hits_packet(w, entry->hit_id);
			w->rejects = entry->rejects;
			w->decided_rule = entry->rule_id;
			w->decided_hit = entry->hit_id;
			return entry->reason;
		}
		sp_flow_forget(w, entry);
		entry = NULL;
	}
	if (!entry)
		return meet(w, &name->key, ip, from, ret_entry);
	if (entry->from_peer != from_id || sp_judge_is_due(w, entry)) {
		r = look_again(w, entry, from_id);
		if (r)
			return r;
	}
	*ret_entry = entry;
	return SP_R_NONE;
}

void sp_flow_touch(struct sp_worker *w, struct sp_entry *entry, const struct sp_packet *ip)
{
	uint64_t soon_ns = w->now_ns + CHECK_TCP_NS;

	entry->packets++;
	entry->bytes += ip->l3_bytes;
	sp_hits_packet(w, entry->hit_id);
	entry->seen_ns = w->now_ns;
	entry->dirty = true;
	if (ip->proto != SP_PROTO_TCP)
		return;
	entry->tcp_seen |= sp_flow_tcp_seen(ip->tcp_flags);
	if ((ip->tcp_flags & (SP_TCP_FIN | SP_TCP_RST)) && entry->check_ns > soon_ns)
		entry->check_ns = soon_ns;
}
