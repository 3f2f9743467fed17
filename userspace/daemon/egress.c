/* SPDX-License-Identifier: Apache-2.0 */
/* Egress pools: who gets what of them, what is taken, and what is said about that. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "sallyport/core/addr.h"

/* --- who may use a pool --- */

static bool rule_uses(const struct sp_config *config, const struct sp_config_rule *rule,
		      uint32_t pool)
{
	if (!rule->allow || rule->shadow)
		return false;
	if (rule->pool != UINT32_MAX)
		return rule->pool == pool;
	for (uint32_t i = 0; i < rule->path_count; i++) {
		if (config->paths[rule->paths[i]].pool == pool)
			return true;
	}
	return !rule->path_count && pool == 0;
}

/* Also as a fall-back of another, or of that one's. */
static bool is_used(const struct sp_config *config, const struct sp_config_rule *rule,
		    uint32_t pool)
{
	for (uint32_t p = 0; p < config->pool_count; p++) {
		uint32_t at = p;

		if (!rule_uses(config, rule, p))
			continue;
		for (int i = 0; i < SP_NAT_FALLBACKS_MAX && at != UINT32_MAX; i++) {
			if (at == pool)
				return true;
			at = config->pools[at].fallback;
		}
	}
	return false;
}

static void mark_users(const struct sp_config *config, const struct sp_config_rule *rule,
		       bool *users)
{
	for (uint32_t u = 0; u < config->user_count; u++) {
		const struct sp_config_user *user = &config->users[u];

		if (rule->from_any)
			users[u] = true;
		for (uint32_t g = 0; g < user->group_count && !users[u]; g++) {
			for (uint32_t i = 0; i < rule->group_count && !users[u]; i++)
				users[u] = rule->groups[i] == user->groups[g];
		}
	}
	for (uint32_t i = 0; i < rule->user_count; i++)
		users[rule->users[i]] = true;
}

static struct sp_nat_wish wish_of(const struct sp_config_user *user)
{
	struct sp_nat_wish wish = {.user_id = user->id};

	for (uint32_t i = 0; i < user->egress_count; i++) {
		if (sp_addr_is_v4(&user->egress[i])) {
			wish.has_v4 = true;
			wish.v4 = user->egress[i];
		} else {
			wish.has_v6 = true;
			wish.v6 = user->egress[i];
		}
	}
	return wish;
}

static int compare_wishes(const void *a, const void *b)
{
	const struct sp_nat_wish *x = a, *y = b;

	return x->user_id < y->user_id ? -1 : x->user_id > y->user_id;
}

/* Of a pool with blocks, all who may use it; of others, those with an address of their own. */
static int collect_wishes(const struct sp_config *config, uint32_t pool,
			  struct sp_nat_wish **ret_wishes, uint32_t *ret_count)
{
	_cleanup_free_ bool *users = calloc(config->user_count + 1u, sizeof(*users));
	struct sp_nat_wish *wishes = calloc(config->user_count + 1u, sizeof(*wishes));
	uint32_t count = 0;

	if (!users || !wishes) {
		free(wishes);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < config->rule_count && config->pools[pool].block; i++) {
		if (is_used(config, &config->rules[i], pool))
			mark_users(config, &config->rules[i], users);
	}
	for (uint32_t i = 0; i < config->user_count; i++) {
		if (users[i] || (!config->pools[pool].block && config->users[i].egress_count))
			wishes[count++] = wish_of(&config->users[i]);
	}
	qsort(wishes, count, sizeof(*wishes), compare_wishes);
	*ret_wishes = wishes;
	*ret_count = count;
	return 0;
}

/* What the pool of that name had dealt out, in the configuration in force. */
static const struct sp_nat_pool *pool_before(const struct sp_daemon *daemon, const char *name)
{
	const struct sp_egress_state *state = daemon->egress;

	for (uint32_t i = 0; state && state->pools && i < state->pools->count; i++) {
		if (!strcmp(state->names[i], name))
			return &state->pools->pools[i];
	}
	return NULL;
}

static int grant(struct sp_daemon *daemon, const struct sp_config *config, uint32_t index,
		 struct sp_nat_pool *pool, char **ret_text)
{
	const struct sp_config_pool *from = &config->pools[index];
	_cleanup_free_ struct sp_nat_wish *wishes = NULL;
	uint32_t count = 0, room = 0;
	int rc = collect_wishes(config, index, &wishes, &count);

	if (!rc)
		rc = sp_nat_pool_grant(pool, wishes, count, pool_before(daemon, from->name), &room);
	if (rc == -ENOSPC &&
	    asprintf(
		    ret_text,
		    "%s:%u: egress.%s.block: found %u users and zones whose rules leave by it, "
		    "expected at most %u of one family: so many blocks of %u ports do its addresses "
		    "hold that do not drain, or fewer of the one that a user's egress names",
		    from->source.file, from->source.line, from->name, count, room, from->block) < 0)
		*ret_text = NULL;
	return rc == -ENOSPC ? -EINVAL : rc;
}

static bool is_draining(const struct sp_config_pool *pool, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < pool->drain_count; i++) {
		if (sp_addr_equal(&pool->drain[i], addr))
			return true;
	}
	return pool->state == 1;
}

/* --- where it is counted --- */

static bool is_idle(const struct sp_egress_use *use)
{
	uint32_t sum = 0;

	for (int s = 0; s < SP_PORT_SPACES; s++)
		sum += use->used[s] + use->plain[s];
	return !sum;
}

static bool is_listed(const struct sp_daemon *daemon, const struct sp_egress_use *use)
{
	const struct sp_egress_state *state = daemon->egress;

	for (uint32_t i = 0; state->pools && i < state->pools->count; i++) {
		const struct sp_nat_pool *pool = &state->pools->pools[i];

		for (uint32_t a = 0; a < pool->address_count; a++) {
			if (pool->addresses[a].use == use)
				return true;
		}
	}
	return false;
}

/* The same address and range keep their place, and what was counted there. NULL: all are taken. */
static struct sp_egress_use *use_for(struct sp_daemon *daemon, const struct sp_nat_address *a)
{
	struct sp_egress_use *uses = daemon->shared->egress_use, *unused = NULL;

	for (uint32_t id = 1; id < SP_EGRESS_USE_MAX; id++) {
		if (!uses[id].port_max) { /* they are given out in order: behind it none is */
			unused = unused ? unused : &uses[id];
			break;
		}
		if (uses[id].port_min == a->port_min && uses[id].port_max == a->port_max &&
		    sp_addr_equal(&uses[id].addr, &a->addr))
			return &uses[id];
		if (!unused && is_idle(&uses[id]) && !is_listed(daemon, &uses[id]))
			unused = &uses[id];
	}
	if (unused)
		*unused = (struct sp_egress_use){
			.addr = a->addr, .port_min = a->port_min, .port_max = a->port_max};
	return unused;
}

int sp_egress_plan(struct sp_daemon *daemon, const struct sp_config *config,
		   struct sp_nat_pools *pools, char **ret_text)
{
	int rc = 0;

	for (uint32_t i = 0; i < pools->count && !rc; i++) {
		const struct sp_config_pool *from = &config->pools[i];
		struct sp_nat_pool *pool = &pools->pools[i];

		pool->block = (uint16_t)from->block;
		if (from->fallback != UINT32_MAX)
			pool->fallback = config->pools[from->fallback].id;
		for (uint32_t a = 0; a < pool->address_count; a++) {
			pool->addresses[a].draining = is_draining(from, &pool->addresses[a].addr);
			pool->addresses[a].use = use_for(daemon, &pool->addresses[a]);
			if (pool->addresses[a].use)
				pool->addresses[a].use->pool_id = pool->id;
		}
		rc = grant(daemon, config, i, pool, ret_text);
	}
	return rc;
}

/* --- what is in force --- */

static void names_free(struct sp_egress_state *state)
{
	for (uint32_t i = 0; state->pools && i < state->pools->count; i++)
		free(state->names[i]);
}

static void *copy_of(const void *from, size_t bytes)
{
	void *copy = malloc(bytes ? bytes : 1);

	if (copy && bytes)
		memcpy(copy, from, bytes);
	return copy;
}

int sp_egress_copy(const struct sp_nat_pools *pools, struct sp_nat_pools **ret_copy)
{
	struct sp_nat_pools *copy = calloc(1, sizeof(*copy));
	int rc = copy ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < pools->count && !rc; i++) {
		const struct sp_nat_pool *from = &pools->pools[i];
		struct sp_nat_pool *to = &copy->pools[copy->count++];

		*to = *from;
		to->excluded = NULL;
		to->excluded_count = 0;
		to->addresses =
			copy_of(from->addresses, from->address_count * sizeof(*from->addresses));
		to->grants = copy_of(from->grants, from->grant_count * sizeof(*from->grants));
		rc = to->addresses && to->grants ? 0 : -ENOMEM;
	}
	if (rc)
		sp_nat_pools_close(copy);
	else
		*ret_copy = copy;
	return rc;
}

void sp_egress_take_over(struct sp_daemon *daemon, const struct sp_config *config,
			 struct sp_nat_pools *pools)
{
	struct sp_egress_state *state = daemon->egress;

	names_free(state);
	sp_nat_pools_close(state->pools);
	state->pools = pools;
	for (uint32_t i = 0; i < pools->count; i++)
		state->names[i] = strdup(config->pools[i].name);
	for (uint32_t id = 0; id < SP_EGRESS_USE_MAX; id++)
		state->said[id].drained = false;
}

int sp_egress_open(struct sp_daemon *daemon)
{
	struct sp_egress_use *uses = daemon->shared->egress_use;

	daemon->egress = calloc(1, sizeof(*daemon->egress));
	if (!daemon->egress)
		return -ENOMEM;
	/* Bindings of workers died with them; those of XDP will be counted. */
	for (uint32_t id = 1; id < SP_EGRESS_USE_MAX; id++) {
		memset(uses[id].used, 0, sizeof(uses[id].used));
		memset(uses[id].plain, 0, sizeof(uses[id].plain));
		daemon->egress->said[id].refused = uses[id].refused;
	}
	return 0;
}

void sp_egress_close(struct sp_daemon *daemon)
{
	if (!daemon->egress)
		return;
	names_free(daemon->egress);
	sp_nat_pools_close(daemon->egress->pools);
	free(daemon->egress);
	daemon->egress = NULL;
}

/* --- ports of XDP, counted by the sweep --- */

void sp_egress_count_port(struct sp_daemon *daemon, const struct sp_addr *addr, uint16_t port,
			  unsigned int space)
{
	struct sp_egress_state *state = daemon->egress;

	for (uint32_t i = 0; state->pools && i < state->pools->count; i++) {
		const struct sp_nat_pool *pool = &state->pools->pools[i];

		for (uint32_t a = 0; a < pool->address_count; a++) {
			const struct sp_nat_address *at = &pool->addresses[a];

			if (!at->use || port < at->port_min || port > at->port_max ||
			    !sp_addr_equal(&at->addr, addr))
				continue;
			state->counting[at->use - daemon->shared->egress_use][space]++;
			return;
		}
	}
}

void sp_egress_count_done(struct sp_daemon *daemon)
{
	struct sp_egress_state *state = daemon->egress;

	for (uint32_t id = 1; id < SP_EGRESS_USE_MAX; id++)
		memcpy(daemon->shared->egress_use[id].plain, state->counting[id],
		       sizeof(state->counting[id]));
	memset(state->counting, 0, sizeof(state->counting));
}
