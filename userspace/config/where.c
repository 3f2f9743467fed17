/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "config/geoip.h"

#define WHERE_MAX    4096u
#define COUNTRY_MARK "country:"

static bool is_code(const char *text)
{
	return text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z' && !text[2];
}

/* Its index in the list of countries, where it is put when it is new. UINT32_MAX: no memory. */
static uint32_t find_country(struct sp_config_reader *r, config_setting_t *setting,
			     const char *code)
{
	struct sp_config *config = r->config;
	struct sp_config_country *list;

	for (uint32_t i = 0; i < config->country_count; i++) {
		if (!strcmp(config->countries[i].code, code))
			return i;
	}
	list = reallocarray(config->countries, config->country_count + 1u, sizeof(*list));
	if (!list) {
		r->rc = -ENOMEM;
		return UINT32_MAX;
	}
	config->countries = list;
	list[config->country_count] =
		(struct sp_config_country){.source = sp_config_source_of(setting)};
	memcpy(list[config->country_count].code, code, 3);
	return config->country_count++;
}

static void read_country(struct sp_config_reader *r, config_setting_t *setting,
			 struct sp_config_rule *rule)
{
	const char *code = config_setting_get_string(setting) + strlen(COUNTRY_MARK);
	uint32_t index;

	if (!is_code(code)) {
		sp_config_expected(r, setting, "a country of ISO 3166-1 such as \"country:DE\"");
		return;
	}
	index = find_country(r, setting, code);
	if (index != UINT32_MAX)
		rule->from_countries[rule->from_country_count++] = index;
}

SP_FIELD_READER(where)
{
	uint32_t n = sp_config_list_length(setting);
	struct sp_config_rule *rule = object;

	rule->from_where = true;
	if (!n || n > WHERE_MAX) {
		sp_config_mistake(r, setting, "found %u entries, expected 1 to %u", n, WHERE_MAX);
		return;
	}
	rule->from_prefixes = calloc(n, sizeof(*rule->from_prefixes));
	rule->from_countries = calloc(n, sizeof(*rule->from_countries));
	if (!rule->from_prefixes || !rule->from_countries) {
		r->rc = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		config_setting_t *element = sp_config_list_element(setting, i);
		const char *text = config_setting_get_string(element);

		if (text && !strncmp(text, COUNTRY_MARK, strlen(COUNTRY_MARK)))
			read_country(r, element, rule);
		else if (sp_config_prefix_read(r, element,
					       &rule->from_prefixes[rule->from_prefix_count]))
			rule->from_prefix_count++;
	}
	sp_config_families_part(r, &rule->from_prefixes, &rule->from_prefix_count);
}

void sp_config_countries_read(struct sp_config_reader *r)
{
	struct sp_config *config = r->config;
	const struct sp_config_source *first;
	const char *why = NULL;
	int rc;

	if (!config->country_count)
		return;
	first = &config->countries[0].source;
	if (!config->gateway.geoip) {
		sp_config_mistake_at(r, first->file, first->line,
				     "from_where: found a country, expected gateway.geoip, a "
				     "MaxMind database, to know its addresses");
		return;
	}
	rc = sp_config_geoip_read(config->gateway.geoip, config->countries, config->country_count,
				  &why);
	if (rc == -ENOMEM)
		r->rc = rc;
	else if (rc)
		sp_config_mistake_at(r, r->files[0], 0,
				     "gateway.geoip: found \"%s\" (%s), expected a MaxMind "
				     "database",
				     config->gateway.geoip, why);
	for (uint32_t i = 0; i < config->country_count && !rc; i++) {
		const struct sp_config_country *c = &config->countries[i];

		if (!c->prefix_count)
			sp_config_mistake_at(r, c->source.file, c->source.line,
					     "from_where: found \"country:%s\", expected a country "
					     "that gateway.geoip has addresses of",
					     c->code);
	}
}
