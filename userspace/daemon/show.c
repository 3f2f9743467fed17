/* SPDX-License-Identifier: Apache-2.0 */
/* show peers, sessions, flows, rules, drops. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "dataplane/drops.h"
#include "sallyport/core/addr.h"

#define FLOWS_SHOWN_MAX 100000

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

json_t *sp_show_peers(struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;
	uint64_t now_ns = sp_clock_now_ns();
	json_t *list = json_array();

	HASH_ITER (hh, daemon->peers, peer, next)
		json_array_append_new(list, peer_of(daemon, peer, now_ns));
	return list;
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

json_t *sp_show_sessions(struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;
	uint64_t now_ns = sp_clock_now_ns();
	json_t *list = json_array();

	HASH_ITER (hh, daemon->peers, peer, next) {
		for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++) {
			json_t *session =
				peer->keypairs[i].local_index
					? session_of(daemon, peer, &peer->keypairs[i], now_ns)
					: NULL;
			if (session)
				json_array_append_new(list, session);
		}
	}
	return list;
}

struct flow_listing {
	struct sp_daemon *daemon;
	json_t *list;
	uint64_t now_ns;
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
	return json_array_size(l->list) >= FLOWS_SHOWN_MAX;
}

json_t *sp_show_flows(struct sp_daemon *daemon)
{
	struct flow_listing listing = {
		.daemon = daemon, .list = json_array(), .now_ns = sp_clock_now_ns()};

	sp_dataplane_flow_each(daemon->dataplane, list_flow, &listing);
	return listing.list;
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

struct rule_flows {
	uint32_t *counts; /* by rule id */
	uint32_t max;
};

static int count_rule_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct rule_flows *flows = arg;

	if (flow->side == SP_FLOW_ORIGINAL && flow->rule_id <= flows->max)
		flows->counts[flow->rule_id]++;
	return 0;
}

json_t *sp_show_rules(struct sp_daemon *daemon)
{
	const struct sp_config *config = daemon->config;
	struct rule_flows flows = {.max = config->rule_count};
	json_t *list = json_array();

	flows.counts = calloc(config->rule_count + 1, sizeof(*flows.counts));
	if (flows.counts)
		sp_dataplane_flow_each(daemon->dataplane, count_rule_flow, &flows);
	for (uint32_t i = 0; i < config->rule_count; i++) {
		const struct sp_config_rule *rule = &config->rules[i];
		const char *pool =
			rule->pool < config->pool_count ? config->pools[rule->pool].name : "";

		const char *action = rule->allow ? "allow" : rule->reject ? "reject" : "deny";
		json_t *numbers = sp_rule_numbers(daemon, rule);
		json_t *row = json_pack("{s:i, s:s, s:s, s:i, s:s, s:o, s:o, s:o, s:s, s:i}", "id",
					(int)i + 1, "name", rule->name, "file", rule->source.file,
					"line", (int)rule->source.line, "action", action, "from",
					from_of(config, rule), "to", to_of(config, rule), "service",
					service_of(config, rule), "egress", pool, "flows",
					flows.counts ? (int)flows.counts[i + 1] : 0);

		json_object_update(row, numbers);
		json_decref(numbers);
		json_array_append_new(list, row);
	}
	free(flows.counts);
	return list;
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

			if (cell->packets)
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
