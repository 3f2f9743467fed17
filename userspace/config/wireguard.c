/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/fields.h"
#include "config/units.h"

void sp_config_key_read(struct sp_config_reader *r, config_setting_t *setting, const char *path,
			struct sp_key *ret_key)
{
	_cleanup_key_ struct sp_key key;
	struct stat st;
	int rc = 0;

	/* Looked at before it is opened: a pipe would wait for ever. */
	if (stat(path, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EISDIR;
	if (!rc)
		rc = sp_key_read_file(path, &key);
	switch (rc) {
	case 0:
		if (!sp_key_is_zero(&key))
			*ret_key = key;
		else
			sp_config_mistake(r, setting,
					  "found the key 0 in %s, expected a random key", path);
		return;
	case -EPERM:
		sp_config_mistake(r, setting,
				  "found %s readable by others (mode %04o), expected mode 0600: "
				  "chmod 600 %s",
				  path, st.st_mode & 07777, path);
		return;
	case -EINVAL:
		sp_config_mistake(r, setting,
				  "found no key in %s, expected one line of base64 as by wg genkey",
				  path);
		return;
	case -EISDIR:
		sp_config_mistake(r, setting, "found no regular file at %s, expected a key file",
				  path);
		return;
	default:
		sp_config_mistake(r, setting, "found \"%s\" for %s, expected a key file",
				  strerror(-rc), path);
	}
}

static void read_private_key(struct sp_config_reader *r, const struct sp_config_field *field,
			     config_setting_t *setting, void *object)
{
	struct sp_config_wireguard *wg = object;

	sp_field_path(r, field, setting, object);
	if (wg->private_key_file)
		sp_config_key_read(r, setting, wg->private_key_file, &wg->private_key);
}

bool sp_config_endpoint_valid(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct sp_config_port_range port;

	if (!colon || colon == text || strchr(colon, '-') ||
	    sp_config_parse_ports(colon + 1, &port))
		return false;
	for (const char *p = text; *p; p++) {
		if (*p <= ' ' || *p == '/' || *p == 0x7f)
			return false;
	}
	return *text == '[' ? colon[-1] == ']' : strchr(text, ':') == colon;
}

/* For clients: a host name is fine, since it is they who look it up. */
static void read_endpoint(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	struct sp_config_wireguard *wg = object;

	sp_field_string(r, field, setting, object);
	if (wg->endpoint && !sp_config_endpoint_valid(wg->endpoint))
		sp_config_expected(
			r, setting,
			"host:port as clients reach it, such as \"vpn.example.com:51820\"");
}

#define AT(member) offsetof(struct sp_config_wireguard, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name), .required = true},
	{.key = "port",
	 .read = sp_field_u16,
	 .offset = AT(port),
	 .min = 1,
	 .max = 65535,
	 .required = true},
	{.key = "private_key_file",
	 .read = read_private_key,
	 .offset = AT(private_key_file),
	 .required = true},
	{.key = "addresses",
	 .read = sp_field_own_prefixes,
	 .offset = AT(addresses),
	 .count_offset = AT(address_count),
	 .max = 16,
	 .required = true},
	{.key = "mtu", .read = sp_field_u32, .offset = AT(mtu), .min = 1280, .max = 8920},
	{.key = "endpoint", .read = read_endpoint, .offset = AT(endpoint)},
	{.key = "dns",
	 .read = sp_field_addresses,
	 .offset = AT(dns),
	 .count_offset = AT(dns_count),
	 .max = 8},
};

static void init(void *item)
{
	((struct sp_config_wireguard *)item)->mtu = 1420; /* 1500 - IPv6 40, UDP 8, WireGuard 32 */
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	config_setting_t *addresses = config_setting_get_member(setting, "addresses");

	if (addresses && !sp_config_list_length(addresses))
		sp_config_expected(r, addresses, "at least one inner address of the gateway");
}

const struct sp_config_section sp_config_wireguards = {
	.key = "wireguard",
	.id = SP_SECTION_WIREGUARD,
	.space = SP_SECTION_WIREGUARD,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_WIREGUARDS_MAX,
	.item_bytes = sizeof(struct sp_config_wireguard),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, wireguards),
	.count_offset = offsetof(struct sp_config, wireguard_count),
	.init = init,
	.finish = finish,
};
