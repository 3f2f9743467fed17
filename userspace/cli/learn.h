/* SPDX-License-Identifier: Apache-2.0 */
/* From what was seen to the least policy that allows it, as a fragment of configuration. Pure. */
#ifndef SP_CLI_LEARN_H
#define SP_CLI_LEARN_H

#include "config/config.h"

#define SP_LEARN_TESTS_MAX 1000

struct sp_learn_seen { /* one destination and service */
	struct sp_addr addr;
	uint16_t port; /* TCP and UDP */
	uint8_t proto; /* ICMP of either version: IPPROTO_ICMP */
	bool to_gateway;
	uint64_t flows;
};
struct sp_learn_rule { /* that let some of it out until now */
	const char *name, *file;
	uint32_t line;
	uint64_t flows;
};
struct sp_learn {
	const struct sp_config *base; /* names in it are not used again; its own services are */
	const char *subject;	      /* user or zone */
	const char *span;	      /* for people: "the last 24h" */
	struct sp_learn_seen *seen;   /* is sorted */
	uint32_t seen_count;
	const struct sp_learn_rule *rules;
	uint32_t rule_count;
};

/*
 * Destinations, services, rules and tests: exactly what was seen and nothing beside it. Addresses
 * that were used in the same way share a rule. malloc-ed; NULL: no memory.
 */
char *sp_learn_write(struct sp_learn *learn);

#endif
