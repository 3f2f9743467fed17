/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/reader.h"
#include "config/written.h"

static const struct sp_config_section *const sections[] = {
	&sp_config_ifaces, &sp_config_wireguards, &sp_config_groups,	   &sp_config_users,
	&sp_config_zones,  &sp_config_peers,	  &sp_config_destinations, &sp_config_services,
	&sp_config_pools,  &sp_config_paths,	  &sp_config_rules,	   &sp_config_tests,
};
#define SECTIONS (sizeof(sections) / sizeof(*sections))
_Static_assert(SECTIONS == SP_SECTION_COUNT, "every section is read");

static bool is_section(const char *key)
{
	for (size_t i = 0; i < SECTIONS; i++) {
		if (!strcmp(sections[i]->key, key))
			return true;
	}
	return false;
}

static void read_top(struct sp_config_reader *r, const struct sp_config_document *document)
{
	config_setting_t *root = config_root_setting(&document->tree);
	bool is_main = document->file == r->files[0];
	const char *words[SECTIONS + 1] = {"gateway"};
	char hint[SP_CONFIG_HINT];

	for (size_t i = 0; i < SECTIONS; i++)
		words[i + 1] = sections[i]->key;
	for (int i = 0; i < config_setting_length(root); i++) {
		config_setting_t *setting = config_setting_get_elem(root, (unsigned int)i);
		const char *key = config_setting_name(setting);

		if (is_section(key))
			continue;
		if (strcmp(key, "gateway"))
			sp_config_mistake(r, setting,
					  "found an unknown section, expected a known one%s",
					  sp_config_words_hint(words, SECTIONS + 1, key, hint));
		else if (is_main)
			sp_config_gateway_read(r, setting);
		else
			sp_config_mistake(r, setting,
					  "found the gateway section here, expected it only in %s",
					  r->files[0]);
	}
}

/* What holds where no daemon has given out older ones. */
static void give_ids(struct sp_config *config)
{
	for (uint32_t i = 0; i < config->user_count; i++)
		config->users[i].id = i + 2;
	for (uint32_t i = 0; i < config->pool_count; i++)
		config->pools[i].id = (uint16_t)(i + 1);
	for (uint32_t i = 0; i < config->path_count; i++)
		config->paths[i].id = (uint8_t)(i + 1);
}

static void read_all(struct sp_config_reader *r, const char *path)
{
	sp_config_gateway_init(r);
	sp_config_documents_read(r, path);
	r->config->text_count = r->file_count;
	for (uint32_t i = 0; i < r->document_count; i++)
		read_top(r, r->documents[i]);
	if (!r->document_count)
		return;
	for (size_t i = 0; i < SECTIONS; i++)
		sp_config_section_read(r, sections[i]);
	sp_config_countries_read(r);
	if (!r->rc) /* a list that had no memory is missing, not wrong */
		sp_config_check(r);
	sp_config_limits_settle(r->config);
	give_ids(r->config);
}

static void reader_fini(struct sp_config_reader *r)
{
	for (int i = 0; i < SP_SECTION_COUNT; i++) {
		free(r->items[i]);
		free(r->names[i].list);
	}
	sp_config_documents_fini(r);
	sp_config_errors_fini(&r->errors);
	sp_config_close(r->config);
}

/* Reads everything with r, which is used up by it. */
static int open_with(struct sp_config_reader r, const char *path, struct sp_config **ret_config,
		     struct sp_config_errors *ret_errors)
{
	int rc;

	*ret_errors = (struct sp_config_errors){0};
	r.config = calloc(1, sizeof(*r.config));
	if (!r.config)
		return -ENOMEM;
	r.config->written = calloc(SP_SECTION_COUNT + 1, sizeof(*r.config->written));
	if (r.config->written)
		read_all(&r, path);
	rc = r.config->written ? r.rc : -ENOMEM;
	if (!rc && r.errors.count) {
		sp_config_texts_fini(&r);
		r.errors.files = TAKE_PTR(r.files);
		r.errors.file_count = r.file_count;
		r.file_count = 0;
		sp_config_errors_sort(&r.errors);
		*ret_errors = r.errors;
		r.errors = (struct sp_config_errors){0};
		rc = -EINVAL;
	} else if (!rc) {
		r.config->files = TAKE_PTR(r.files);
		r.config->texts = TAKE_PTR(r.texts);
		r.config->file_count = r.file_count;
		r.file_count = 0;
		*ret_config = TAKE_PTR(r.config);
	}
	reader_fini(&r);
	return rc;
}

int sp_config_open(const char *path, struct sp_config **ret_config,
		   struct sp_config_errors *ret_errors)
{
	return open_with((struct sp_config_reader){0}, path, ret_config, ret_errors);
}

int sp_config_open_texts(const char *const *files, const char *const *texts, uint32_t count,
			 struct sp_config **ret_config, struct sp_config_errors *ret_errors)
{
	if (!count)
		return -ENOENT;
	return open_with((struct sp_config_reader){.given_files = files,
						   .given_texts = texts,
						   .given_count = count},
			 files[0], ret_config, ret_errors);
}

char *sp_config_control_path(const char *path)
{
	struct sp_config_reader r = {.config = calloc(1, sizeof(*r.config))};
	config_setting_t *root, *setting = NULL;
	const char *text;
	char *found = NULL;

	if (!r.config)
		return NULL;
	if (sp_config_main_read(&r, path)) {
		root = config_root_setting(&r.documents[0]->tree);
		setting = config_setting_get_member(root, "gateway");
		if (setting && config_setting_is_group(setting))
			setting = config_setting_get_member(setting, "control");
		text = setting ? config_setting_get_string(setting) : NULL;
		if (text && *text)
			found = sp_config_path(&r, setting, text);
	}
	reader_fini(&r);
	return found ? found : strdup(SP_CONFIG_CONTROL_PATH);
}

static void gateway_fini(struct sp_config_gateway *gateway)
{
	free(gateway->name);
	free(gateway->control_path);
	free(gateway->state_dir);
	free(gateway->conf_dir);
	free(gateway->aead);
	free(gateway->geoip);
}

static void wireguard_fini(struct sp_config_wireguard *wg)
{
	sp_key_wipe(&wg->private_key);
	free(wg->name);
	free(wg->private_key_file);
	free(wg->addresses);
	free(wg->endpoint);
	free(wg->dns);
}

static void peer_fini(struct sp_config_peer *peer)
{
	sp_key_wipe(&peer->preshared_key);
	free(peer->name);
	free(peer->addresses);
}

static void rule_fini(struct sp_config_rule *rule)
{
	free(rule->name);
	free(rule->users);
	free(rule->groups);
	free(rule->destinations);
	free(rule->services);
	free(rule->paths);
	free(rule->schedule.zone);
	free(rule->from_prefixes);
	free(rule->from_countries);
}

static void subjects_fini(struct sp_config *config)
{
	for (uint32_t i = 0; i < config->group_count; i++)
		free(config->groups[i].name);
	free(config->groups);
	for (uint32_t i = 0; i < config->user_count; i++) {
		free(config->users[i].name);
		free(config->users[i].groups);
		free(config->users[i].egress);
	}
	free(config->users);
	for (uint32_t i = 0; i < config->zone_count; i++) {
		free(config->zones[i].name);
		free(config->zones[i].prefixes);
	}
	free(config->zones);
	for (uint32_t i = 0; i < config->peer_count; i++)
		peer_fini(&config->peers[i]);
	free(config->peers);
}

static void objects_fini(struct sp_config *config)
{
	for (uint32_t i = 0; i < config->destination_count; i++) {
		free(config->destinations[i].name);
		free(config->destinations[i].prefixes);
	}
	free(config->destinations);
	for (uint32_t i = 0; i < config->service_count; i++) {
		free(config->services[i].name);
		free(config->services[i].ports);
	}
	free(config->services);
	for (uint32_t i = 0; i < config->pool_count; i++) {
		free(config->pools[i].name);
		free(config->pools[i].interface);
		free(config->pools[i].addresses);
		free(config->pools[i].drain);
	}
	free(config->pools);
	for (uint32_t i = 0; i < config->path_count; i++)
		free(config->paths[i].name);
	free(config->paths);
}

void sp_config_forget_texts(struct sp_config *config)
{
	for (uint32_t i = 0; config->texts && i < config->file_count; i++)
		free(config->texts[i]);
	free(TAKE_PTR(config->texts));
}

void sp_config_close(struct sp_config *config)
{
	if (!config)
		return;
	sp_config_forget_texts(config);
	sp_config_written_fini(config);
	for (uint32_t i = 0; i < config->test_count; i++) {
		free(config->tests[i].name);
		free(config->tests[i].to);
	}
	free(config->tests);
	gateway_fini(&config->gateway);
	for (uint32_t i = 0; i < config->iface_count; i++)
		free(config->ifaces[i].name);
	free(config->ifaces);
	for (uint32_t i = 0; i < config->wireguard_count; i++)
		wireguard_fini(&config->wireguards[i]);
	free(config->wireguards);
	subjects_fini(config);
	objects_fini(config);
	for (uint32_t i = 0; i < config->rule_count; i++)
		rule_fini(&config->rules[i]);
	free(config->rules);
	for (uint32_t i = 0; i < config->country_count; i++)
		free(config->countries[i].prefixes);
	free(config->countries);
	for (uint32_t i = 0; i < config->file_count; i++)
		free(config->files[i]);
	free(config->files);
	free(config);
}
