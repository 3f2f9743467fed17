/* SPDX-License-Identifier: Apache-2.0 */
/* The TUN device behind which the gateway's own inner addresses live. Daemon thread. */
#ifndef SP_PATHS_TUN_H
#define SP_PATHS_TUN_H

#include <stdint.h>

#include "sallyport/abi/addr.h"

/*
 * Makes a multi-queue TUN device (no packet information, non-blocking) with one descriptor for
 * each queue. It goes when the last descriptor is closed. 0 or -errno; on failure none is open.
 */
int sp_tun_open(const char *name, uint32_t queues, int *ret_fds);
/* Sets the MTU and brings the device up. */
int sp_tun_up(const char *name, uint32_t mtu);
/* Adds an address with its prefix length (host bits kept); present already is 0. */
int sp_tun_address_add(const char *name, const struct sp_prefix *address);
int sp_tun_address_remove(const char *name, const struct sp_prefix *address);
/*
 * A prefix behind a tunnel that no address of the device covers: without a route the host would
 * answer it over its own way out, in the clear. -EEXIST: the host has another route to just that.
 */
int sp_tun_route_add(const char *name, const struct sp_prefix *prefix);
int sp_tun_route_remove(const char *name, const struct sp_prefix *prefix); /* absent: 0 */

#endif
