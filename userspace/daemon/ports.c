/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of this host that NAT must keep its hands off. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "daemon/daemon.h"

#define TCP_LISTEN 0x0a /* include/net/tcp_states.h */

struct port_set {
	uint8_t seen[65536];
};

/* One line of proc_net_tcp(5): "sl local:port remote:port state ...". */
static void add_line(struct port_set *set, const char *line, bool tcp)
{
	unsigned int port, remote, state;

	if (sscanf(line, "%*[^:]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%x %x", &port, &remote, &state) !=
	    3)
		return;
	if (port > 65535 || (tcp ? state != TCP_LISTEN : remote != 0))
		return;
	set->seen[port] = 1;
}

static int add_file(struct port_set *set, const char *path, bool tcp)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[512];

	if (!f)
		return errno == ENOENT ? 0 : -errno; /* no IPv6 here */
	while (fgets(line, sizeof(line), f))
		add_line(set, line, tcp);
	return 0;
}

int sp_ports_listening(uint16_t **ret_ports, uint32_t *ret_count)
{
	_cleanup_free_ struct port_set *set = calloc(1, sizeof(*set));
	uint32_t count = 0, at = 0;
	uint16_t *ports;
	int rc;

	if (!set)
		return -ENOMEM;
	if ((rc = add_file(set, "/proc/net/tcp", true)) ||
	    (rc = add_file(set, "/proc/net/tcp6", true)) ||
	    (rc = add_file(set, "/proc/net/udp", false)) ||
	    (rc = add_file(set, "/proc/net/udp6", false)))
		return rc;
	for (uint32_t p = 1; p < 65536; p++)
		count += set->seen[p];
	ports = malloc((count + 1) * sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (uint32_t p = 1; p < 65536; p++) {
		if (set->seen[p])
			ports[at++] = (uint16_t)p;
	}
	*ret_ports = ports;
	*ret_count = count;
	return 0;
}

int sp_ports_ephemeral(struct sp_config_port_range *ret_range)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int min, max;

	if (!f)
		return -errno;
	if (fscanf(f, "%u %u", &min, &max) != 2 || min > 65535 || max > 65535)
		return -EBADMSG;
	*ret_range = (struct sp_config_port_range){.min = (uint16_t)min, .max = (uint16_t)max};
	return 0;
}
