/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which the daemon comes up: closed first, open last; and the way back. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cap-ng.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/egress.h"
#include "daemon/records.h"
#include "daemon/drops.h"
#include "dataplane/plain.h"
#include "paths/tun.h"
#include "sallyport/core/addr.h"

#define WORKER_FRAMES 8192
#define INDEX_ROOM    6 /* local indexes a peer: four keypairs, and handshakes under way */

static int open_dataplane(struct sp_daemon *daemon)
{
	const struct sp_config_gateway *gateway = &daemon->config->gateway;
	struct sp_dataplane_config config = {.pin_dir = daemon->pin_dir,
					     .flows_max = gateway->flows_max,
					     .sessions_max = gateway->sessions_max * INDEX_ROOM,
					     .users_max = gateway->sessions_max +
							  SP_CONFIG_ZONES_MAX + 2,
					     .policy_nodes_max = gateway->policy_nodes_max,
					     .rules_max = 2 * gateway->rules_max,
					     .workers = SP_WORKER_MAX};
	int rc = sp_dataplane_open(&config, &daemon->dataplane);

	if (rc) {
		sp_error("sallyportd: failed to load the data plane: %s%s", strerror(-rc),
			 rc == -EPROTO
				 ? "; `sallyportd -u` removes what is pinned, then start again"
			 : rc == -EBUSY ? " (is another sallyportd running?)"
					: "");
		return rc;
	}
	daemon->shared = sp_dataplane_shared(daemon->dataplane);
	rc = sp_dataplane_forget(daemon->dataplane);
	if (rc) {
		sp_error("sallyportd: failed to clear what an earlier run left: %s", strerror(-rc));
		return rc;
	}
	return sp_dataplane_is_adopted(daemon->dataplane) ? sp_daemon_import_users(daemon) : 0;
}

/* The kernel must not forward beside us: XDP is the only way through. */
static int forbid_forwarding(const char *ifname)
{
	static const char *const families[] = {"ipv4", "ipv6"};
	char path[128];

	for (unsigned int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = -1;

		snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", families[i],
			 ifname);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* a kernel without this family */
		if (fd < 0 || write(fd, "0", 1) != 1) {
			sp_error("sallyportd: failed to switch off %s: %s", path, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/* Nobody but us is behind the TUN device: no link-local address, no router to ask for. */
static void quiet_tun(void)
{
	static const char *const settings[][2] = {{"addr_gen_mode", "1"},
						  {"router_solicitations", "0"}};
	char path[128];

	for (unsigned int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = -1;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", SP_TUN_NAME,
			 settings[i][0]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, settings[i][1], 1) != 1)
			sp_debug("sallyportd: failed to set %s: %s", path, strerror(errno));
	}
}

static int open_iface(struct sp_daemon *daemon, const struct sp_config_iface *config)
{
	struct sp_engine_iface *entry = &daemon->ifaces[daemon->iface_count];
	uint32_t slot = daemon->iface_count;
	int rc = sp_paths_iface_probe(config->name, &entry->ifindex, &entry->iface);

	if (rc) {
		sp_error("%s:%u: interfaces.%s: failed to find it: %s", config->source.file,
			 config->source.line, config->name, strerror(-rc));
		return rc;
	}
	entry->iface.roles = config->roles;
	entry->iface.slot = slot;
	entry->iface.xsk_base = slot * SP_QUEUE_MAX;
	daemon->iface_count++;
	rc = forbid_forwarding(config->name);
	if (rc)
		return rc;
	rc = sp_dataplane_dev_put(daemon->dataplane, slot, entry->ifindex);
	if (!rc)
		rc = sp_dataplane_iface_put(daemon->dataplane, entry->ifindex, &entry->iface);
	return rc ? rc : sp_paths_iface_add(daemon->paths, entry->ifindex, &entry->iface);
}

/* Closed while it is attached: gateway->open is set when everything else stands. */
static int attach_iface(struct sp_daemon *daemon, uint32_t slot)
{
	struct sp_engine_iface *entry = &daemon->ifaces[slot];
	int rc = sp_dataplane_attach(daemon->dataplane, &entry->iface, entry->ifindex,
				     (enum sp_attach_mode)daemon->config->gateway.attach,
				     &daemon->attached[slot]);

	if (rc)
		sp_error("sallyportd: failed to attach to %s: %s", entry->iface.name,
			 strerror(-rc));
	else if (daemon->attached[slot].mode == SP_ATTACH_GENERIC)
		sp_warning("sallyportd: %s runs in generic mode, slowly: %s", entry->iface.name,
			   daemon->attached[slot].reason);
	return rc;
}

static int open_paths(struct sp_daemon *daemon)
{
	static const struct sp_paths_upcalls upcalls;
	const struct sp_config *config = daemon->config;
	int rc = sp_paths_open(daemon->dataplane, &upcalls, daemon, &daemon->paths);

	for (uint32_t i = 0; i < config->iface_count && !rc; i++)
		rc = open_iface(daemon, &config->ifaces[i]);
	if (!rc)
		rc = sp_paths_sync(daemon->paths);
	for (uint32_t i = 0; i < daemon->iface_count && !rc; i++)
		rc = attach_iface(daemon, i);
	return rc;
}

static uint32_t choose_workers(const struct sp_daemon *daemon)
{
	uint32_t workers = SP_WORKER_MAX;

	for (uint32_t i = 0; i < daemon->iface_count; i++) {
		if (daemon->ifaces[i].iface.queues < workers)
			workers = daemon->ifaces[i].iface.queues;
	}
	if (daemon->config->gateway.workers && daemon->config->gateway.workers < workers)
		workers = daemon->config->gateway.workers;
	return workers ? workers : 1;
}

/* The last CPUs first: CPU 0 has the loop and most interrupts. One CPU: nothing to pin. */
static void choose_cpus(uint32_t workers, int *ret_cpus)
{
	cpu_set_t allowed;
	uint32_t k = 0;

	for (uint32_t i = 0; i < SP_WORKER_MAX; i++)
		ret_cpus[i] = -1;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) < 2)
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && k < workers; cpu--) {
		if (CPU_ISSET(cpu, &allowed))
			ret_cpus[k++] = cpu;
	}
}

static int open_tun(struct sp_daemon *daemon)
{
	int rc;

	if (!daemon->config->wireguard_count)
		return 0;
	rc = sp_tun_open(SP_TUN_NAME, daemon->workers, daemon->tun_fds);
	if (rc) {
		sp_error("sallyportd: failed to make the TUN device %s: %s", SP_TUN_NAME,
			 strerror(-rc));
		return rc;
	}
	daemon->has_tun = true;
	quiet_tun();
	rc = forbid_forwarding(SP_TUN_NAME);
	return rc ? rc : sp_tun_up(SP_TUN_NAME, daemon->config->wireguards[0].mtu);
}

static int open_aead(struct sp_daemon *daemon)
{
	const char *name = daemon->config->gateway.aead;
	int rc = sp_aead_select(sp_aead_backends, name, &daemon->aead_ops, daemon->aead_text);

	if (rc == -ENOENT) {
		sp_error("sallyportd: gateway.aead: this build has no back end \"%s\"", name);
		return rc;
	}
	if (rc) {
		sp_error("sallyportd: gateway.aead: failed to use \"%s\": %s", name,
			 rc == -EBADMSG ? "wrong answers in its self-test" : strerror(-rc));
		return rc;
	}
	sp_info("sallyportd: AEAD by %s: %s", daemon->aead_ops->name, daemon->aead_text);
	return daemon->aead_ops->open(&daemon->aead);
}

/* ICMP answers to users come from the gateway's first inner address of the family. */
static void choose_icmp_sources(const struct sp_config *config, struct sp_engine_config *engine)
{
	static const struct sp_addr none;

	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];

		for (uint32_t a = 0; a < wg->address_count; a++) {
			const struct sp_addr *addr = &wg->addresses[a].addr;
			struct sp_addr *source = sp_addr_is_v4(addr) ? &engine->icmp_source_v4
								     : &engine->icmp_source_v6;

			if (sp_addr_equal(source, &none))
				*source = *addr;
		}
	}
}

static int open_engine(struct sp_daemon *daemon)
{
	const struct sp_config_gateway *gateway = &daemon->config->gateway;
	struct sp_engine_config config = {.workers = daemon->workers,
					  .ifaces = daemon->ifaces,
					  .iface_count = daemon->iface_count,
					  .frames = WORKER_FRAMES,
					  .flows_max = gateway->flows_max / daemon->workers,
					  .records_max = daemon->records ? SP_RECORDS_RING : 0,
					  .nat_slices = daemon->shared->gateway->nat_slices,
					  .aead = daemon->aead_ops,
					  .transmit = (enum sp_engine_transmit)gateway->transmit,
					  .dataplane = daemon->dataplane,
					  .sessions = daemon->sessions,
					  .tun_fds = daemon->has_tun ? daemon->tun_fds : NULL};
	int rc;

	choose_cpus(daemon->workers, config.cpus);
	choose_icmp_sources(daemon->config, &config);
	rc = sp_engine_open(&config, &daemon->engine);
	if (rc)
		sp_error("sallyportd: failed to open the engine: %s", strerror(-rc));
	return rc;
}

static int open_sessions(struct sp_daemon *daemon)
{
	uint32_t max = daemon->config->gateway.sessions_max;

	daemon->peer_limit = max;
	daemon->peers_by_id = calloc(max + 1, sizeof(*daemon->peers_by_id));
	if (!daemon->peers_by_id)
		return -ENOMEM;
	return sp_sessions_open(max, max * INDEX_ROOM, daemon->workers, &daemon->sessions);
}

static bool has_dispatcher(const struct sp_daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->iface_count; i++) {
		if (daemon->attached[i].dispatcher)
			return true;
	}
	return false;
}

/*
 * What is left is what later work needs: maps, routes, raw sockets, binding a new port. To leave
 * libxdp's dispatcher again it must open programs by their ids, which takes CAP_SYS_ADMIN.
 */
static int drop_capabilities(const struct sp_daemon *daemon)
{
	const capng_type_t both = (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
	int rc;

	capng_clear(CAPNG_SELECT_BOTH);
	rc = capng_updatev(CAPNG_ADD, both, CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE,
			   CAP_BPF, CAP_PERFMON, CAP_IPC_LOCK, -1);
	if (!rc && has_dispatcher(daemon))
		rc = capng_update(CAPNG_ADD, both, CAP_SYS_ADMIN);
	if (rc < 0 || capng_apply(CAPNG_SELECT_BOTH) < 0) {
		sp_error("sallyportd: failed to give up capabilities");
		return -EPERM;
	}
	return 0;
}

static void init_gateway(struct sp_daemon *daemon)
{
	struct sp_gateway *gateway = daemon->shared->gateway;
	uint32_t per_s = daemon->config->gateway.handshakes_per_s;

	gateway->workers = daemon->workers;
	gateway->handshake_cost_ns = SP_NS_PER_S / (per_s ? per_s : 1);
	gateway->handshake_burst_ns = SP_NS_PER_S;
	gateway->started_ns = daemon->started_ns;
}

/* The socket's folder, where systemd did not make it. */
static int make_parent(const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!dir)
		return -ENOMEM;
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_control(struct sp_daemon *daemon)
{
	const struct sp_config_gateway *gateway = &daemon->config->gateway;
	int rc = make_parent(gateway->control_path);

	if (!rc)
		rc = sp_control_open(daemon->loop, gateway->control_path, sp_daemon_on_request,
				     daemon, &daemon->control);
	if (rc) {
		sp_error("sallyportd: failed to listen on %s: %s%s", gateway->control_path,
			 strerror(-rc),
			 rc == -EADDRINUSE ? " (is another sallyportd running?)" : "");
		return rc;
	}
	if (!gateway->has_metrics)
		return 0;
	rc = sp_exporter_open(daemon->loop, &gateway->metrics, sp_daemon_metrics, daemon,
			      &daemon->exporter);
	if (rc)
		sp_error("sallyportd: failed to serve metrics: %s", strerror(-rc));
	return rc;
}

static int load_config(struct sp_daemon *daemon)
{
	struct sp_config_errors errors = {0};
	int rc = sp_config_open(daemon->config_path, &daemon->config, &errors);

	for (uint32_t i = 0; i < errors.count; i++)
		sp_error("%s", errors.list[i].text);
	if (rc && !errors.count)
		sp_error("sallyportd: failed to read %s: %s", daemon->config_path, strerror(-rc));
	sp_config_errors_fini(&errors);
	if (!rc)
		sp_daemon_choose_start(daemon);
	return rc;
}

static int apply_first(struct sp_daemon *daemon)
{
	_cleanup_free_ char *text = NULL;
	int rc = sp_daemon_apply(daemon, NULL, daemon->config, &text);

	if (rc)
		sp_error("%s", text ? text : strerror(-rc));
	else
		sp_daemon_record_start(daemon);
	daemon->last_reload =
		(struct sp_reload_result){.ok = !rc, .at_realtime_ns = sp_clock_realtime_ns()};
	return rc;
}

int sp_daemon_open(struct sp_daemon *daemon, const char *config_path, const char *pin_dir)
{
	int rc;

	*daemon = (struct sp_daemon){.loop = ev_default_loop(EVFLAG_AUTO),
				     .config_path = config_path,
				     .pin_dir = pin_dir,
				     .started_ns = sp_clock_now_ns()};
	if ((rc = load_config(daemon)) || (rc = open_control(daemon)) ||
	    (rc = open_dataplane(daemon)) || (rc = open_paths(daemon)))
		return rc;
	daemon->workers = choose_workers(daemon);
	init_gateway(daemon);
	sp_daemon_open_records(daemon);
	sp_daemon_open_questions(daemon);
	if ((rc = sp_egress_open(daemon)) || (rc = sp_plain_open(daemon)) ||
	    (rc = open_tun(daemon)) || (rc = open_aead(daemon)) || (rc = open_sessions(daemon)) ||
	    (rc = open_engine(daemon)) || (rc = sp_drops_open(daemon)) ||
	    (rc = apply_first(daemon)) || (rc = drop_capabilities(daemon)) ||
	    (rc = sp_engine_start(daemon->engine)))
		return rc;
	sp_daemon_watch(daemon);
	if (daemon->canary.failures)
		return -EPERM;
	__atomic_store_n(&daemon->shared->gateway->open, 1, __ATOMIC_RELEASE);
	return 0;
}

static void close_peers_and_listeners(struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;
	struct sp_user_state *user, *next_user;

	HASH_ITER (hh, daemon->peers, peer, next)
		sp_peer_close(peer);
	while (daemon->listeners)
		sp_listener_close(daemon->listeners);
	HASH_ITER (hh, daemon->users, user, next_user) {
		HASH_DEL(daemon->users, user);
		free(user);
	}
	sp_daemon_forget_rules(daemon);
}

void sp_daemon_close(struct sp_daemon *daemon)
{
	if (daemon->shared)
		__atomic_store_n(&daemon->shared->gateway->open, 0, __ATOMIC_RELEASE);
	sp_daemon_forget_trial(daemon);
	sp_exporter_close(daemon->exporter);
	sp_control_close(daemon->control);
	if (daemon->engine) {
		sp_daemon_unwatch(daemon);
		sp_engine_stop(daemon->engine);
	}
	sp_daemon_close_questions(daemon);
	sp_daemon_close_records(daemon);
	sp_drops_close(daemon);
	close_peers_and_listeners(daemon);
	sp_engine_close(daemon->engine);
	sp_sessions_close(daemon->sessions);
	if (daemon->aead)
		daemon->aead_ops->close(daemon->aead);
	for (uint32_t k = 0; daemon->has_tun && k < daemon->workers; k++)
		close(daemon->tun_fds[k]);
	sp_paths_close(daemon->paths);
	sp_plain_close(daemon);
	sp_egress_close(daemon);
	if (daemon->dataplane)
		sp_dataplane_remove(daemon->dataplane);
	sp_dataplane_close(daemon->dataplane);
	sp_history_close(daemon->history);
	sp_config_close(daemon->config);
	free(daemon->pool_addresses);
	free(daemon->last_reload.error);
	free(daemon->peers_by_id);
	free(daemon->records_dir);
}
