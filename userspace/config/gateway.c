/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "config/fields.h"
#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

static const char *const attach_modes[] = {"auto", "native", "generic", NULL};
static const char *const transmit_ways[] = {"auto", "af_xdp", "gso", NULL};

/* Metrics name users' habits: never on an address that others reach. */
static void read_metrics(struct sp_config_reader *r, const struct sp_config_field *field,
			 config_setting_t *setting, void *object)
{
	static const char expected[] = "a loopback address and port such as \"127.0.0.1:9586\"";
	static const struct sp_addr v6_loopback = {.b = {[15] = 1}};
	struct sp_config_gateway *gateway = object;
	const char *text = sp_config_text(r, setting, expected);
	struct sp_sockaddr sa;

	if (!text)
		return;
	if (sp_sockaddr_parse(text, &sa) || !(sp_addr_equal(&sa.addr, &v6_loopback) ||
					      (sp_addr_is_v4(&sa.addr) && sa.addr.b[12] == 127))) {
		sp_config_expected(r, setting, "%s", expected);
		return;
	}
	gateway->metrics = sa;
	gateway->has_metrics = true;
}

/* Read before everything else, when conf.d was looked for: only its form is judged here. */
static void read_conf_dir(struct sp_config_reader *r, const struct sp_config_field *field,
			  config_setting_t *setting, void *object)
{
	const char *text = sp_config_text(r, setting, "a path in quotes");

	if (text && !*text)
		sp_config_expected(r, setting, "the path of a directory");
}

#define AT(member) offsetof(struct sp_config_gateway, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name)},
	{.key = "control", .read = sp_field_path, .offset = AT(control_path)},
	{.key = "state_dir", .read = sp_field_path, .offset = AT(state_dir)},
	{.key = "conf_dir", .read = read_conf_dir},
	{.key = "metrics", .read = read_metrics},
	{.key = "workers", .read = sp_field_u32, .offset = AT(workers), .max = SP_WORKER_MAX},
	{.key = "flows_max",
	 .read = sp_field_u32,
	 .offset = AT(flows_max),
	 .min = 1024,
	 .max = SP_CONFIG_FLOWS_MAX},
	{.key = "sessions_max",
	 .read = sp_field_u32,
	 .offset = AT(sessions_max),
	 .min = 16,
	 .max = SP_CONFIG_SESSIONS_MAX},
	{.key = "attach", .read = sp_field_choice, .offset = AT(attach), .choices = attach_modes},
	{.key = "handshakes_per_s",
	 .read = sp_field_u32,
	 .offset = AT(handshakes_per_s),
	 .min = 1,
	 .max = 1000000},
	{.key = "rules_max",
	 .read = sp_field_u32,
	 .offset = AT(rules_max),
	 .min = 16,
	 .max = SP_CONFIG_RULES_MAX},
	{.key = "policy_nodes_max",
	 .read = sp_field_u32,
	 .offset = AT(policy_nodes_max),
	 .min = 1024,
	 .max = SP_CONFIG_POLICY_NODES_MAX},
	{.key = "records", .read = sp_config_records_read, .offset = AT(records)},
	{.key = "drop_events", .read = sp_field_u32, .offset = AT(drop_events), .max = 10000},
	{.key = "log_drops", .read = sp_field_u32, .offset = AT(log_drops), .max = 1000},
	{.key = "geoip", .read = sp_field_path, .offset = AT(geoip)},
	{.key = "aead", .read = sp_field_name, .offset = AT(aead)},
	{.key = "transmit",
	 .read = sp_field_choice,
	 .offset = AT(transmit),
	 .choices = transmit_ways},
};
SP_CONFIG_FIELDS_FIT(fields);

void sp_config_gateway_init(struct sp_config_reader *r)
{
	struct sp_config_gateway *gateway = &r->config->gateway;

	gateway->name = sp_config_copy(r, "gateway");
	gateway->control_path = sp_config_copy(r, SP_CONFIG_CONTROL_PATH);
	gateway->state_dir = sp_config_copy(r, "/var/lib/sallyport");
	gateway->aead = sp_config_copy(r, "auto");
	gateway->flows_max = 262144;
	gateway->sessions_max = 16384;
	gateway->handshakes_per_s = 20;
	gateway->drop_events = 50;
	gateway->rules_max = 4096;
	gateway->policy_nodes_max = 65536;
	gateway->records = (struct sp_config_records){
		.enabled = true, .keep_s = 30 * 86400, .size_bytes = 256ull << 20};
}

void sp_config_gateway_read(struct sp_config_reader *r, config_setting_t *setting)
{
	struct sp_config_gateway *gateway = &r->config->gateway;
	config_setting_t *control;

	if (!config_setting_is_group(setting)) {
		sp_config_expected(r, setting, "a group { }");
		return;
	}
	sp_config_group_read(r, setting, fields, sizeof(fields) / sizeof(*fields), gateway);
	if (sp_config_written_reserve(r, SP_SECTION_COUNT, 1))
		sp_config_written_add(r, SP_SECTION_COUNT, "gateway", setting, NULL, 0);
	control = config_setting_get_member(setting, "control");
	/* sockaddr_un holds 108 bytes, with the NUL */
	if (control && gateway->control_path && strlen(gateway->control_path) > 107)
		sp_config_expected(r, control, "a socket path of at most 107 characters");
}
