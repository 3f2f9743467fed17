/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/fields.h"
#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

config_setting_t *sp_config_place_of(const struct sp_config_reader *r, enum sp_config_section_id id,
				     uint32_t index, const char *key)
{
	config_setting_t *item = r->items[id][index];
	config_setting_t *member =
		config_setting_is_group(item) ? config_setting_get_member(item, key) : NULL;

	return member ? member : item;
}

/* A peer's prefix or its key (as a prefix of its first bytes would not do: whole), to be sorted. */
struct owned {
	uint8_t bytes[SP_KEY_BYTES];
	uint32_t owner; /* index of the peer */
};

static int compare_owned(const void *a, const void *b)
{
	const struct owned *x = a, *y = b;
	int order = memcmp(x->bytes, y->bytes, sizeof(x->bytes));

	if (order)
		return order;
	return x->owner < y->owner ? -1 : x->owner > y->owner;
}

static void record_twins(struct sp_config_reader *r, struct owned *list, uint32_t count,
			 const char *key)
{
	const struct sp_config *config = r->config;
	char text[SP_PREFIX_TEXT] = "a public key";

	qsort(list, count, sizeof(*list), compare_owned);
	for (uint32_t i = 1, first = 0; i < count; i++) {
		const struct sp_config_peer *other;
		struct sp_prefix prefix;

		if (memcmp(list[first].bytes, list[i].bytes, sizeof(list[i].bytes))) {
			first = i;
			continue;
		}
		other = &config->peers[list[first].owner];
		if (!strcmp(key, "addresses")) {
			memcpy(&prefix, list[i].bytes, sizeof(prefix));
			sp_prefix_format(&prefix, text);
		}
		sp_config_mistake(r, sp_config_place_of(r, SP_SECTION_PEER, list[i].owner, key),
				  "found %s, expected one that no other peer has (%s at %s:%u)",
				  text, other->name ? other->name : "a peer", other->source.file,
				  other->source.line);
	}
}

static void check_public_keys(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;
	_cleanup_free_ struct owned *list = calloc(config->peer_count + 1, sizeof(*list));
	uint32_t n = 0;

	if (!list) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < config->peer_count; i++) {
		if (sp_key_is_zero(&config->peers[i].public_key))
			continue; /* already a mistake */
		memcpy(list[n].bytes, config->peers[i].public_key.b, SP_KEY_BYTES);
		list[n++].owner = i;
	}
	record_twins(r, list, n, "public_key");
}

/* The same prefix twice would make the route to it a matter of luck; a longer one is a choice. */
static void check_inner_prefixes(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;
	_cleanup_free_ struct owned *list = NULL;
	uint32_t total = 0, n = 0;

	for (uint32_t i = 0; i < config->peer_count; i++)
		total += config->peers[i].address_count;
	list = calloc(total + 1, sizeof(*list));
	if (!list) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < config->peer_count; i++) {
		for (uint32_t j = 0; j < config->peers[i].address_count; j++, n++) {
			memcpy(list[n].bytes, &config->peers[i].addresses[j],
			       sizeof(struct sp_prefix));
			list[n].owner = i;
		}
	}
	record_twins(r, list, n, "addresses");
}

static void check_against_gateway(struct sp_config_reader *r, uint32_t peer,
				  const struct sp_prefix *prefix)
{
	char text[SP_PREFIX_TEXT], own[SP_ADDR_TEXT];

	if (prefix->len && sp_config_addr_is_special(&prefix->addr) &&
	    !(sp_addr_is_v4(&prefix->addr) && prefix->len == 96)) {
		sp_config_mistake(r, sp_config_place_of(r, SP_SECTION_PEER, peer, "addresses"),
				  "found %s, expected addresses that a host can have",
				  sp_prefix_format(prefix, text));
		return;
	}
	for (uint32_t w = 0; w < r->config->wireguard_count; w++) {
		const struct sp_config_wireguard *wg = &r->config->wireguards[w];

		for (uint32_t a = 0; a < wg->address_count; a++) {
			if (!sp_config_prefix_contains(prefix, &wg->addresses[a].addr))
				continue;
			sp_config_mistake(r,
					  sp_config_place_of(r, SP_SECTION_PEER, peer, "addresses"),
					  "found %s, expected addresses without %s, which is the "
					  "gateway's own",
					  sp_prefix_format(prefix, text),
					  sp_addr_format(&wg->addresses[a].addr, own));
		}
	}
}

static void check_peers(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;

	if (config->peer_count > config->gateway.sessions_max)
		sp_config_mistake(r, r->items[SP_SECTION_PEER][config->gateway.sessions_max],
				  "found %u peers, expected at most gateway.sessions_max = %u",
				  config->peer_count, config->gateway.sessions_max);
	check_public_keys(r);
	check_inner_prefixes(r);
	for (uint32_t i = 0; i < config->peer_count; i++) {
		for (uint32_t j = 0; j < config->peers[i].address_count; j++)
			check_against_gateway(r, i, &config->peers[i].addresses[j]);
	}
}

static void check_own_addresses(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config_wireguard *wgs = r->config->wireguards;
	char text[SP_ADDR_TEXT];

	for (uint32_t a = 0; a < wgs[index].address_count; a++) {
		const struct sp_addr *addr = &wgs[index].addresses[a].addr;

		for (uint32_t w = 0; w <= index; w++) {
			for (uint32_t b = 0; b < (w == index ? a : wgs[w].address_count); b++) {
				if (!sp_addr_equal(addr, &wgs[w].addresses[b].addr))
					continue;
				sp_config_mistake(
					r,
					sp_config_place_of(r, SP_SECTION_WIREGUARD, index,
							   "addresses"),
					"found %s twice, expected each inner address once",
					sp_addr_format(addr, text));
			}
		}
	}
}

static void check_wireguards(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;

	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		const struct sp_config_wireguard *wg = &config->wireguards[i];

		check_own_addresses(r, i);
		for (uint32_t j = 0; j < i; j++) {
			const struct sp_config_wireguard *other = &config->wireguards[j];

			if (wg->port && wg->port == other->port)
				sp_config_mistake(
					r, sp_config_place_of(r, SP_SECTION_WIREGUARD, i, "port"),
					"found %u, expected a port that no other "
					"listener has (line %u)",
					wg->port, other->source.line);
			if (!sp_key_is_zero(&wg->private_key) &&
			    sp_secret_equal(&wg->private_key, &other->private_key,
					    sizeof(wg->private_key)))
				sp_config_mistake(
					r,
					sp_config_place_of(r, SP_SECTION_WIREGUARD, i,
							   "private_key_file"),
					"found the key of another listener (line %u), expected "
					"a key of its own",
					other->source.line);
		}
	}
}

static void check_ifaces(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;
	uint32_t roles = 0;

	if (r->incomplete)
		return;
	for (uint32_t i = 0; i < config->iface_count; i++)
		roles |= config->ifaces[i].roles;
	if (!config->iface_count)
		sp_config_mistake_at(r, r->files[0], 0,
				     "interfaces: found none, expected at least one");
	else if (config->wireguard_count && !(roles & SP_ROLE_TUNNEL))
		sp_config_mistake(r, r->items[SP_SECTION_WIREGUARD][0],
				  "found no interface with the role \"tunnel\", expected one for "
				  "the listener");
}

static bool ports_overlap(const struct sp_config_pool *a, const struct sp_config_pool *b)
{
	return !a->has_ports || !b->has_ports ||
	       (a->ports.min <= b->ports.max && b->ports.min <= a->ports.max);
}

static bool is_inner_address(const struct sp_config *config, const struct sp_addr *addr)
{
	for (uint32_t w = 0; w < config->wireguard_count; w++) {
		for (uint32_t a = 0; a < config->wireguards[w].address_count; a++) {
			if (sp_addr_equal(addr, &config->wireguards[w].addresses[a].addr))
				return true;
		}
	}
	return false;
}

static bool pool_has(const struct sp_config_pool *pool, uint32_t count, const struct sp_addr *addr)
{
	for (uint32_t i = 0; i < count; i++) {
		if (sp_addr_equal(&pool->addresses[i], addr))
			return true;
	}
	return false;
}

/* An address and port may be given out by one pool only. */
static void check_pool(struct sp_config_reader *r, uint32_t index)
{
	const struct sp_config_pool *pool = &r->config->pools[index];
	config_setting_t *place = sp_config_place_of(r, SP_SECTION_POOL, index, "addresses");
	char text[SP_ADDR_TEXT];

	for (uint32_t a = 0; a < pool->address_count; a++) {
		const struct sp_addr *addr = &pool->addresses[a];

		sp_addr_format(addr, text);
		if (is_inner_address(r->config, addr))
			sp_config_mistake(r, place,
					  "found %s, which is an inner address of the gateway, "
					  "expected one of the outside",
					  text);
		if (pool_has(pool, a, addr))
			sp_config_mistake(r, place, "found %s twice, expected it once", text);
		for (uint32_t o = 0; o < index; o++) {
			const struct sp_config_pool *other = &r->config->pools[o];

			if (pool_has(other, other->address_count, addr) &&
			    ports_overlap(pool, other))
				sp_config_mistake(r, place,
						  "found %s with ports of pool %s, expected "
						  "another address or other ports",
						  text, other->name ? other->name : "?");
		}
	}
}

static void check_rules(struct sp_config_reader *r)
{
	const struct sp_config *config = r->config;

	if (config->rule_count > config->gateway.rules_max)
		sp_config_mistake(r, r->items[SP_SECTION_RULE][config->gateway.rules_max],
				  "found %u rules, expected at most gateway.rules_max = %u",
				  config->rule_count, config->gateway.rules_max);
}

void sp_config_check(struct sp_config_reader *r)
{
	for (int id = 0; id < SP_SECTION_COUNT; id++)
		sp_config_names_check(r, &r->names[id]);
	check_ifaces(r);
	check_wireguards(r);
	check_peers(r);
	for (uint32_t i = 0; i < r->config->pool_count; i++)
		check_pool(r, i);
	sp_config_check_paths(r);
	check_rules(r);
}
