/* SPDX-License-Identifier: Apache-2.0 */
/* From the running configuration to a new one: what can fail comes first, then nothing can. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "paths/tun.h"
#include "sallyport/core/addr.h"

static bool same_listener(const struct sp_listener_state *l, const struct sp_config_wireguard *c)
{
	return !strcmp(l->name, c->name) && l->port == c->port &&
	       sp_secret_equal(&l->private_key, &c->private_key, sizeof(c->private_key));
}

static struct sp_listener_state *find_listener(struct sp_daemon *daemon,
					       const struct sp_config_wireguard *config)
{
	struct sp_listener_state *l = daemon->listeners;

	while (l && !same_listener(l, config))
		l = l->next;
	return l;
}

static bool is_wanted(const struct sp_listener_state *l, const struct sp_config *config)
{
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		if (same_listener(l, &config->wireguards[i]))
			return true;
	}
	return false;
}

/* A changed key keeps its port: the old socket must go before the new one can be bound. */
static bool port_is_taken_over(struct sp_daemon *daemon, const struct sp_config *config,
			       uint16_t port)
{
	for (struct sp_listener_state *l = daemon->listeners; l; l = l->next) {
		if (l->port == port && !is_wanted(l, config))
			return true;
	}
	return false;
}

static void close_listener_and_peers(struct sp_listener_state *listener)
{
	struct sp_peer_state *peer, *next;
	struct sp_daemon *daemon = listener->daemon;

	HASH_ITER (hh, daemon->peers, peer, next) {
		if (peer->listener == listener)
			sp_peer_close(peer);
	}
	for (uint32_t i = 0; i < listener->address_count; i++) {
		struct sp_prefix host = {.addr = listener->addresses[i].addr, .len = 128};

		sp_dataplane_inner_remove(daemon->dataplane, &host);
		if (daemon->has_tun)
			sp_tun_address_remove(SP_TUN_NAME, &listener->addresses[i]);
	}
	sp_listener_close(listener);
}

static int open_listeners(struct sp_daemon *daemon, const struct sp_config *config, char **ret_text)
{
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];
		struct sp_listener_state *listener = find_listener(daemon, wg);
		int rc;

		if (listener) {
			listener->mtu = wg->mtu;
			continue;
		}
		if (port_is_taken_over(daemon, config, wg->port)) {
			for (struct sp_listener_state *l = daemon->listeners, *next; l; l = next) {
				next = l->next;
				if (l->port == wg->port)
					close_listener_and_peers(l);
			}
		}
		rc = sp_listener_open(daemon, wg, &listener);
		if (rc) {
			if (asprintf(ret_text,
				     "%s:%u: wireguard.%s.port: failed to listen on UDP port %u: %s",
				     wg->source.file, wg->source.line, wg->name, wg->port,
				     strerror(-rc)) < 0)
				*ret_text = NULL;
			return rc;
		}
	}
	return 0;
}

static void close_unwanted_listeners(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_listener_state *next;

	for (struct sp_listener_state *l = daemon->listeners; l; l = next) {
		next = l->next;
		if (!is_wanted(l, config))
			close_listener_and_peers(l);
	}
}

static struct sp_peer_state *find_peer(struct sp_daemon *daemon,
				       const struct sp_config_peer *config)
{
	struct sp_peer_state *peer;

	HASH_FIND(hh, daemon->peers, &config->public_key, sizeof(config->public_key), peer);
	return peer;
}

static const char *peer_failure(int rc)
{
	switch (rc) {
	case -EKEYREJECTED:
		return "its public key is one of the low-order points that RFC 7748 warns of";
	case -ENOSPC:
		return "gateway.sessions_max is reached";
	default:
		return strerror(-rc);
	}
}

static void undo_peers(struct sp_daemon *daemon)
{
	struct sp_peer_state *peer, *next;

	HASH_ITER (hh, daemon->peers, peer, next) {
		if (peer->fresh)
			sp_peer_close(peer);
	}
}

/* New peers first: if one fails, those made in this call go again and all is as before. */
static int open_peers(struct sp_daemon *daemon, const struct sp_config *config, char **ret_text)
{
	struct sp_peer_state *peer, *next;
	uint32_t i;
	int rc = 0;

	HASH_ITER (hh, daemon->peers, peer, next)
		peer->wanted = peer->fresh = false;
	for (i = 0; i < config->peer_count && !rc; i++) {
		const struct sp_config_peer *c = &config->peers[i];
		const struct sp_config_wireguard *wg = &config->wireguards[c->wireguard];

		peer = find_peer(daemon, c);
		if (peer && peer->listener != find_listener(daemon, wg)) {
			sp_peer_close(peer); /* moved to another port: new keys all the same */
			peer = NULL;
		}
		if (peer)
			peer->wanted = true;
		else
			rc = sp_peer_open(daemon, find_listener(daemon, wg),
					  config->users[c->user].id, c);
		if (rc && asprintf(ret_text, "%s:%u: peers.%s: failed to add: %s", c->source.file,
				   c->source.line, c->name, peer_failure(rc)) < 0)
			*ret_text = NULL;
	}
	if (rc)
		undo_peers(daemon);
	return rc;
}

static bool prefix_equal(const struct sp_prefix *a, const struct sp_prefix *b)
{
	return a->len == b->len && sp_addr_equal(&a->addr, &b->addr);
}

static bool holds_prefix(const struct sp_config_peer *config, const struct sp_prefix *prefix)
{
	for (uint32_t i = 0; i < config->address_count; i++) {
		if (prefix_equal(&config->addresses[i], prefix))
			return true;
	}
	return false;
}

/* Cryptokey routing follows in two passes, so that a prefix may move from peer to peer. */
static void release_prefixes(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_peer_state *peer, *next;

	HASH_ITER (hh, daemon->peers, peer, next) {
		if (peer->wanted)
			continue;
		for (uint32_t i = 0; i < peer->address_count; i++)
			sp_dataplane_inner_remove(daemon->dataplane, &peer->addresses[i]);
		sp_peer_close(peer);
	}
	for (uint32_t i = 0; i < config->peer_count; i++) {
		peer = find_peer(daemon, &config->peers[i]);
		for (uint32_t a = 0; peer && a < peer->address_count; a++) {
			if (!holds_prefix(&config->peers[i], &peer->addresses[a]))
				sp_dataplane_inner_remove(daemon->dataplane, &peer->addresses[a]);
		}
	}
}

static int claim_prefixes(struct sp_daemon *daemon, const struct sp_config *config)
{
	int rc = 0;

	for (uint32_t i = 0; i < config->peer_count && !rc; i++) {
		const struct sp_config_peer *c = &config->peers[i];
		struct sp_peer_state *peer = find_peer(daemon, c);
		struct sp_inner inner = {.kind = SP_INNER_PEER, .peer_id = peer->id};

		rc = sp_peer_change(peer, config->users[c->user].id, c);
		for (uint32_t a = 0; a < c->address_count && !rc; a++)
			rc = sp_dataplane_inner_put(daemon->dataplane, &c->addresses[a], &inner);
	}
	return rc;
}

static bool listener_holds(const struct sp_config_wireguard *wg, const struct sp_prefix *prefix)
{
	for (uint32_t i = 0; i < wg->address_count; i++) {
		if (prefix_equal(&wg->addresses[i], prefix))
			return true;
	}
	return false;
}

static int change_gateway_addresses(struct sp_daemon *daemon, struct sp_listener_state *listener,
				    const struct sp_config_wireguard *wg)
{
	struct sp_inner inner = {.kind = SP_INNER_GATEWAY};
	struct sp_prefix *copy = malloc((wg->address_count + 1) * sizeof(*copy));
	int rc = copy ? 0 : -ENOMEM;

	for (uint32_t i = 0; copy && i < listener->address_count; i++) {
		struct sp_prefix host = {.addr = listener->addresses[i].addr, .len = 128};

		if (listener_holds(wg, &listener->addresses[i]))
			continue;
		sp_dataplane_inner_remove(daemon->dataplane, &host);
		if (daemon->has_tun)
			sp_tun_address_remove(SP_TUN_NAME, &listener->addresses[i]);
	}
	for (uint32_t i = 0; i < wg->address_count && !rc; i++) {
		struct sp_prefix host = {.addr = wg->addresses[i].addr, .len = 128};

		copy[i] = wg->addresses[i];
		rc = sp_dataplane_inner_put(daemon->dataplane, &host, &inner);
		if (!rc && daemon->has_tun)
			rc = sp_tun_address_add(SP_TUN_NAME, &wg->addresses[i]);
	}
	if (rc) {
		free(copy);
		return rc;
	}
	free(listener->addresses);
	listener->addresses = copy;
	listener->address_count = wg->address_count;
	return 0;
}

static int apply_gateway_addresses(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_addr list[64];
	uint32_t count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < config->wireguard_count && !rc; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];

		rc = change_gateway_addresses(daemon, find_listener(daemon, wg), wg);
		for (uint32_t a = 0; a < wg->address_count && count < 64; a++)
			list[count++] = wg->addresses[a].addr;
	}
	return rc ? rc : sp_paths_set_inner_addresses(daemon->paths, list, count);
}

static char *text_of(const char *what, int rc)
{
	char *text;

	return asprintf(&text, "failed to %s: %s", what, strerror(-rc)) < 0 ? NULL : text;
}

int sp_daemon_apply(struct sp_daemon *daemon, struct sp_config *config, char **ret_text)
{
	_cleanup_(sp_policy_plan_fini) struct sp_policy_plan plan = {0};
	int rc = sp_daemon_name_users(daemon, config);

	if (!rc)
		rc = sp_daemon_plan_policy(daemon, config, &plan, ret_text);
	if (!rc)
		rc = open_listeners(daemon, config, ret_text);
	if (!rc)
		rc = open_peers(daemon, config, ret_text);
	if (rc)
		return rc;
	release_prefixes(daemon, config);
	close_unwanted_listeners(daemon, config);
	sp_daemon_publish_users(daemon, config);
	rc = apply_gateway_addresses(daemon, config);
	if (!rc)
		rc = claim_prefixes(daemon, config);
	if (!rc)
		rc = sp_daemon_commit_policy(daemon, &plan);
	if (!rc)
		sp_daemon_retire_rules(daemon, config);
	if (rc && !*ret_text)
		*ret_text = text_of("apply the configuration", rc);
	return rc;
}

char *sp_daemon_mistakes(const struct sp_config_errors *errors)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *stream = open_memstream(&text, &bytes);

	if (!stream)
		return NULL;
	for (uint32_t i = 0; i < errors->count; i++)
		fprintf(stream, "%s%s", i ? "\n" : "", errors->list[i].text);
	if (errors->left_out)
		fprintf(stream, "\nand %u more", errors->left_out);
	fclose(stream);
	return text;
}

/* What a running daemon cannot change: said, not silently ignored. */
static void warn_about_restart(const struct sp_config *old, const struct sp_config *new)
{
	const struct sp_config_gateway *a = &old->gateway, *b = &new->gateway;
	bool ifaces = old->iface_count != new->iface_count;

	for (uint32_t i = 0; !ifaces && i < old->iface_count; i++)
		ifaces = strcmp(old->ifaces[i].name, new->ifaces[i].name) ||
			 old->ifaces[i].roles != new->ifaces[i].roles;
	if (ifaces)
		sp_warning("reload: interfaces changed: takes effect at the next restart");
	if (a->workers != b->workers || a->flows_max != b->flows_max ||
	    a->sessions_max != b->sessions_max || a->rules_max != b->rules_max ||
	    a->policy_nodes_max != b->policy_nodes_max || a->attach != b->attach ||
	    strcmp(a->aead, b->aead) || strcmp(a->control_path, b->control_path) ||
	    a->has_metrics != b->has_metrics)
		sp_warning(
			"reload: workers, flows_max, sessions_max, rules_max, policy_nodes_max, attach, aead, control and "
			"metrics take effect at the next restart");
}

int sp_daemon_reload(struct sp_daemon *daemon, char **ret_text)
{
	struct sp_config_errors errors = {0};
	struct sp_config *config = NULL;
	char *text = NULL;
	int rc = sp_config_open(daemon->config_path, &config, &errors);

	if (rc)
		text = sp_daemon_mistakes(&errors);
	else
		rc = sp_daemon_apply(daemon, config, &text);
	sp_config_errors_fini(&errors);
	free(daemon->last_reload.error);
	daemon->last_reload =
		(struct sp_reload_result){.ok = !rc, .at_realtime_ns = sp_clock_realtime_ns()};
	if (rc) {
		sp_error("reload: refused, the running configuration stays: %s",
			 text ? text : strerror(-rc));
		daemon->last_reload.error = text ? strdup(text) : NULL;
		sp_config_close(config);
		*ret_text = text;
		return rc;
	}
	warn_about_restart(daemon->config, config);
	sp_config_close(daemon->config);
	daemon->config = config;
	sp_daemon_warn_policy(daemon);
	sp_info("reload: policy generation %u is in force", daemon->shared->gateway->generation);
	return 0;
}
