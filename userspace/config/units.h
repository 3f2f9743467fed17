/* SPDX-License-Identifier: Apache-2.0 */
/* Rates, sizes and port ranges as text. Pure; any thread. */
#ifndef SP_CONFIG_UNITS_H
#define SP_CONFIG_UNITS_H

#include "config/config.h"

/* "20 Mbit/s", "1.5 Gbit/s": decimal. -EINVAL: no such form, -ERANGE: not 1 kbit/s .. 1 Tbit/s. */
int sp_config_parse_rate(const char *text, uint64_t *ret_bps);
/* "256 KiB" (1024), "64 kB" (1000). -EINVAL, -ERANGE: not 4 KiB .. 1 GiB. */
int sp_config_parse_size(const char *text, uint64_t *ret_bytes);
/* "256 MiB", "4 GB": room on a disk. -EINVAL, -ERANGE: not 1 MiB .. 1024 GiB. */
int sp_config_parse_room(const char *text, uint64_t *ret_bytes);
/* "12 h", "30 d": whole hours and days. -EINVAL, -ERANGE: not 1 h .. 3660 d. */
int sp_config_parse_age(const char *text, uint32_t *ret_s);
/* "80" or "8000-8080". -EINVAL, -ERANGE: not 1..65535, -EDOM: the first is above the last. */
int sp_config_parse_ports(const char *text, struct sp_config_port_range *ret_range);

/* "grace 30 s": 1 s to a day. -EINVAL. */
int sp_config_parse_grace(const char *text, uint32_t *ret_grace_s);
/* "mon-fri", "sat", "fri-mon": bit 0 = Monday. -EINVAL. */
int sp_config_parse_days(const char *text, uint32_t *ret_days);
/* "08:00-18:00" as minutes since midnight; 24:00 is an end only. -EINVAL. */
int sp_config_parse_hours(const char *text, uint32_t *ret_from_min, uint32_t *ret_to_min);
/* "tcp 203.0.113.5:443", "udp [2001:db8::1]:53", "icmp 203.0.113.5", "47 203.0.113.5". -EINVAL. */
int sp_config_parse_target(const char *text, struct sp_config_target *ret_target);

#endif
