/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pick.h"

#include <errno.h>

#include "base/cleanup.h"
#include "sallyport/core/addr.h"

typedef unsigned __int128 number;

struct range {
	number first, last;
};

static number number_of(const struct sp_addr *addr)
{
	number n = 0;

	for (int i = 0; i < 16; i++)
		n = n << 8 | addr->b[i];
	return n;
}

static struct sp_addr addr_of(number n)
{
	struct sp_addr addr;

	for (int i = 15; i >= 0; i--, n >>= 8)
		addr.b[i] = (uint8_t)n;
	return addr;
}

static struct range range_of(const struct sp_addr *addr, unsigned int len)
{
	number hosts = len ? ((number)1 << (128 - len)) - 1 : ~(number)0;
	number n = number_of(addr);

	return (struct range){.first = n & ~hosts, .last = n | hosts};
}

/* What a host can have: not the network's own address, and in IPv4 not the broadcast. */
static struct range hosts_of(const struct sp_prefix *prefix)
{
	struct range range = range_of(&prefix->addr, prefix->len);

	if (prefix->len >= 127)
		return range;
	range.first++; /* RFC 4291 2.6.1: the subnet-router anycast address */
	if (sp_addr_is_v4(&prefix->addr))
		range.last--;
	return range;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

static struct range *collect_used(const struct sp_config *config, size_t *ret_count)
{
	size_t total = 0, n = 0;
	struct range *used;

	for (uint32_t i = 0; i < config->wireguard_count; i++)
		total += config->wireguards[i].address_count;
	for (uint32_t i = 0; i < config->peer_count; i++)
		total += config->peers[i].address_count;
	used = calloc(total + 1, sizeof(*used));
	if (!used)
		return NULL;
	for (uint32_t i = 0; i < config->wireguard_count; i++) {
		for (uint32_t j = 0; j < config->wireguards[i].address_count; j++)
			used[n++] = range_of(&config->wireguards[i].addresses[j].addr, 128);
	}
	for (uint32_t i = 0; i < config->peer_count; i++) {
		for (uint32_t j = 0; j < config->peers[i].address_count; j++)
			used[n++] = range_of(&config->peers[i].addresses[j].addr,
					     config->peers[i].addresses[j].len);
	}
	qsort(used, n, sizeof(*used), compare_ranges);
	*ret_count = n;
	return used;
}

int sp_pick_address(const struct sp_config *config, const struct sp_prefix *prefix,
		    struct sp_addr *ret_addr)
{
	struct range hosts = hosts_of(prefix);
	number candidate = hosts.first;
	size_t count = 0;
	_cleanup_free_ struct range *used = collect_used(config, &count);

	if (!used)
		return -ENOMEM;
	for (size_t i = 0; i < count && used[i].first <= candidate; i++) {
		if (used[i].last < candidate)
			continue;
		if (used[i].last >= hosts.last)
			return -ENOSPC;
		candidate = used[i].last + 1;
	}
	if (candidate > hosts.last)
		return -ENOSPC;
	*ret_addr = addr_of(candidate);
	return 0;
}
