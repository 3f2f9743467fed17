/* SPDX-License-Identifier: Apache-2.0 */
/* Random worlds and questions from a seed. Tests only, one thread. */
#ifndef SP_TESTS_POLICY_RANDOM_H
#define SP_TESTS_POLICY_RANDOM_H

#include "unit/policy/random_parts.h"

static inline void random_objects(struct world *w)
{
	struct sp_config *c = &w->config;

	c->group_count = rnd(5);
	c->user_count = rnd(21);
	c->peer_count = c->user_count;
	c->destination_count = 1 + rnd(8);
	c->service_count = 1 + rnd(8);
	for (uint32_t i = 0; i < c->user_count; i++) {
		w->users[i].groups = w->user_groups[i];
		w->users[i].group_count = random_list(w->user_groups[i], c->group_count, 3);
		w->peers[i].user = i;
		w->peers[i].addresses = w->peer_addresses[i];
		w->peers[i].address_count = rnd(3);
		for (uint32_t k = 0; k < 2; k++)
			w->peer_addresses[i][k] = random_peer_prefix();
	}
	for (uint32_t i = 0; i < c->destination_count; i++) {
		w->destinations[i].prefixes = w->prefixes[i];
		w->destinations[i].prefix_count = rnd(5);
		for (uint32_t k = 0; k < 4; k++)
			w->prefixes[i][k] = random_prefix();
	}
	for (uint32_t i = 0; i < c->service_count; i++) {
		w->services[i].proto = rnd(5) ? protos[rnd(3)] : (uint8_t)(rnd(2) * 47);
		w->services[i].ports = w->ports[i];
		w->services[i].echo_request = rnd(2);
		w->services[i].port_count = rnd(5);
		for (uint32_t k = 0; k < 4; k++) {
			w->ports[i][k].min = random_port();
			w->ports[i][k].max =
				rnd(4) ? (uint16_t)(w->ports[i][k].min | rnd(512)) : 65535;
		}
	}
}

static inline void random_options(struct sp_config_rule *r, uint32_t index)
{
	r->reject = !r->allow && rnd(2);
	r->shadow = !rnd(6);
	r->grace_s = rnd(1000);
	r->hit_id = 7 + index * 3;
	r->bucket_up = rnd(100);
	r->bucket_down = rnd(100);
	if (!rnd(6))
		r->expires_s = moments[0].time_s - 43200 + rnd(4 * 86400);
	if (!rnd(6))
		r->schedule = (struct sp_config_schedule){.zone = (char *)zones[rnd(3)],
							  .days = 1 + rnd(127),
							  .from_min = rnd(1440),
							  .to_min = 1 + rnd(1440)};
}

static inline void random_where(struct world *w, struct sp_config_rule *r, uint32_t index)
{
	r->from_where = true;
	r->from_prefixes = w->where[index];
	r->from_prefix_count = rnd(4);
	for (uint32_t i = 0; i < 3; i++)
		w->where[index][i] = random_prefix();
	r->from_countries = w->where_countries[index];
	r->from_country_count = random_list(w->where_countries[index], 2, 1);
}

static inline void random_countries(struct world *w)
{
	w->config.countries = w->countries;
	w->config.country_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		w->countries[i].prefixes = w->prefixes[rnd(8)];
		w->countries[i].prefix_count = rnd(5);
	}
}

/* Up to 40, over the world's objects, in place of those that were there. */
static inline void random_rules(struct world *w)
{
	uint32_t rules = rnd(41);

	w->config.rule_count = 0;
	for (uint32_t i = 0; i < rules; i++) {
		struct sp_config_rule *r = rule_add(w, rnd(2));

		r->from_any = !rnd(4);
		r->user_count = random_list(r->users, w->config.user_count, 4);
		r->group_count = random_list(r->groups, w->config.group_count, 3);
		r->to_any = !rnd(6);
		r->to_gateway = !rnd(6);
		r->destination_count = random_list(r->destinations, w->config.destination_count, 3);
		r->service_any = !rnd(3);
		r->service_count = random_list(r->services, w->config.service_count, 3);
		r->on_change = rnd(3);
		r->log = rnd(2);
		random_options(r, i);
		if (!rnd(5))
			random_where(w, r, i);
		r->pool = rnd(2) ? rnd(64) : UINT32_MAX;
	}
}

static inline void random_world(struct world *w)
{
	first_user_id = rnd(20);
	user_id_step = 1 + rnd(2) * rnd(300);
	world_init(w);
	w->gateway[0].addr = random_addr();
	w->gateway[0].len = (uint8_t)(sp_addr_is_v4(&w->gateway[0].addr) ? 120 : 64);
	w->gateway[1] = w->gateway[0];
	w->gateway[1].addr = random_addr();
	w->gateway[1].len = 126;
	w->wireguards[0] =
		(struct sp_config_wireguard){.addresses = w->gateway, .address_count = 2};
	w->config.wireguard_count = rnd(4) ? 1 : 0;
	random_objects(w);
	random_zones(w);
	random_countries(w);
	random_rules(w);
}

static inline struct sp_policy_query random_query(const struct world *w)
{
	struct sp_policy_query q = {
		.dst = random_addr(),
		.user_id = rnd(4) && w->config.user_count
				   ? w->users[rnd(w->config.user_count)].id
				   : rnd(w->config.user_count * user_id_step + 4),
		.dport_be = htons(random_port()),
		.icmp = (uint16_t)((rnd(3) ? 8u << (rnd(2) * 4) : rnd(256)) << 8 | rnd(2)),
		.proto = rnd(8) ? protos[rnd(6)] : (uint8_t)rnd(256),
	};

	if (!rnd(4) && w->config.wireguard_count)
		q.dst = w->gateway[rnd(2)].addr;
	else if (!rnd(4) && w->config.peer_count)
		q.dst = w->peer_addresses[rnd(w->config.peer_count)][rnd(2)].addr;
	if (!rnd(64))
		q.user_id = (uint32_t)(seed >> 16);
	return q;
}

#endif
