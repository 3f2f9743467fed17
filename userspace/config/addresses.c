/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "sallyport/core/addr.h"

#define V4_BITS 96u /* where IPv4 begins in the 128-bit form */

bool sp_config_prefix_contains(const struct sp_prefix *prefix, const struct sp_addr *addr)
{
	unsigned int bytes = prefix->len / 8, bits = prefix->len % 8;

	if (memcmp(prefix->addr.b, addr->b, bytes))
		return false;
	return !bits || (prefix->addr.b[bytes] ^ addr->b[bytes]) >> (8 - bits) == 0;
}

bool sp_config_addr_is_special(const struct sp_addr *addr)
{
	static const struct sp_addr loopback = {.b = {[15] = 1}}, zero;
	const uint8_t *b = addr->b;

	if (sp_addr_is_v4(addr))
		return b[12] == 0 || b[12] == 127 || (b[12] & 0xf0) == 0xe0 ||
		       (b[12] & b[13] & b[14] & b[15]) == 0xff;
	return b[0] == 0xff || sp_addr_equal(addr, &loopback) || sp_addr_equal(addr, &zero);
}

static bool read_address(struct sp_config_reader *r, config_setting_t *setting, void *ret)
{
	static const char expected[] = "an address of a host such as \"192.0.2.1\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_addr addr;

	if (!text)
		return false;
	if (sp_addr_parse(text, &addr) || sp_config_addr_is_special(&addr)) {
		sp_config_expected(r, setting, "%s", expected);
		return false;
	}
	memcpy(ret, &addr, sizeof(addr));
	return true;
}

SP_FIELD_READER(addresses)
{
	sp_config_list_read(r, setting, (uint32_t)field->max, sizeof(struct sp_addr), read_address,
			    &SP_MEMBER(object, struct sp_addr *, field->offset),
			    &SP_MEMBER(object, uint32_t, field->count_offset));
}

static void mask(struct sp_prefix *prefix)
{
	for (unsigned int bit = prefix->len; bit < 128; bit++)
		prefix->addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

bool sp_config_prefix_read(struct sp_config_reader *r, config_setting_t *setting, void *ret)
{
	static const char expected[] = "an address or a prefix such as \"192.0.2.0/24\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_prefix prefix;
	char masked[SP_PREFIX_TEXT];
	int rc;

	if (!text)
		return false;
	rc = sp_prefix_parse(text, &prefix);
	if (rc == -EDOM && !sp_prefix_parse_host(text, &prefix)) {
		mask(&prefix);
		sp_config_expected(r, setting, "no bits set behind the length: \"%s\"",
				   sp_prefix_format(&prefix, masked));
		return false;
	}
	if (rc) {
		sp_config_expected(r, setting, "%s", expected);
		return false;
	}
	memcpy(ret, &prefix, sizeof(prefix));
	return true;
}

static bool read_own_prefix(struct sp_config_reader *r, config_setting_t *setting, void *ret)
{
	static const char expected[] = "an address with its prefix length such as \"10.9.0.1/24\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_prefix prefix;

	if (!text)
		return false;
	if (sp_prefix_parse_host(text, &prefix) || sp_config_addr_is_special(&prefix.addr)) {
		sp_config_expected(r, setting, "%s", expected);
		return false;
	}
	memcpy(ret, &prefix, sizeof(prefix));
	return true;
}

static bool is_mixed(const struct sp_prefix *prefix)
{
	static const struct sp_addr v4 = {.b = {[10] = 0xff, [11] = 0xff}};

	return prefix->len < V4_BITS && sp_config_prefix_contains(prefix, &v4);
}

/* The prefix that agrees with ::ffff:0:0 up to this bit, and not in it. */
static struct sp_prefix other_half(unsigned int bit)
{
	struct sp_prefix half = {.addr = {.b = {[10] = 0xff, [11] = 0xff}}};

	half.addr.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	half.len = (uint8_t)(bit + 1);
	mask(&half);
	return half;
}

/*
 * "::/0" means every IPv6 address. In the 128-bit form it would mean IPv4 too, so a short IPv6
 * prefix becomes the prefixes around ::ffff:0:0/96.
 */
void sp_config_families_part(struct sp_config_reader *r, struct sp_prefix **list, uint32_t *count)
{
	uint32_t total = 0, n = 0;
	struct sp_prefix *parts;

	for (uint32_t i = 0; i < *count; i++)
		total += is_mixed(&(*list)[i]) ? V4_BITS - (*list)[i].len : 1u;
	if (!total)
		return;
	parts = calloc(total, sizeof(*parts));
	if (!parts) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < *count; i++) {
		const struct sp_prefix *prefix = &(*list)[i];

		if (!is_mixed(prefix))
			parts[n++] = *prefix;
		for (unsigned int bit = prefix->len; is_mixed(prefix) && bit < V4_BITS; bit++)
			parts[n++] = other_half(bit);
	}
	free(*list);
	*list = parts;
	*count = n;
}

SP_FIELD_READER(prefixes)
{
	struct sp_prefix **list = &SP_MEMBER(object, struct sp_prefix *, field->offset);
	uint32_t *count = &SP_MEMBER(object, uint32_t, field->count_offset);

	sp_config_list_read(r, setting, (uint32_t)field->max, sizeof(**list), sp_config_prefix_read,
			    list, count);
	sp_config_families_part(r, list, count);
}

SP_FIELD_READER(own_prefixes)
{
	sp_config_list_read(r, setting, (uint32_t)field->max, sizeof(struct sp_prefix),
			    read_own_prefix, &SP_MEMBER(object, struct sp_prefix *, field->offset),
			    &SP_MEMBER(object, uint32_t, field->count_offset));
}
