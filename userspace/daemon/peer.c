/* SPDX-License-Identifier: Apache-2.0 */
/* Where the pure WireGuard machine meets sockets, sessions and maps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "paths/tun.h"
#include "sallyport/core/route.h"

#define KEEPALIVE_BYTES (SP_WG_DATA_HEADER + SP_AEAD_TAG_BYTES)

/* --- upcalls of the WireGuard machine: arg is the listener, peer_arg the peer --- */

static void on_send(void *arg, const struct sp_wg_address *to, const void *bytes, size_t len)
{
	sp_listener_send(arg, to, bytes, len);
}

static int on_reserve_index(void *arg, uint32_t *ret_index)
{
	struct sp_listener_state *listener = arg;

	return sp_keypair_reserve_index(listener->daemon->sessions, ret_index);
}

static void on_release_index(void *arg, uint32_t index)
{
	struct sp_listener_state *listener = arg;

	sp_keypair_release_index(listener->daemon->sessions, index);
}

static struct sp_keypair_state *keypair_slot(struct sp_peer_state *peer, uint32_t local_index)
{
	for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++) {
		if (peer->keypairs[i].local_index == local_index)
			return &peer->keypairs[i];
	}
	return NULL;
}

static void on_install(void *arg, void *peer_arg, const struct sp_wg_transport *transport)
{
	struct sp_listener_state *listener = arg;
	struct sp_daemon *daemon = listener->daemon;
	struct sp_peer_state *peer = peer_arg;
	struct sp_keypair_state *slot = keypair_slot(peer, 0);
	struct sp_keypair_material material = {.local_index = transport->local_index,
					       .remote_index = transport->remote_index,
					       .initiator = transport->initiator,
					       .born_ns = transport->born_ns,
					       .receive = transport->receive,
					       .send = transport->send};
	struct sp_session session = {.state = SP_SESSION_FULL,
				     .protocol = SP_TUNNEL_WIREGUARD,
				     .peer_id = peer->id,
				     .user_id = peer->user_id,
				     .valid_until_ns = transport->born_ns + SP_WG_REJECT_AFTER_NS};
	struct sp_keypair *keypair;
	int rc;

	rc = sp_keypair_install(daemon->sessions, peer->session, &material, &keypair);
	sp_key_wipe(&material.receive);
	sp_key_wipe(&material.send);
	if (!rc)
		rc = sp_dataplane_session_put(daemon->dataplane, transport->local_index, &session);
	if (rc)
		sp_error("session: failed to install keys of peer %s: %s", peer->name,
			 strerror(-rc));
	if (slot)
		*slot = (struct sp_keypair_state){.local_index = transport->local_index,
						  .initiator = transport->initiator,
						  .born_ns = transport->born_ns};
}

static void on_remove(void *arg, void *peer_arg, uint32_t local_index)
{
	struct sp_listener_state *listener = arg;
	struct sp_peer_state *peer = peer_arg;
	struct sp_keypair_state *slot = keypair_slot(peer, local_index);

	sp_dataplane_session_remove(listener->daemon->dataplane, local_index);
	sp_keypair_remove(listener->daemon->sessions, local_index);
	if (slot)
		*slot = (struct sp_keypair_state){0};
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static bool current_endpoint(struct sp_peer_state *peer, struct sp_wg_address *ret_address)
{
	struct sp_endpoint endpoint;

	if (sp_peer_endpoint_get(peer->session, &endpoint) && endpoint.remote_port_be) {
		*ret_address = (struct sp_wg_address){
			.remote = {.addr = endpoint.remote, .port_be = endpoint.remote_port_be},
			.local = {.addr = endpoint.local, .port_be = endpoint.local_port_be}};
		return true;
	}
	if (!peer->has_endpoint)
		return false;
	*ret_address = (struct sp_wg_address){.remote = peer->endpoint};
	return true;
}

static bool on_where(void *arg, void *peer_arg, struct sp_wg_address *ret_address)
{
	return current_endpoint(peer_arg, ret_address);
}

/* An empty data packet (paper, 5.4.6 and 6.5), through the socket: rare, so not a worker's job. */
static void on_keepalive(void *arg, void *peer_arg)
{
	struct sp_listener_state *listener = arg;
	struct sp_peer_state *peer = peer_arg;
	struct sp_daemon *daemon = listener->daemon;
	struct sp_keypair *keypair = atomic_load(&peer->session->sending);
	uint64_t now_ns = sp_clock_now_ns(), counter;
	uint8_t bytes[KEEPALIVE_BYTES] = {SP_WG_DATA};
	struct sp_aead_job job = {.data = bytes + SP_WG_DATA_HEADER};
	struct sp_wg_address to;

	if (!keypair || now_ns >= keypair->reject_ns || !current_endpoint(peer, &to))
		return;
	counter = atomic_fetch_add(&keypair->send_counter, 1);
	if (counter >= SP_WG_REJECT_AFTER_MESSAGES)
		return;
	put_le32(bytes + 4, keypair->remote_index);
	put_le32(bytes + 8, (uint32_t)counter);
	put_le32(bytes + 12, (uint32_t)(counter >> 32));
	job.key = &keypair->send;
	sp_aead_nonce_counter(job.nonce, counter);
	daemon->aead_ops->seal_batch(daemon->aead, &job, 1);
	sp_listener_send(listener, &to, bytes, sizeof(bytes));
	atomic_store(&peer->session->any_sent_ns, now_ns);
	atomic_store(&peer->session->first_unacked_ns, 0);
	atomic_fetch_add(&peer->session->sent_packets, 1);
	atomic_fetch_add(&peer->session->sent_bytes, sizeof(bytes));
}

/* The link addresses of a new endpoint: from routes now, or from its first data packet later. */
static void find_link(struct sp_daemon *daemon, struct sp_endpoint *endpoint)
{
	struct sp_nexthop nexthop;

	endpoint->slot = SP_ENDPOINT_NO_LINK;
	if (sp_paths_lookup(daemon->paths, &endpoint->remote, &nexthop))
		return;
	memcpy(endpoint->dmac, nexthop.dmac, sizeof(endpoint->dmac));
	memcpy(endpoint->smac, nexthop.smac, sizeof(endpoint->smac));
	endpoint->slot = nexthop.slot;
}

static void on_endpoint(void *arg, void *peer_arg, const struct sp_wg_address *from)
{
	struct sp_listener_state *listener = arg;
	struct sp_peer_state *peer = peer_arg;
	struct sp_endpoint old, fresh = {.remote = from->remote.addr,
					 .local = from->local.addr,
					 .remote_port_be = from->remote.port_be,
					 .local_port_be = from->local.port_be};

	if (sp_peer_endpoint_get(peer->session, &old) && old.slot != SP_ENDPOINT_NO_LINK &&
	    old.remote_port_be == fresh.remote_port_be &&
	    sp_addr_equal(&old.remote, &fresh.remote) && sp_addr_equal(&old.local, &fresh.local))
		return;
	find_link(listener->daemon, &fresh);
	sp_peer_endpoint_set(peer->session, &fresh);
}

static void on_random(void *arg, void *bytes, size_t len)
{
	/* Short reads happen only above 256 bytes; failure only before the pool is seeded. */
	while (getrandom(bytes, len, 0) != (ssize_t)len)
		;
}

static uint64_t on_realtime(void *arg)
{
	return sp_clock_realtime_ns();
}

const struct sp_wg_upcalls sp_peer_upcalls = {
	.send = on_send,
	.reserve_index = on_reserve_index,
	.release_index = on_release_index,
	.install = on_install,
	.remove = on_remove,
	.keepalive = on_keepalive,
	.endpoint = on_endpoint,
	.where = on_where,
	.random = on_random,
	.realtime_ns = on_realtime,
};

/* --- life of a peer --- */

struct sp_peer_state *sp_peer_by_id(struct sp_daemon *daemon, uint32_t id)
{
	return id && id <= daemon->peer_limit ? daemon->peers_by_id[id] : NULL;
}

static uint32_t free_peer_id(const struct sp_daemon *daemon)
{
	for (uint32_t id = 1; id <= daemon->peer_limit; id++) {
		if (!daemon->peers_by_id[id])
			return id;
	}
	return 0;
}

static struct sp_wg_peer_config machine_config(const struct sp_config_peer *config)
{
	struct sp_wg_peer_config wg = {.public_key = config->public_key,
				       .keepalive_s = config->keepalive_s};

	if (config->has_preshared_key)
		wg.preshared_key = config->preshared_key;
	return wg;
}

/* The networks of the gateway's own addresses have routes already. */
static bool is_covered(const struct sp_listener_state *listener, const struct sp_prefix *prefix)
{
	for (uint32_t i = 0; i < listener->address_count; i++) {
		if (listener->addresses[i].len <= prefix->len &&
		    sp_prefix_contains(&listener->addresses[i], &prefix->addr))
			return true;
	}
	return false;
}

/* Everything there is: the peer gets no route, the host would lose its own. */
static bool is_default(const struct sp_prefix *prefix)
{
	return prefix->len == 0 || (prefix->len == 96 && sp_addr_is_v4(&prefix->addr));
}

int sp_peer_claim(struct sp_peer_state *peer, const struct sp_prefix *prefix)
{
	const struct sp_inner inner = {.kind = SP_INNER_PEER, .peer_id = peer->id};
	struct sp_daemon *daemon = peer->listener->daemon;
	char text[SP_PREFIX_TEXT];
	int rc = sp_dataplane_inner_put(daemon->dataplane, prefix, &inner);

	peer->claimed |= !rc;
	if (rc || !daemon->has_tun || is_default(prefix) || is_covered(peer->listener, prefix))
		return rc;
	rc = sp_tun_route_add(SP_TUN_NAME, prefix);
	if (rc && rc != -EEXIST)
		sp_warning("peer %s: failed to add a route to %s: %s", peer->name,
			   sp_prefix_format(prefix, text), strerror(-rc));
	return 0;
}

void sp_peer_release(struct sp_peer_state *peer, const struct sp_prefix *prefix)
{
	struct sp_daemon *daemon = peer->listener->daemon;

	sp_dataplane_inner_remove(daemon->dataplane, prefix);
	if (daemon->has_tun && !is_default(prefix) && !is_covered(peer->listener, prefix))
		sp_tun_route_remove(SP_TUN_NAME, prefix);
}

void sp_prefix_release(struct sp_daemon *daemon, const struct sp_prefix *prefix)
{
	bool has_route = daemon->has_tun && !is_default(prefix);

	for (const struct sp_listener_state *l = daemon->listeners; l && has_route; l = l->next)
		has_route = !is_covered(l, prefix);
	sp_dataplane_inner_remove(daemon->dataplane, prefix);
	if (has_route)
		sp_tun_route_remove(SP_TUN_NAME, prefix);
}

static int copy_settings(struct sp_peer_state *peer, const struct sp_config_peer *config)
{
	char *name = strdup(config->name);
	size_t bytes = config->address_count * sizeof(*peer->addresses);
	struct sp_prefix *addresses = malloc(bytes ? bytes : 1);

	if (!name || !addresses) {
		free(name);
		free(addresses);
		return -ENOMEM;
	}
	memcpy(addresses, config->addresses, bytes);
	free(peer->name);
	free(peer->addresses);
	peer->name = name;
	peer->addresses = addresses;
	peer->address_count = config->address_count;
	peer->has_endpoint = config->has_endpoint;
	peer->endpoint = config->endpoint;
	peer->keepalive_s = config->keepalive_s;
	return 0;
}

int sp_peer_open(struct sp_daemon *daemon, struct sp_listener_state *listener, uint32_t user_id,
		 const struct sp_config_peer *config)
{
	struct sp_peer_state *peer = calloc(1, sizeof(*peer));
	struct sp_wg_peer_config wg = machine_config(config);
	int rc = -ENOMEM;

	if (!peer)
		return -ENOMEM;
	peer->listener = listener;
	peer->user_id = user_id;
	peer->public_key = config->public_key;
	peer->id = free_peer_id(daemon);
	if (!peer->id) {
		rc = -ENOSPC;
		goto undo_alloc;
	}
	rc = copy_settings(peer, config);
	if (rc)
		goto undo_alloc;
	rc = sp_peer_add(daemon->sessions, peer->id, user_id, listener->id, listener->mtu,
			 &peer->session);
	if (rc)
		goto undo_settings;
	rc = sp_wg_peer_add(listener->device, &wg, peer, &peer->wg);
	sp_key_wipe(&wg.preshared_key);
	if (rc)
		goto undo_session;
	peer->wanted = true;
	daemon->peers_by_id[peer->id] = peer;
	HASH_ADD(hh, daemon->peers, public_key, sizeof(peer->public_key), peer);
	return 0;

undo_session:
	sp_peer_remove(daemon->sessions, peer->id);
undo_settings:
	free(peer->name);
	free(peer->addresses);
undo_alloc:
	free(peer);
	return rc;
}

void sp_peer_close(struct sp_peer_state *peer)
{
	struct sp_daemon *daemon = peer->listener->daemon;

	HASH_DEL(daemon->peers, peer);
	daemon->peers_by_id[peer->id] = NULL;
	/* The id will be another peer's: nothing may lead to it any more. */
	for (uint32_t i = 0; peer->claimed && i < peer->address_count; i++)
		sp_peer_release(peer, &peer->addresses[i]);
	sp_wg_peer_remove(peer->wg); /* upcalls take its sessions out of XDP's sight first */
	sp_peer_remove(daemon->sessions, peer->id);
	sp_flows_remove_peer(daemon->dataplane, peer->id);
	free(peer->name);
	free(peer->addresses);
	free(peer);
}

int sp_peer_change(struct sp_peer_state *peer, uint32_t user_id,
		   const struct sp_config_peer *config)
{
	struct sp_wg_peer_config wg = machine_config(config);
	struct sp_dataplane *dp = peer->listener->daemon->dataplane;
	struct sp_session session;
	int rc = copy_settings(peer, config);

	if (rc)
		return rc;
	sp_wg_peer_set(peer->wg, &wg);
	sp_key_wipe(&wg.preshared_key);
	peer->due_ns = 0; /* a keepalive may be asked for now */
	peer->session->mtu = peer->listener->mtu;
	if (peer->user_id == user_id)
		return 0;
	peer->user_id = user_id;
	peer->session->user_id = user_id;
	for (int i = 0; i < SP_KEYPAIRS_PER_PEER; i++) {
		uint32_t index = peer->keypairs[i].local_index;

		if (!index || sp_dataplane_session_lookup(dp, index, &session))
			continue;
		session.user_id = user_id;
		sp_dataplane_session_put(dp, index, &session);
	}
	return 0;
}

void sp_peer_advance(struct sp_peer_state *peer, uint64_t now_ns)
{
	struct sp_peer *session = peer->session;
	struct sp_keypair *sending = atomic_load(&session->sending);
	struct sp_wg_traffic traffic = {
		.data_received_ns = atomic_load(&session->data_received_ns),
		.any_received_ns = atomic_load(&session->any_received_ns),
		.data_sent_ns = atomic_load(&session->data_sent_ns),
		.any_sent_ns = atomic_load(&session->any_sent_ns),
		.first_unanswered_ns = atomic_load(&session->first_unanswered_ns),
		.first_unacked_ns = atomic_load(&session->first_unacked_ns),
		.send_counter = sending ? atomic_load(&sending->send_counter) : 0,
	};

	peer->due_ns = sp_wg_peer_advance(peer->wg, now_ns, &traffic);
}
