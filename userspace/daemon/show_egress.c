/* SPDX-License-Identifier: Apache-2.0 */
/* show egress, its metrics, and the log lines about addresses that are full or empty. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "observe/metrics.h"

#define HIGH_PERCENT 80 /* said once, and again after it was below LOW_PERCENT */
#define LOW_PERCENT  70
#define SAY_EVERY_NS (60 * SP_NS_PER_S) /* of one address */

static const char *const spaces[SP_PORT_SPACES] = {"tcp", "udp", "icmp"};

static uint32_t used_of(const struct sp_egress_use *use, int space)
{
	return __atomic_load_n(&use->used[space], __ATOMIC_RELAXED) + use->plain[space];
}

/* Of the protocol that has the most. */
static uint32_t used_most(const struct sp_egress_use *use)
{
	uint32_t most = 0;

	for (int s = 0; s < SP_PORT_SPACES; s++)
		most = used_of(use, s) > most ? used_of(use, s) : most;
	return most;
}

static uint32_t ports_of(const struct sp_nat_address *a)
{
	return a->port_max - a->port_min + 1u;
}

/* --- each address of each pool --- */

struct place {
	const char *pool;
	const struct sp_nat_pool *of;
	const struct sp_nat_address *a;
	char text[SP_ADDR_TEXT];
};

static void each_place(struct sp_daemon *daemon, void (*cb)(const struct place *, void *),
		       void *arg)
{
	const struct sp_egress_state *state = daemon->egress;

	for (uint32_t i = 0; state->pools && i < state->pools->count; i++) {
		const struct sp_nat_pool *pool = &state->pools->pools[i];

		for (uint32_t n = 0; n < pool->address_count; n++) {
			struct place place = {.pool = state->names[i] ? state->names[i] : "",
					      .of = pool,
					      .a = &pool->addresses[n]};

			sp_addr_format(&place.a->addr, place.text);
			if (place.a->use)
				cb(&place, arg);
		}
	}
}

/* --- the log --- */

static void say_refused(struct sp_egress_said *said, const struct place *p, uint64_t now_ns)
{
	uint64_t refused = __atomic_load_n(&p->a->use->refused, __ATOMIC_RELAXED);

	if (refused == said->refused || (said->at_ns && now_ns - said->at_ns < SAY_EVERY_NS))
		return;
	sp_warning(
		"egress: %s of pool %s is exhausted: %" PRIu64
		" flows refused since it was last said: enlarge ports or block, or add addresses",
		p->text, p->pool, refused - said->refused);
	said->refused = refused;
	said->at_ns = now_ns;
}

static void say(const struct place *p, void *arg)
{
	struct sp_daemon *daemon = arg;
	struct sp_egress_said *said = &daemon->egress->said[p->a->use - daemon->shared->egress_use];
	uint64_t percent = 100ull * used_most(p->a->use) / ports_of(p->a);

	if (!said->high && percent >= HIGH_PERCENT)
		sp_warning("egress: %s of pool %s: %u of %u ports are in use", p->text, p->pool,
			   used_most(p->a->use), ports_of(p->a));
	said->high = percent >= (said->high ? LOW_PERCENT : HIGH_PERCENT);
	say_refused(said, p, sp_clock_now_ns());
	if (p->a->draining && !said->drained && !used_most(p->a->use))
		sp_info("egress: %s of pool %s is drained: no flow is left on it", p->text,
			p->pool);
	said->drained = p->a->draining && !used_most(p->a->use);
}

void sp_egress_tick(struct sp_daemon *daemon)
{
	each_place(daemon, say, daemon);
}

/* --- show egress --- */

struct pair { /* a user on an address */
	UT_hash_handle hh;
	struct {
		const struct sp_nat_address *a;
		uint64_t user_id;
	} key;
	uint32_t flows;
};

struct listing {
	struct sp_daemon *daemon;
	struct pair *pairs;
	json_t *list;
};

static const struct sp_nat_address *address_of(const struct sp_daemon *daemon,
					       const struct sp_flow *flow)
{
	const struct sp_egress_state *state = daemon->egress;
	uint16_t port = (uint16_t)(flow->nat_port_be >> 8 | flow->nat_port_be << 8);

	for (uint32_t i = 0; state->pools && i < state->pools->count; i++) {
		const struct sp_nat_pool *pool = &state->pools->pools[i];

		for (uint32_t n = 0; n < pool->address_count; n++) {
			const struct sp_nat_address *a = &pool->addresses[n];

			if (port >= a->port_min && port <= a->port_max &&
			    !memcmp(&a->addr, &flow->nat_addr, sizeof(a->addr)))
				return a;
		}
	}
	return NULL;
}

static int count_flow(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	struct listing *l = arg;
	struct pair *pair, probe = {0};

	if (flow->side != SP_FLOW_ORIGINAL || !flow->translated)
		return 0;
	probe.key.a = address_of(l->daemon, flow);
	probe.key.user_id = flow->user_id;
	if (!probe.key.a)
		return 0;
	HASH_FIND(hh, l->pairs, &probe.key, sizeof(probe.key), pair);
	if (!pair) {
		pair = calloc(1, sizeof(*pair));
		if (!pair)
			return -1;
		pair->key = probe.key;
		HASH_ADD(hh, l->pairs, key, sizeof(pair->key), pair);
	}
	pair->flows++;
	return 0;
}

static json_t *blocks_of(struct sp_daemon *daemon, const struct place *p)
{
	json_t *list = json_array();

	for (uint32_t i = 0; p->of->block && i < p->of->grant_count; i++) {
		const struct sp_nat_grant *g = &p->of->grants[i];

		if (g->address < p->of->address_count && &p->of->addresses[g->address] == p->a)
			json_array_append_new(list, json_pack("{s:s, s:i, s:i}", "user",
							      sp_user_name(daemon, g->user_id),
							      "port_min", (int)g->port_min,
							      "port_max", (int)g->port_max));
	}
	return list;
}

static void list_place(const struct place *p, void *arg)
{
	struct listing *l = arg;
	const struct sp_egress_use *use = p->a->use;
	uint32_t users = 0, flows = 0;
	uint64_t now_ns = sp_clock_now_ns();
	struct pair *pair, *next;
	const char *state;

	HASH_ITER (hh, l->pairs, pair, next) {
		users += pair->key.a == p->a;
		flows += pair->key.a == p->a ? pair->flows : 0;
	}
	state = !p->a->draining ? "active" : flows || used_most(use) ? "draining" : "drained";
	json_array_append_new(
		l->list,
		json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:o, "
			  "s:o}",
			  "pool", p->pool, "address", p->text, "state", state, "port_min",
			  (int)p->a->port_min, "port_max", (int)p->a->port_max, "block",
			  (int)p->of->block, "ports", (int)ports_of(p->a), "tcp",
			  (int)used_of(use, 0), "udp", (int)used_of(use, 1), "icmp",
			  (int)used_of(use, 2), "users", (int)users, "flows", (int)flows, "refused",
			  (json_int_t)use->refused, "refused_s",
			  use->refused_ns ? json_integer((json_int_t)((now_ns - use->refused_ns) /
								      SP_NS_PER_S))
					  : json_null(),
			  "blocks", blocks_of(l->daemon, p)));
}

json_t *sp_show_egress(struct sp_daemon *daemon)
{
	struct listing l = {.daemon = daemon, .list = json_array()};
	struct pair *pair, *next;

	sp_dataplane_flow_each(daemon->dataplane, count_flow, &l);
	each_place(daemon, list_place, &l);
	HASH_ITER (hh, l.pairs, pair, next) {
		HASH_DEL(l.pairs, pair);
		free(pair);
	}
	return l.list;
}

/* --- metrics: all samples of a family stand together --- */

static void add_ports(const struct place *p, void *m)
{
	sp_metrics_sample(m, ports_of(p->a), "pool=\"%s\",address=\"%s\"", p->pool, p->text);
}

static void add_used(const struct place *p, void *m)
{
	for (int s = 0; s < SP_PORT_SPACES; s++)
		sp_metrics_sample(m, used_of(p->a->use, s),
				  "pool=\"%s\",address=\"%s\",protocol=\"%s\"", p->pool, p->text,
				  spaces[s]);
}

static void add_refused(const struct place *p, void *m)
{
	sp_metrics_sample(m, (double)p->a->use->refused, "pool=\"%s\",address=\"%s\"", p->pool,
			  p->text);
}

static void add_draining(const struct place *p, void *m)
{
	sp_metrics_sample(m, p->a->draining, "pool=\"%s\",address=\"%s\"", p->pool, p->text);
}

void sp_egress_add_metrics(struct sp_metrics *m, struct sp_daemon *daemon)
{
	sp_metrics_family(m, "nat_pool_ports", SP_METRIC_GAUGE, "Ports of an egress address.");
	each_place(daemon, add_ports, m);
	sp_metrics_family(m, "nat_pool_ports_used", SP_METRIC_GAUGE,
			  "Ports of an egress address that serve a flow.");
	each_place(daemon, add_used, m);
	sp_metrics_family(m, "nat_pool_refused_total", SP_METRIC_COUNTER,
			  "Flows refused since their user had no port left on it.");
	each_place(daemon, add_refused, m);
	sp_metrics_family(m, "nat_pool_draining", SP_METRIC_GAUGE,
			  "1 if no new flow takes the address.");
	each_place(daemon, add_draining, m);
}
