/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that a configuration brings along; included by config/config.h. Any thread. */
#ifndef SP_CONFIG_TEST_H
#define SP_CONFIG_TEST_H

#include "config/objects.h"

struct sp_config_target { /* one packet's destination */
	struct sp_addr addr;
	__be16 port_be; /* TCP and UDP */
	uint8_t proto;	/* IPPROTO_*; ICMP of addr's family */
};

struct sp_config_test {
	char *name;    /* or NULL */
	uint32_t user; /* index in config->users: a user's or a zone's */
	char *to;      /* as written */
	struct sp_config_target target;
	bool allow;    /* what is expected */
	uint32_t rule; /* index in config->rules of the one that must decide, or UINT32_MAX */
	struct sp_config_source source;
};

#endif
