/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/fields.h"

/* Users share their name space with groups, and a group is not a person. */
static void read_user(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const struct sp_config_name *name = sp_config_refer(r, setting, SP_SECTION_USER, "a user");
	struct sp_config_peer *peer = object;

	if (!name)
		return;
	if (name->section != SP_SECTION_USER)
		sp_config_mistake(r, setting, "found the group \"%s\", expected the name of a user",
				  name->text);
	else if (r->config->users[name->index].is_zone)
		sp_config_mistake(r, setting, "found the zone \"%s\", expected the name of a user",
				  name->text);
	else
		peer->user = name->index;
}

static void read_wireguard(struct sp_config_reader *r, const struct sp_config_field *field,
			   config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_WIREGUARD, "a wireguard listener");

	if (name)
		((struct sp_config_peer *)object)->wireguard = name->index;
}

static void read_public_key(struct sp_config_reader *r, const struct sp_config_field *field,
			    config_setting_t *setting, void *object)
{
	static const char expected[] = "a public key: 44 characters of base64 as by wg pubkey";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_config_peer *peer = object;

	if (text && (sp_key_parse(text, &peer->public_key) || sp_key_is_zero(&peer->public_key)))
		sp_config_expected(r, setting, "%s", expected);
}

static void read_preshared_key(struct sp_config_reader *r, const struct sp_config_field *field,
			       config_setting_t *setting, void *object)
{
	const char *text = sp_config_text(r, setting, "a path in quotes");
	struct sp_config_peer *peer = object;
	_cleanup_free_ char *path = NULL;

	if (!text)
		return;
	path = sp_config_path(r, setting, text);
	if (path)
		sp_config_key_read(r, setting, path, &peer->preshared_key);
	peer->has_preshared_key = true;
}

static void read_endpoint(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	static const char expected[] = "an address and port such as \"203.0.113.9:51820\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_config_peer *peer = object;
	struct sp_sockaddr sa;

	if (!text)
		return;
	if (sp_sockaddr_parse(text, &sa) || sp_config_addr_is_special(&sa.addr)) {
		sp_config_expected(r, setting, "%s", expected);
		return;
	}
	peer->endpoint = sa;
	peer->has_endpoint = true;
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	config_setting_t *addresses = config_setting_get_member(setting, "addresses");

	if (addresses && !sp_config_list_length(addresses))
		sp_config_expected(r, addresses, "at least one inner address of the peer");
	if (config_setting_get_member(setting, "wireguard") || r->incomplete)
		return;
	if (r->config->wireguard_count > 1)
		sp_config_mistake(r, setting,
				  "found no \"wireguard\", expected one: there are %u listeners",
				  r->config->wireguard_count);
	else if (!r->config->wireguard_count)
		sp_config_mistake(r, setting,
				  "found a peer without a listener, expected a wireguard section");
}

#define AT(member) offsetof(struct sp_config_peer, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name), .required = true},
	{.key = "user", .read = read_user, .required = true},
	{.key = "wireguard", .read = read_wireguard},
	{.key = "public_key", .read = read_public_key, .required = true},
	{.key = "preshared_key_file", .read = read_preshared_key},
	{.key = "addresses",
	 .read = sp_field_prefixes,
	 .offset = AT(addresses),
	 .count_offset = AT(address_count),
	 .max = 256,
	 .required = true},
	{.key = "endpoint", .read = read_endpoint},
	{.key = "keepalive", .read = sp_field_u16, .offset = AT(keepalive_s), .max = 65535},
};

const struct sp_config_section sp_config_peers = {
	.key = "peers",
	.id = SP_SECTION_PEER,
	.space = SP_SECTION_PEER,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_SESSIONS_MAX,
	.item_bytes = sizeof(struct sp_config_peer),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, peers),
	.count_offset = offsetof(struct sp_config, peer_count),
	.finish = finish,
};
