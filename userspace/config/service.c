/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "config/fields.h"
#include "config/units.h"

#define PORTS_OF_SERVICE_MAX 256

static const char *const protocols[] = {"any", "tcp", "udp", "icmp"};
static const uint8_t protocol_numbers[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

static void read_name(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const char *text = config_setting_get_string(setting);

	if (text && !strcmp(text, "any"))
		sp_config_expected(r, setting, "a name that is not reserved");
	sp_field_name(r, field, setting, object);
}

static void read_protocol(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	static const char expected[] =
		"\"tcp\", \"udp\", \"icmp\", \"any\" or a protocol number from 1 to 255";
	struct sp_config_service *service = object;
	const char *text = config_setting_get_string(setting);
	char hint[SP_CONFIG_HINT];
	int64_t number;

	if (config_setting_is_number(setting)) {
		if (sp_config_number(r, setting, 1, 255, &number)) /* "icmp" is both families' */
			service->proto = number == IPPROTO_ICMPV6 ? IPPROTO_ICMP : (uint8_t)number;
		return;
	}
	for (size_t i = 0; text && i < sizeof(protocols) / sizeof(*protocols); i++) {
		if (!strcmp(text, protocols[i])) {
			service->proto = protocol_numbers[i];
			return;
		}
	}
	sp_config_expected(r, setting, "%s%s", expected,
			   text ? sp_config_words_hint(protocols, 4, text, hint) : "");
}

bool sp_config_ports_read(struct sp_config_reader *r, config_setting_t *setting, void *ret)
{
	static const char expected[] = "a port from 1 to 65535 or a range such as \"8000-8080\"";
	struct sp_config_port_range range;
	const char *text = config_setting_get_string(setting);
	int64_t port;
	int rc;

	if (config_setting_is_number(setting)) {
		if (!sp_config_number(r, setting, 1, 65535, &port))
			return false;
		range.min = range.max = (uint16_t)port;
	} else {
		rc = text ? sp_config_parse_ports(text, &range) : -EINVAL;
		if (rc == -EDOM)
			sp_config_expected(r, setting,
					   "a range whose first port is not above its last");
		else if (rc)
			sp_config_expected(r, setting, "%s", expected);
		if (rc)
			return false;
	}
	memcpy(ret, &range, sizeof(range));
	return true;
}

static void read_ports(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	struct sp_config_service *service = object;

	if (sp_config_list_length(setting))
		sp_config_list_read(r, setting, PORTS_OF_SERVICE_MAX, sizeof(*service->ports),
				    sp_config_ports_read, &service->ports, &service->port_count);
	else
		sp_config_expected(r, setting, "at least one port, or no \"ports\" for all");
}

/* RFC 5508 REQ-1: nothing else of ICMP begins a flow, so a rule for it would never match. */
static void read_types(struct sp_config_reader *r, const struct sp_config_field *field,
		       config_setting_t *setting, void *object)
{
	static const char expected[] = "\"echo-request\", the type that can begin a flow";
	struct sp_config_service *service = object;

	if (!sp_config_list_length(setting))
		sp_config_expected(r, setting, "%s", expected);
	for (uint32_t i = 0; i < sp_config_list_length(setting); i++) {
		config_setting_t *element = sp_config_list_element(setting, i);
		const char *text = sp_config_text(r, element, expected);

		if (text && strcmp(text, "echo-request"))
			sp_config_expected(r, element, "%s", expected);
	}
	service->echo_request = true;
}

static void finish(struct sp_config_reader *r, config_setting_t *setting, void *item)
{
	const struct sp_config_service *service = item;
	config_setting_t *ports = config_setting_get_member(setting, "ports");
	config_setting_t *protocol = config_setting_get_member(setting, "protocol");
	config_setting_t *types = config_setting_get_member(setting, "types");
	bool has_ports = service->proto == IPPROTO_TCP || service->proto == IPPROTO_UDP;

	if (ports && service->port_count && protocol && !has_ports)
		sp_config_mistake(r, ports,
				  "found ports for a protocol without any, expected protocol "
				  "\"tcp\" or \"udp\"");
	if (types && protocol && service->proto != IPPROTO_ICMP)
		sp_config_mistake(r, types,
				  "found types for a protocol without any, expected protocol "
				  "\"icmp\"");
}

#define AT(member) offsetof(struct sp_config_service, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = read_name, .offset = AT(name), .required = true},
	{.key = "protocol", .read = read_protocol, .required = true},
	{.key = "ports", .read = read_ports},
	{.key = "types", .read = read_types},
};

const struct sp_config_section sp_config_services = {
	.key = "services",
	.id = SP_SECTION_SERVICE,
	.space = SP_SECTION_SERVICE,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_SERVICES_MAX,
	.item_bytes = sizeof(struct sp_config_service),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, services),
	.count_offset = offsetof(struct sp_config, service_count),
	.finish = finish,
};
