/* SPDX-License-Identifier: Apache-2.0 */
/* From the running configuration to a new one in three stages; a failure puts the old one back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/drops.h"
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

static struct sp_peer_state *find_peer(struct sp_daemon *daemon,
				       const struct sp_config_peer *config)
{
	struct sp_peer_state *peer;

	HASH_FIND(hh, daemon->peers, &config->public_key, sizeof(config->public_key), peer);
	return peer;
}

void sp_daemon_mark_peers(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_peer_state *peer, *next;

	HASH_ITER (hh, daemon->peers, peer, next)
		peer->wanted = false;
	for (uint32_t i = 0; i < config->peer_count; i++) {
		peer = find_peer(daemon, &config->peers[i]);
		if (peer &&
		    same_listener(peer->listener, &config->wireguards[config->peers[i].wireguard]))
			peer->wanted = true;
	}
}

/* --- listeners and peers: made in the first stage as far as nothing must make room for them --- */

/* A changed key or name keeps its port: the old socket must go before the new one can be bound. */
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

	HASH_ITER (hh, listener->daemon->peers, peer, next) {
		if (peer->listener == listener)
			sp_peer_close(peer);
	}
	sp_listener_close(listener);
}

static void make_room(struct sp_daemon *daemon, uint16_t port)
{
	for (struct sp_listener_state *l = daemon->listeners, *next; l; l = next) {
		next = l->next;
		if (l->port == port)
			close_listener_and_peers(l);
	}
}

/* may_close: those whose port another one holds, too. */
static int open_listeners(struct sp_daemon *daemon, const struct sp_config *config, bool may_close,
			  char **ret_text)
{
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];
		struct sp_listener_state *listener = find_listener(daemon, wg);
		int rc;

		if (listener && may_close)
			listener->mtu = wg->mtu;
		if (listener)
			continue;
		if (port_is_taken_over(daemon, config, wg->port)) {
			if (!may_close)
				continue;
			make_room(daemon, wg->port);
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

/* may_close: those that move to another listener too; they need new keys all the same. */
static int open_peers(struct sp_daemon *daemon, const struct sp_config *config, bool may_close,
		      char **ret_text)
{
	for (uint32_t i = 0; i < config->peer_count; i++) {
		const struct sp_config_peer *c = &config->peers[i];
		struct sp_listener_state *listener =
			find_listener(daemon, &config->wireguards[c->wireguard]);
		struct sp_peer_state *peer = find_peer(daemon, c);
		int rc;

		if (!listener || (peer && (peer->listener == listener || !may_close)))
			continue;
		if (peer)
			sp_peer_close(peer);
		rc = sp_peer_open(daemon, listener, config->users[c->user].id, c);
		if (rc) {
			if (asprintf(ret_text, "%s:%u: peers.%s: failed to add: %s", c->source.file,
				     c->source.line, c->name, peer_failure(rc)) < 0)
				*ret_text = NULL;
			return rc;
		}
	}
	return 0;
}

/* --- inner prefixes: all that are wanted are put first, then what is left over is removed --- */

struct prefixes {
	struct sp_prefix *list; /* sorted */
	uint32_t count;
};

static void prefixes_fini(struct prefixes *p)
{
	free(p->list);
}

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sp_prefix));
}

/* Peers' prefixes and the gateway's own addresses: together they are what sp_inner holds. */
static int collect_prefixes(const struct sp_config *config, struct prefixes *ret)
{
	uint32_t count = 0, n = 0;

	for (uint32_t i = 0; i < config->peer_count; i++)
		count += config->peers[i].address_count;
	for (uint32_t i = 0; i < config->wireguard_count; i++)
		count += config->wireguards[i].address_count;
	ret->list = calloc(count + 1u, sizeof(*ret->list));
	if (!ret->list)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->peer_count; i++) {
		for (uint32_t a = 0; a < config->peers[i].address_count; a++)
			ret->list[n++] = config->peers[i].addresses[a];
	}
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		for (uint32_t a = 0; a < config->wireguards[i].address_count; a++, n++) {
			ret->list[n].addr = config->wireguards[i].addresses[a].addr;
			ret->list[n].len = 128;
		}
	}
	ret->count = n;
	qsort(ret->list, n, sizeof(*ret->list), compare_prefixes);
	return 0;
}

static bool holds(const struct prefixes *p, const struct sp_prefix *prefix)
{
	return p->count && bsearch(prefix, p->list, p->count, sizeof(*prefix), compare_prefixes);
}

static void release_prefixes(struct sp_daemon *daemon, const struct prefixes *from,
			     const struct prefixes *to)
{
	for (uint32_t i = 0; i < from->count; i++) {
		if (!holds(to, &from->list[i]))
			sp_prefix_release(daemon, &from->list[i]);
	}
}

static int claim_prefixes(struct sp_daemon *daemon, const struct sp_config *config)
{
	int rc = 0;

	for (uint32_t i = 0; i < config->peer_count && !rc; i++) {
		const struct sp_config_peer *c = &config->peers[i];
		struct sp_peer_state *peer = find_peer(daemon, c);

		rc = sp_peer_change(peer, config->users[c->user].id, c);
		for (uint32_t a = 0; a < c->address_count && !rc; a++)
			rc = sp_peer_claim(peer, &c->addresses[a]);
	}
	return rc;
}

/* What peers' routes need not be made for. */
static int copy_addresses(struct sp_listener_state *listener, const struct sp_config_wireguard *wg)
{
	size_t bytes = wg->address_count * sizeof(*listener->addresses);
	struct sp_prefix *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, wg->addresses, bytes);
	free(listener->addresses);
	listener->addresses = copy;
	listener->address_count = wg->address_count;
	return 0;
}

static int add_gateway_addresses(struct sp_daemon *daemon, const struct sp_config *config)
{
	struct sp_inner inner = {.kind = SP_INNER_GATEWAY};
	struct sp_addr list[64];
	uint32_t count = 0;
	int rc = 0;

	for (uint32_t i = 0; i < config->wireguard_count && !rc; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];

		rc = copy_addresses(find_listener(daemon, wg), wg);
		for (uint32_t a = 0; a < wg->address_count && !rc; a++) {
			struct sp_prefix host = {.addr = wg->addresses[a].addr, .len = 128};

			if (count < 64)
				list[count++] = host.addr;
			rc = sp_dataplane_inner_put(daemon->dataplane, &host, &inner);
			if (!rc && daemon->has_tun)
				rc = sp_tun_address_add(SP_TUN_NAME, &wg->addresses[a]);
		}
	}
	return rc ? rc : sp_paths_set_inner_addresses(daemon->paths, list, count);
}

static bool has_gateway_address(const struct sp_config *config, const struct sp_prefix *prefix)
{
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		for (uint32_t a = 0; a < config->wireguards[i].address_count; a++) {
			if (!compare_prefixes(&config->wireguards[i].addresses[a], prefix))
				return true;
		}
	}
	return false;
}

static void remove_gateway_addresses(struct sp_daemon *daemon, const struct sp_config *from,
				     const struct sp_config *to)
{
	for (uint32_t i = 0; daemon->has_tun && i < from->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &from->wireguards[i];

		for (uint32_t a = 0; a < wg->address_count; a++) {
			if (!has_gateway_address(to, &wg->addresses[a]))
				sp_tun_address_remove(SP_TUN_NAME, &wg->addresses[a]);
		}
	}
}

/* --- the stages --- */

struct side {
	const struct sp_config *config; /* NULL: nothing ran before */
	struct prefixes prefixes;
};

static void side_fini(struct side *side)
{
	prefixes_fini(&side->prefixes);
}

/* Whatever can be made beside what runs, and whatever can be refused. */
static int prepare(struct sp_daemon *daemon, struct sp_config *config, struct side *from,
		   struct side *to, struct sp_policy_plan *plan, char **ret_text)
{
	int rc = collect_prefixes(config, &to->prefixes);

	if (!rc && from->config)
		rc = collect_prefixes(from->config, &from->prefixes);
	if (!rc)
		rc = sp_daemon_name_users(daemon, config);
	if (!rc)
		rc = sp_daemon_plan_policy(daemon, config, plan, ret_text);
	/* The way back must not depend on the hour, so what was in force is not tested again. */
	if (!rc && !config->is_tested)
		rc = sp_daemon_test_policy(daemon, config, plan, ret_text);
	if (rc)
		return rc;
	config->is_tested = true;
	rc = open_listeners(daemon, config, false, ret_text);
	return rc ? rc : open_peers(daemon, config, false, ret_text);
}

/* What is seen from outside. What fails here is put back by doing the same with the old one. */
static int take_over(struct sp_daemon *daemon, const struct sp_config *config, char **ret_text)
{
	int rc = open_listeners(daemon, config, true, ret_text);

	if (!rc)
		rc = open_peers(daemon, config, true, ret_text);
	if (rc)
		return rc;
	sp_daemon_publish_users(daemon, config);
	rc = add_gateway_addresses(daemon, config);
	return rc ? rc : claim_prefixes(daemon, config);
}

/* What only from had. Nothing here can fail. from NULL: nothing of it was taken over. */
static void clear_away(struct sp_daemon *daemon, const struct side *from, const struct side *to)
{
	struct sp_listener_state *next_listener;
	struct sp_peer_state *peer, *next;

	if (from && from->config) {
		release_prefixes(daemon, &from->prefixes, &to->prefixes);
		remove_gateway_addresses(daemon, from->config, to->config);
	}
	sp_daemon_mark_peers(daemon, to->config);
	HASH_ITER (hh, daemon->peers, peer, next) {
		if (peer->wanted)
			continue;
		peer->claimed = false; /* released above; what is left is others' now */
		sp_peer_close(peer);
	}
	for (struct sp_listener_state *l = daemon->listeners; l; l = next_listener) {
		next_listener = l->next;
		if (!is_wanted(l, to->config))
			close_listener_and_peers(l);
	}
	sp_daemon_retire_users(daemon, to->config);
	sp_daemon_retire_rules(daemon, to->config);
	daemon->shared->gateway->handshake_cost_ns =
		SP_NS_PER_S / to->config->gateway.handshakes_per_s;
	sp_drops_apply(daemon, to->config);
}

static void put_back(struct sp_daemon *daemon, const struct side *from, const struct side *to,
		     char **text)
{
	_cleanup_free_ char *why = NULL, *first = *text;
	int rc = take_over(daemon, from->config, &why);

	if (!rc)
		rc = sp_daemon_restore_pools(daemon);
	clear_away(daemon, to, from);
	if (!rc) {
		*text = TAKE_PTR(first);
		return;
	}
	sp_error("reload: failed to put the previous configuration back: %s",
		 why ? why : strerror(-rc));
	if (asprintf(text,
		     "%s\nand the previous configuration could not be put back whole (%s): restart "
		     "sallyportd",
		     first ? first : "failed", why ? why : strerror(-rc)) < 0)
		*text = NULL;
}

static int failed(int rc, char **ret_text)
{
	if (!*ret_text &&
	    asprintf(ret_text, "failed to apply the configuration: %s", strerror(-rc)) < 0)
		*ret_text = NULL;
	return rc;
}

int sp_daemon_apply(struct sp_daemon *daemon, const struct sp_config *old, struct sp_config *config,
		    char **ret_text)
{
	_cleanup_(sp_policy_plan_fini) struct sp_policy_plan plan = {0};
	_cleanup_(side_fini) struct side from = {.config = old}, to = {.config = config};
	int rc = prepare(daemon, config, &from, &to, &plan, ret_text);

	if (rc) {
		if (old)
			clear_away(daemon, NULL, &from);
		return failed(rc, ret_text);
	}
	sp_drops_collect(daemon); /* while its rules still have their names and lines */
	rc = take_over(daemon, config, ret_text);
	if (!rc)
		rc = sp_daemon_commit_policy(daemon, config, &plan);
	if (rc) {
		failed(rc, ret_text);
		if (old)
			put_back(daemon, &from, &to, ret_text);
		return rc;
	}
	clear_away(daemon, &from, &to);
	return 0;
}
