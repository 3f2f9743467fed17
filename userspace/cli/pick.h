/* SPDX-License-Identifier: Apache-2.0 */
/* The next free inner address of a listener. Pure; any thread. */
#ifndef SP_CLI_PICK_H
#define SP_CLI_PICK_H

#include "config/config.h"

/*
 * The lowest host address of prefix (an interface address of a listener) that is neither the
 * gateway's nor inside any peer's prefixes. 0, -ENOSPC, -ENOMEM.
 */
int sp_pick_address(const struct sp_config *config, const struct sp_prefix *prefix,
		    struct sp_addr *ret_addr);

#endif
