/* SPDX-License-Identifier: Apache-2.0 */
/* Text form of addresses, prefixes and endpoints. Any thread. */
#ifndef SP_BASE_ADDR_H
#define SP_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "sallyport/abi/addr.h"

#define SP_ADDR_TEXT	 46 /* INET6_ADDRSTRLEN */
#define SP_PREFIX_TEXT	 50
#define SP_ENDPOINT_TEXT 56 /* "[v6]:port" */

struct sp_sockaddr {
	struct sp_addr addr;
	__be16 port_be;
};

/* 0 or -EINVAL. A prefix without "/n" is a host; host bits that are set are -EDOM. */
int sp_addr_parse(const char *text, struct sp_addr *ret_addr);
int sp_prefix_parse(const char *text, struct sp_prefix *ret_prefix);
/* "10.9.0.1/24": the address as written and the length, host bits kept (an interface address). */
int sp_prefix_parse_host(const char *text, struct sp_prefix *ret_prefix);
int sp_sockaddr_parse(const char *text, struct sp_sockaddr *ret);

/* Return buf, for use inside a printf. */
const char *sp_addr_format(const struct sp_addr *addr, char buf[static SP_ADDR_TEXT]);
const char *sp_prefix_format(const struct sp_prefix *prefix, char buf[static SP_PREFIX_TEXT]);
const char *sp_sockaddr_format(const struct sp_sockaddr *sa, char buf[static SP_ENDPOINT_TEXT]);

/* To and from the kernel's form; v4-mapped becomes AF_INET. 0 or -EAFNOSUPPORT. */
int sp_sockaddr_from_kernel(const struct sockaddr *sa, struct sp_sockaddr *ret);
socklen_t sp_sockaddr_to_kernel(const struct sp_sockaddr *sa, struct sockaddr_storage *ret);

#endif
