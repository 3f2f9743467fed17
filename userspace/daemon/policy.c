/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and pools: planned first, then put in force by one generation word. */
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "policy/tests.h"
#include "sallyport/core/addr.h"

/* Where the kernel uses the address too, below its ephemeral ports; else everything unprivileged. */
static const struct sp_config_port_range shared_default = {20000, 32767};
static const struct sp_config_port_range own_default = {1024, 65535};

/* An image holds five windows of a schedule, of which there is one a day at the most. */
#define RENEW_NS       (86400 * SP_NS_PER_S)
#define WARN_RULES_MAX 10000 /* it is compiled a second time: handshakes wait for that */
#define CLOCK_SET_NS   ((int64_t)SP_NS_PER_S)

static int64_t clock_offset_ns(void)
{
	return (int64_t)(sp_clock_realtime_ns() - sp_clock_now_ns());
}

struct hosts {
	struct ifaddrs *list;
};

static void hosts_fini(struct hosts *hosts)
{
	if (hosts->list)
		freeifaddrs(hosts->list);
}

static bool is_host_address(const struct hosts *hosts, const struct sp_addr *addr)
{
	struct sp_sockaddr sa;

	for (const struct ifaddrs *i = hosts->list; i; i = i->ifa_next) {
		if (i->ifa_addr && !sp_sockaddr_from_kernel(i->ifa_addr, &sa) &&
		    sp_addr_equal(&sa.addr, addr))
			return true;
	}
	return false;
}

static char *overlap_text(const struct sp_config_pool *pool, const struct sp_addr *addr,
			  struct sp_config_port_range range, struct sp_config_port_range kernel)
{
	char addr_text[SP_ADDR_TEXT], *text;

	if (asprintf(&text,
		     "%s:%u: egress.%s.ports: found %u-%u, expected a range outside %u-%u: the host "
		     "itself uses those on %s (sysctl net.ipv4.ip_local_port_range)",
		     pool->source.file, pool->source.line, pool->name, range.min, range.max,
		     kernel.min, kernel.max, sp_addr_format(addr, addr_text)) < 0)
		return NULL;
	return text;
}

static int plan_range(const struct sp_config_pool *pool, const struct sp_addr *addr,
		      const struct hosts *hosts, struct sp_config_port_range *ret_range,
		      char **ret_text)
{
	bool shared = is_host_address(hosts, addr);
	struct sp_config_port_range kernel;
	int rc;

	*ret_range = pool->has_ports ? pool->ports : shared ? shared_default : own_default;
	if (!shared)
		return 0;
	rc = sp_ports_ephemeral(&kernel);
	if (rc)
		return rc;
	if (ret_range->max < kernel.min || ret_range->min > kernel.max)
		return 0;
	*ret_text = overlap_text(pool, addr, *ret_range, kernel);
	return -EINVAL;
}

/* What the host listens on, and our own tunnels, which the first time are not open yet. */
static int exclude_listeners(const struct sp_config *config, struct sp_nat_pool *pool)
{
	uint16_t *ports;
	int rc = sp_ports_listening(&pool->excluded, &pool->excluded_count);

	if (rc)
		return rc;
	ports = reallocarray(pool->excluded,
			     (size_t)pool->excluded_count + config->wireguard_count + 1,
			     sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	pool->excluded = ports;
	for (uint32_t i = 0; i < config->wireguard_count; i++)
		ports[pool->excluded_count++] = config->wireguards[i].port;
	return 0;
}

static int plan_pool(const struct sp_config *config, const struct sp_config_pool *from,
		     const struct hosts *hosts, struct sp_policy_plan *plan, struct sp_nat_pool *to,
		     char **ret_text)
{
	to->id = from->id;
	to->route_ipv6 = from->route_ipv6;
	to->addresses = calloc(from->address_count + 1, sizeof(*to->addresses));
	if (!to->addresses)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->address_count; i++) {
		struct sp_config_port_range range;
		int rc = plan_range(from, &from->addresses[i], hosts, &range, ret_text);

		if (rc)
			return rc;
		to->addresses[i] = (struct sp_nat_address){
			.addr = from->addresses[i], .port_min = range.min, .port_max = range.max};
		plan->addresses[plan->address_count++] = (struct sp_paths_pool_address){
			.addr = from->addresses[i], .port_min = range.min, .port_max = range.max};
		to->address_count++;
	}
	return exclude_listeners(config, to);
}

static int plan_pools(struct sp_daemon *daemon, const struct sp_config *config,
		      struct sp_policy_plan *plan, char **ret_text)
{
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	uint32_t addresses = 0;
	int rc = 0;

	if (config->pool_count > SP_NAT_POOL_MAX)
		return -E2BIG;
	if (getifaddrs(&hosts.list) < 0)
		return -errno;
	for (uint32_t i = 0; i < config->pool_count; i++)
		addresses += config->pools[i].address_count;
	plan->addresses = calloc(addresses + 1, sizeof(*plan->addresses));
	plan->pools = calloc(1, sizeof(*plan->pools));
	if (!plan->addresses || !plan->pools)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->pool_count && !rc; i++) {
		plan->pools->count = i + 1;
		rc = plan_pool(config, &config->pools[i], &hosts, plan, &plan->pools->pools[i],
			       ret_text);
	}
	if (!rc)
		rc = sp_egress_plan(daemon, config, plan->pools, ret_text);
	return rc ? rc : sp_egress_copy(plan->pools, &plan->pools_kept);
}

void sp_daemon_warn_policy(const struct sp_daemon *daemon)
{
	struct sp_policy_warnings warnings = {0};

	if (daemon->config->rule_count > WARN_RULES_MAX) {
		sp_info("policy: more than %d rules: `sallyport check` names those that never "
			"decide",
			WARN_RULES_MAX);
		return;
	}
	sp_policy_warn(daemon->config, daemon->shared->policy_nodes_max, &warnings);
	for (uint32_t i = 0; i < warnings.count; i++)
		sp_warning("%s", warnings.list[i]);
	if (warnings.left_out)
		sp_warning("policy: %u more rules never decide", warnings.left_out);
	sp_policy_warnings_fini(&warnings);
}

/* Nobody reads it: the workers have settled, and XDP goes by the generation word. */
int sp_daemon_fill_policy(struct sp_daemon *daemon, struct sp_policy_plan *plan)
{
	struct sp_shared *shared = daemon->shared;
	uint32_t generation = shared->gateway->generation + 1;
	struct sp_policy_node *half =
		shared->policy + (size_t)(generation & 1) * shared->policy_nodes_max;
	int rc;

	if (plan->generation == generation)
		return 0;
	rc = sp_policy_apply(&plan->image, generation, half, shared->policy_nodes_max);
	if (!rc)
		plan->generation = generation;
	return rc;
}

/* Asked of the program that will judge, in the half that it will read. */
int sp_daemon_test_policy(struct sp_daemon *daemon, const struct sp_config *config,
			  struct sp_policy_plan *plan, char **ret_text)
{
	struct sp_config_errors failures = {0};
	int rc = sp_daemon_fill_policy(daemon, plan);
	struct sp_judge judge = {daemon, plan->generation};

	if (rc)
		return rc;
	rc = sp_canary_ask(daemon, plan->generation);
	if (rc) {
		*ret_text =
			strdup("policy: refused: a packet of nobody would be allowed, or cannot "
			       "be asked about");
		return rc;
	}
	rc = sp_policy_test(config, sp_judge_policy, &judge, sp_clock_now_ns(), &failures);
	if (rc == -EINVAL)
		*ret_text = sp_daemon_mistakes(&failures);
	sp_config_errors_fini(&failures);
	return rc;
}

int sp_daemon_plan_policy(struct sp_daemon *daemon, const struct sp_config *config,
			  struct sp_policy_plan *ret_plan, char **ret_text)
{
	uint32_t needed = 0, max = daemon->shared->policy_nodes_max;
	int rc = sp_engine_settle(daemon->engine);

	if (rc) {
		*ret_text =
			strdup("policy: a worker is still busy with the last reload: its CPU is "
			       "starved; try again");
		return rc;
	}
	rc = sp_policy_compile(config, max, &ret_plan->image, &needed);
	if (rc)
		*ret_text = sp_policy_refusal(rc, needed, max);
	return rc ? rc : plan_pools(daemon, config, ret_plan, ret_text);
}

void sp_policy_plan_fini(struct sp_policy_plan *plan)
{
	sp_policy_image_fini(&plan->image);
	sp_nat_pools_close(plan->pools);
	sp_nat_pools_close(plan->pools_kept);
	free(plan->addresses);
	*plan = (struct sp_policy_plan){0};
}

/* The half is filled; let the workers take the pools, then flip the generation word. */
int sp_daemon_commit_policy(struct sp_daemon *daemon, const struct sp_config *config,
			    struct sp_policy_plan *plan)
{
	struct sp_shared *shared = daemon->shared;
	uint32_t generation = shared->gateway->generation + 1;
	int rc = sp_daemon_fill_policy(daemon, plan);

	if (!rc)
		rc = sp_paths_set_pool_addresses(daemon->paths, plan->addresses,
						 plan->address_count);
	if (!rc)
		rc = sp_daemon_put_paths(daemon, config);
	if (!rc)
		rc = sp_zones_put(daemon, config, plan->pools);
	if (!rc)
		rc = sp_engine_publish(daemon->engine, TAKE_PTR(plan->pools), generation);
	/* Out of our hands: what a late worker takes over later must be what is said to be in force. */
	if (rc == -ETIMEDOUT)
		sp_warning("policy: a worker is late in taking over generation %u", generation);
	else if (rc)
		return rc;
	free(daemon->pool_addresses);
	daemon->pool_addresses = TAKE_PTR(plan->addresses);
	daemon->pool_address_count = plan->address_count;
	sp_egress_take_over(daemon, config, TAKE_PTR(plan->pools_kept));
	__atomic_store_n(&shared->gateway->generation, generation, __ATOMIC_RELEASE);
	daemon->compiled_ns = sp_clock_now_ns();
	daemon->compiled_offset_ns = clock_offset_ns();
	sp_canary_check(daemon);
	sp_zones_retire(daemon, config);
	sp_daemon_retire_paths(daemon, config);
	return 0;
}

static bool has_schedules(const struct sp_config *config)
{
	for (uint32_t i = 0; i < config->rule_count; i++) {
		if (sp_policy_is_timed(&config->rules[i]))
			return true;
	}
	return false;
}

static bool was_clock_set(const struct sp_daemon *daemon)
{
	int64_t moved_ns = clock_offset_ns() - daemon->compiled_offset_ns;

	return moved_ns > CLOCK_SET_NS || moved_ns < -CLOCK_SET_NS;
}

void sp_daemon_renew_policy(struct sp_daemon *daemon)
{
	_cleanup_(sp_policy_plan_fini) struct sp_policy_plan plan = {0};
	static struct sp_log_limit limit;
	_cleanup_free_ char *text = NULL;
	int rc;

	if (!has_schedules(daemon->config) ||
	    (sp_clock_now_ns() - daemon->compiled_ns < RENEW_NS && !was_clock_set(daemon)))
		return;
	rc = sp_daemon_plan_policy(daemon, daemon->config, &plan, &text);
	if (!rc)
		rc = sp_daemon_commit_policy(daemon, daemon->config, &plan);
	if (rc)
		sp_log_limited(&limit, SP_LOG_ERROR, "policy: failed to renew schedules: %s",
			       text ? text : strerror(-rc));
	else
		sp_info("policy: schedules renewed, generation %u is in force",
			daemon->shared->gateway->generation);
}

int sp_daemon_restore_pools(struct sp_daemon *daemon)
{
	int rc = sp_daemon_put_paths(daemon, daemon->config);

	sp_daemon_retire_paths(daemon, daemon->config);
	return rc ? rc
		  : sp_paths_set_pool_addresses(daemon->paths, daemon->pool_addresses,
						daemon->pool_address_count);
}
