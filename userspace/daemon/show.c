/* SPDX-License-Identifier: Apache-2.0 */
/* show peers, sessions, flows, rules, drops. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "dataplane/plain.h"
#include "dataplane/drops.h"
#include "sallyport/core/addr.h"

#define FLOWS_SHOWN_MAX 100000
#define ROWS_A_TURN	64   /* about a millisecond of them */
#define PEERS_A_TURN	4096 /* looked for, whether they are there or not */

static json_int_t age_s(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns && now_ns > then_ns ? (json_int_t)((now_ns - then_ns) / SP_NS_PER_S) : 0;
}

static json_t *age_or_null(uint64_t then_ns, uint64_t now_ns)
{
	return then_ns ? json_integer(age_s(then_ns, now_ns)) : json_null();
}

static json_t *prefixes_of(const struct sp_prefix *list, uint32_t count)
{
	json_t *array = json_array();
	char text[SP_PREFIX_TEXT];

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(sp_prefix_format(&list[i], text)));
	return array;
}

static json_t *endpoint_of(struct sp_peer_state *peer)
{
	struct sp_endpoint endpoint;
	struct sp_sockaddr sa;
	char text[SP_ENDPOINT_TEXT];

	if (!sp_peer_endpoint_get(peer->session, &endpoint) || !endpoint.remote_port_be)
		return json_null();
	sa = (struct sp_sockaddr){.addr = endpoint.remote, .port_be = endpoint.remote_port_be};
	return json_string(sp_sockaddr_format(&sa, text));
}

static json_t *peer_of(struct sp_daemon *daemon, struct sp_peer_state *peer, uint64_t now_ns)
{
	bool live = atomic_load(&peer->session->sending) != NULL;
	char key[SP_KEY_TEXT];

	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:s}", "name",
			 peer->name, "user", sp_user_name(daemon, peer->user_id), "wireguard",
			 peer->listener->name, "public_key", sp_key_format(&peer->public_key, key),
			 "addresses", prefixes_of(peer->addresses, peer->address_count), "endpoint",
			 endpoint_of(peer), "last_handshake_s",
			 age_or_null(sp_wg_peer_last_handshake_ns(peer->wg), now_ns),
			 "received_bytes", (json_int_t)atomic_load(&peer->session->received_bytes),
			 "received_packets",
			 (json_int_t)atomic_load(&peer->session->received_packets), "sent_bytes",
			 (json_int_t)atomic_load(&peer->session->sent_bytes), "sent_packets",
			 (json_int_t)atomic_load(&peer->session->sent_packets), "state",
			 live ? "up" : "down");
}

/* Peers by their ids, so that they may come and go between two turns. */
struct peer_rows {
	struct sp_daemon *daemon;
	uint32_t next_id;
	void (*add)(struct sp_daemon *daemon, struct sp_peer_state *peer, uint64_t now_ns,
		    json_t *list);
};

static int more_peers(void *arg, json_t *list)
{
	struct peer_rows *rows = arg;
	uint64_t now_ns = sp_clock_now_ns();
	uint32_t looked_at = 0;

	while (json_array_size(list) < ROWS_A_TURN && looked_at++ < PEERS_A_TURN &&
	       rows->next_id <= rows->daemon->peer_limit) {
		struct sp_peer_state *peer = sp_peer_by_id(rows->daemon, rows->next_id++);

		if (peer)
			rows->add(rows->daemon, peer, now_ns, list);
	}
	return rows->next_id <= rows->daemon->peer_limit;
}

static int begin_peers(struct sp_daemon *daemon,
		       void (*add)(struct sp_daemon *, struct sp_peer_state *, uint64_t, json_t *))
{
	struct peer_rows *rows = calloc(1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	*rows = (struct peer_rows){.daemon = daemon, .next_id = 1, .add = add};
	sp_control_answer_rows(daemon->control, &(struct sp_control_rows){more_peers, free, rows});
	return 0;
}

static void add_peer(struct sp_daemon *daemon, struct sp_peer_state *peer, uint64_t now_ns,
		     json_t *list)
{
	json_array_append_new(list, peer_of(daemon, peer, now_ns));
}

int sp_show_peers(struct sp_daemon *daemon)
{
	return begin_peers(daemon, add_peer);
}

static json_t *session_of(struct sp_daemon *daemon, const struct sp_peer_state *peer,
			  const struct sp_keypair_state *keypair, uint64_t now_ns)
{
	static const char *const states[] = {[SP_SESSION_BLOCKED] = "blocked",
					     [SP_SESSION_FULL] = "full",
					     [SP_SESSION_LIMITED] = "limited",
					     [SP_SESSION_QUARANTINE] = "quarantine"};
	struct sp_session session;

	if (sp_dataplane_session_lookup(daemon->dataplane, keypair->local_index, &session) ||
	    session.state > SP_SESSION_QUARANTINE)
		return NULL;
	return json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I}", "receiver_index",
			 (json_int_t)keypair->local_index, "peer", peer->name, "user",
			 sp_user_name(daemon, session.user_id), "state", states[session.state],
			 "initiator", keypair->initiator, "age_s", age_s(keypair->born_ns, now_ns),
			 "valid_for_s", age_s(now_ns, session.valid_until_ns), "received_bytes",
			 (json_int_t)session.bytes, "received_packets",
			 (json_int_t)session.packets);
}

static void add_sessions(struct sp_daemon *daemon, struct sp_peer_state *peer, uint64_t now_ns,
			 json_t *list)
{
	for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++) {
		json_t *session = peer->keypairs[i].local_index
					  ? session_of(daemon, peer, &peer->keypairs[i], now_ns)
					  : NULL;
		if (session)
			json_array_append_new(list, session);
	}
}

int sp_show_sessions(struct sp_daemon *daemon)
{
	return begin_peers(daemon, add_sessions);
}

struct flow_listing {
	struct sp_daemon *daemon;
	json_t *list; /* of this turn */
	uint64_t now_ns;
	struct sp_flow_walk walk;
	uint32_t shown;
};

static const char *protocol_name(uint8_t proto, char buf[static 8])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	default:
		snprintf(buf, 8, "%u", proto);
		return buf;
	}
}

static const char *rule_name(const struct sp_daemon *daemon, uint32_t rule_id)
{
	const struct sp_config *config = daemon->config;

	return rule_id && rule_id <= config->rule_count ? config->rules[rule_id - 1].name : "";
}

static json_t *side_of(const struct sp_addr *addr, __be16 port_be)
{
	struct sp_sockaddr sa = {.addr = *addr, .port_be = port_be};
	char text[SP_ENDPOINT_TEXT];

	return json_string(sp_sockaddr_format(&sa, text));
}

static void reply_key(const struct sp_flow_key *key, const struct sp_flow *flow,
		      struct sp_flow_key *ret)
{
	*ret = (struct sp_flow_key){.src = key->dst,
				    .dst = flow->translated ? flow->nat_addr : key->src,
				    .sport_be = key->dport_be,
				    .dport_be =
					    flow->translated ? flow->nat_port_be : key->sport_be,
				    .proto = key->proto};
}

static int list_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	static const char *const kinds[] = {[SP_FLOW_TUNNEL] = "tunnel",
					    [SP_FLOW_HAIRPIN] = "hairpin",
					    [SP_FLOW_HOST] = "host",
					    [SP_FLOW_PLAIN] = "plain"};
	struct flow_listing *l = arg;
	struct sp_peer_state *peer = sp_peer_by_id(l->daemon, flow->peer_id);
	struct sp_flow_key back;
	struct sp_flow reply = {0};
	char number[8];

	if (flow->side != SP_FLOW_ORIGINAL || flow->kind > SP_FLOW_PLAIN)
		return 0;
	reply_key(key, flow, &back);
	sp_dataplane_flow_lookup(l->daemon->dataplane, &back, &reply);
	json_array_append_new(
		l->list,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, "
			  "s:I, s:I}",
			  "user", sp_user_name(l->daemon, flow->user_id), "peer",
			  peer ? peer->name : "", "protocol", protocol_name(key->proto, number),
			  "source", side_of(&key->src, key->sport_be), "destination",
			  side_of(&key->dst, key->dport_be), "translated",
			  flow->translated ? side_of(&flow->nat_addr, flow->nat_port_be)
					   : json_null(),
			  "kind", kinds[flow->kind], "rule", rule_name(l->daemon, flow->rule_id),
			  "generation", (int)flow->generation, "worker", (int)flow->worker, "age_s",
			  age_s(flow->created_ns, l->now_ns), "idle_s",
			  age_s(flow->seen_ns > reply.seen_ns ? flow->seen_ns : reply.seen_ns,
				l->now_ns),
			  "packets_up", (json_int_t)flow->packets, "bytes_up",
			  (json_int_t)flow->bytes, "packets_down", (json_int_t)reply.packets,
			  "bytes_down", (json_int_t)reply.bytes));
	return ++l->shown >= FLOWS_SHOWN_MAX;
}

static int more_flows(void *arg, json_t *list)
{
	struct flow_listing *l = arg;
	int more;

	l->list = list;
	l->now_ns = sp_clock_now_ns();
	more = sp_dataplane_flow_step(l->daemon->dataplane, &l->walk, list_flow, l);
	return l->shown >= FLOWS_SHOWN_MAX ? 0 : more;
}

int sp_show_flows(struct sp_daemon *daemon)
{
	struct flow_listing *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->daemon = daemon;
	sp_control_answer_rows(daemon->control, &(struct sp_control_rows){more_flows, free, l});
	return 0;
}

/* The names a rule was written with, as one word list. */
static void add_name(json_t *list, const char *name)
{
	json_array_append_new(list, json_string(name));
}

static json_t *from_of(const struct sp_config *config, const struct sp_config_rule *rule)
{
	json_t *list = json_array();

	if (rule->from_any)
		add_name(list, "any");
	for (uint32_t i = 0; i < rule->group_count; i++)
		add_name(list, config->groups[rule->groups[i]].name);
	for (uint32_t i = 0; i < rule->user_count; i++)
		add_name(list, config->users[rule->users[i]].name);
	return list;
}

static json_t *to_of(const struct sp_config *config, const struct sp_config_rule *rule)
{
	json_t *list = json_array();

	if (rule->to_any)
		add_name(list, "any");
	if (rule->to_gateway)
		add_name(list, "gateway");
	for (uint32_t i = 0; i < rule->destination_count; i++)
		add_name(list, config->destinations[rule->destinations[i]].name);
	return list;
}

static json_t *service_of(const struct sp_config *config, const struct sp_config_rule *rule)
{
	json_t *list = json_array();

	if (rule->service_any)
		add_name(list, "any");
	for (uint32_t i = 0; i < rule->service_count; i++)
		add_name(list, config->services[rule->services[i]].name);
	return list;
}

/* The flows of each rule are counted first, then the rules are told, some a turn. */
struct rule_rows {
	struct sp_daemon *daemon;
	const struct sp_config *config; /* as it was: a reload in between ends the list */
	struct sp_flow_walk walk;
	bool is_counted;
	uint32_t next, max;
	uint32_t counts[]; /* by rule id */
};

static int count_rule_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct rule_rows *rows = arg;

	if (flow->side == SP_FLOW_ORIGINAL && flow->rule_id <= rows->max)
		rows->counts[flow->rule_id]++;
	return 0;
}

static json_t *rule_of(struct sp_daemon *daemon, uint32_t i, uint32_t flows)
{
	const struct sp_config *config = daemon->config;
	const struct sp_config_rule *rule = &config->rules[i];
	const char *pool = rule->pool < config->pool_count ? config->pools[rule->pool].name : "";
	const char *action = rule->allow ? "allow" : rule->reject ? "reject" : "deny";
	json_t *numbers = sp_rule_numbers(daemon, rule);
	json_t *row = json_pack("{s:i, s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:s, s:i}", "id",
				(int)i + 1, "name", rule->name, "file", rule->source.file, "line",
				(int)rule->source.line, "action", action, "from",
				from_of(config, rule), "to", to_of(config, rule), "service",
				service_of(config, rule), "egress", pool, "flows", (int)flows);

	json_object_update(row, numbers);
	json_decref(numbers);
	return row;
}

static int more_rules(void *arg, json_t *list)
{
	struct rule_rows *rows = arg;
	int more;

	if (rows->config != rows->daemon->config)
		return -EAGAIN;
	if (!rows->is_counted) {
		more = sp_dataplane_flow_step(rows->daemon->dataplane, &rows->walk, count_rule_flow,
					      rows);
		rows->is_counted = more == 0;
		return more < 0 ? more : 1;
	}
	while (json_array_size(list) < ROWS_A_TURN && rows->next < rows->max) {
		json_array_append_new(list, rule_of(rows->daemon, rows->next,
						    rows->counts[rows->next + 1]));
		rows->next++;
	}
	return rows->next < rows->max;
}

int sp_show_rules(struct sp_daemon *daemon)
{
	uint32_t max = daemon->config->rule_count;
	struct rule_rows *rows = calloc(1, sizeof(*rows) + (max + 1) * sizeof(rows->counts[0]));

	if (!rows)
		return -ENOMEM;
	rows->daemon = daemon;
	rows->config = daemon->config;
	rows->max = max;
	sp_control_answer_rows(daemon->control, &(struct sp_control_rows){more_rules, free, rows});
	return 0;
}

json_t *sp_show_drops(struct sp_daemon *daemon)
{
	static const char *const directions[] = {"up", "down", "host"};
	static const struct {
		const char *label, *text;
	} reasons[] = {
#define SP_X(number, name, label, text) [number] = {label, text},
		SP_REASONS(SP_X)
#undef SP_X
	};
	static struct sp_drop_totals totals;
	uint64_t now_ns = sp_clock_now_ns();
	json_t *list = json_array();

	sp_dataplane_drops_collect(daemon->dataplane, &totals);
	for (int reason = 0; reason < SP_R_COUNT; reason++) {
		for (int direction = 0; direction < SP_DIR_COUNT; direction++) {
			const struct sp_drop_cell *cell = &totals.cell[direction][reason];

			if (cell->packets && reasons[reason].label)
				json_array_append_new(
					list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "reason",
							reasons[reason].label, "text",
							reasons[reason].text, "direction",
							directions[direction], "packets",
							(json_int_t)cell->packets, "bytes",
							(json_int_t)cell->bytes, "last_s",
							age_s(cell->last_ns, now_ns)));
		}
	}
	return list;
}
