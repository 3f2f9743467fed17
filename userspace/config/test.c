/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"
#include "config/units.h"
#include "sallyport/core/addr.h"

static const char *const expectations[] = {"deny", "allow", NULL};

/* The word before the space: its protocol, and whether a port follows the address. */
static int parse_protocol(const char *word, size_t len, struct sp_config_target *target,
			  bool *ret_has_port)
{
	char *end;
	unsigned long number;

	*ret_has_port = len == 3 && (!memcmp(word, "tcp", 3) || !memcmp(word, "udp", 3));
	if (*ret_has_port) {
		target->proto = *word == 't' ? IPPROTO_TCP : IPPROTO_UDP;
		return 0;
	}
	if (len == 4 && !memcmp(word, "icmp", 4)) {
		target->proto = IPPROTO_ICMP;
		return 0;
	}
	if (*word < '1' || *word > '9')
		return -EINVAL;
	number = strtoul(word, &end, 10);
	if (end != word + len || number > 255 || number == IPPROTO_TCP || number == IPPROTO_UDP)
		return -EINVAL;
	target->proto = (uint8_t)number;
	return 0;
}

int sp_config_parse_target(const char *text, struct sp_config_target *ret_target)
{
	const char *space = strchr(text, ' ');
	struct sp_config_target target = {0};
	struct sp_sockaddr sa = {0};
	bool has_port;

	if (!space || parse_protocol(text, (size_t)(space - text), &target, &has_port))
		return -EINVAL;
	while (*space == ' ')
		space++;
	if (has_port ? sp_sockaddr_parse(space, &sa) : sp_addr_parse(space, &sa.addr))
		return -EINVAL;
	if (has_port && !sa.port_be)
		return -EINVAL;
	if (target.proto == IPPROTO_ICMP || target.proto == IPPROTO_ICMPV6)
		target.proto = sp_addr_is_v4(&sa.addr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	target.addr = sa.addr;
	target.port_be = sa.port_be;
	*ret_target = target;
	return 0;
}

static void read_as(struct sp_config_reader *r, const struct sp_config_field *field,
		    config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_USER, "a user or zone");
	struct sp_config_test *test = object;

	if (!name)
		return;
	if (name->section != SP_SECTION_USER)
		sp_config_mistake(r, setting,
				  "found the group \"%s\", expected the name of a user or zone",
				  name->text);
	else
		test->user = name->index;
}

static void read_to(struct sp_config_reader *r, const struct sp_config_field *field,
		    config_setting_t *setting, void *object)
{
	static const char expected[] =
		"a protocol and where to, such as \"tcp 203.0.113.5:443\", \"udp [2001:db8::1]:53\" "
		"or \"icmp 203.0.113.5\"";
	const char *text = sp_config_text(r, setting, expected);
	struct sp_config_test *test = object;

	if (!text)
		return;
	if (sp_config_parse_target(text, &test->target))
		sp_config_expected(r, setting, "%s", expected);
	free(test->to);
	test->to = sp_config_copy(r, text);
}

static void read_expect(struct sp_config_reader *r, const struct sp_config_field *field,
			config_setting_t *setting, void *object)
{
	const struct sp_config_field choice = {.choices = expectations};
	uint32_t value = 0;

	sp_field_choice(r, &choice, setting, &value);
	((struct sp_config_test *)object)->allow = value == 1;
}

static void read_rule(struct sp_config_reader *r, const struct sp_config_field *field,
		      config_setting_t *setting, void *object)
{
	const struct sp_config_name *name =
		sp_config_refer(r, setting, SP_SECTION_RULE, "a rule of the policy");

	if (name)
		((struct sp_config_test *)object)->rule = name->index;
}

static void init(void *item)
{
	((struct sp_config_test *)item)->rule = UINT32_MAX;
}

#define AT(member) offsetof(struct sp_config_test, member)
static const struct sp_config_field fields[] = {
	{.key = "name", .read = sp_field_name, .offset = AT(name)},
	{.key = "as", .read = read_as, .required = true},
	{.key = "to", .read = read_to, .required = true},
	{.key = "expect", .read = read_expect, .required = true},
	{.key = "rule", .read = read_rule},
};

const struct sp_config_section sp_config_tests = {
	.key = "tests",
	.id = SP_SECTION_TEST,
	.space = SP_SECTION_TEST,
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(*fields),
	.max = SP_CONFIG_TESTS_MAX,
	.item_bytes = sizeof(struct sp_config_test),
	.name_offset = AT(name),
	.source_offset = AT(source),
	.list_offset = offsetof(struct sp_config, tests),
	.count_offset = offsetof(struct sp_config, test_count),
	.init = init,
};
