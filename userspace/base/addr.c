/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/core/addr.h"

int sp_addr_parse(const char *text, struct sp_addr *ret_addr)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret_addr = sp_addr_from_v4(v4.s_addr);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		memcpy(ret_addr->b, &v6, sizeof(v6));
		return 0;
	}
	return -EINVAL;
}

int sp_prefix_parse_host(const char *text, struct sp_prefix *ret_prefix)
{
	char head[SP_PREFIX_TEXT];
	struct sp_prefix prefix = {0};
	unsigned int base, max;
	unsigned long len;
	char *slash, *end;

	if (snprintf(head, sizeof(head), "%s", text) >= (int)sizeof(head))
		return -EINVAL;
	slash = strchr(head, '/');
	if (slash)
		*slash++ = '\0';
	if (sp_addr_parse(head, &prefix.addr))
		return -EINVAL;
	base = strchr(head, ':') ? 0 : 96;
	max = 128 - base;
	len = max;
	if (slash) {
		if (*slash < '0' || *slash > '9')
			return -EINVAL;
		len = strtoul(slash, &end, 10);
		if (*end || len > max)
			return -EINVAL;
	}
	prefix.len = (__u8)(base + len);
	*ret_prefix = prefix;
	return 0;
}

int sp_prefix_parse(const char *text, struct sp_prefix *ret_prefix)
{
	struct sp_prefix prefix;
	int rc = sp_prefix_parse_host(text, &prefix);

	if (rc)
		return rc;
	for (unsigned int bit = prefix.len; bit < 128; bit++) {
		if (prefix.addr.b[bit / 8] & (0x80 >> (bit % 8)))
			return -EDOM;
	}
	*ret_prefix = prefix;
	return 0;
}

static int parse_port(const char *text, __be16 *ret_port)
{
	char *end;
	unsigned long port;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || port == 0 || port > 65535)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

int sp_sockaddr_parse(const char *text, struct sp_sockaddr *ret)
{
	char head[SP_ENDPOINT_TEXT];
	struct sp_sockaddr sa;
	char *host = head, *port;

	if (snprintf(head, sizeof(head), "%s", text) >= (int)sizeof(head))
		return -EINVAL;
	if (*head == '[') {
		host = head + 1;
		port = strchr(host, ']');
		if (!port || port[1] != ':')
			return -EINVAL;
		*port++ = '\0';
	} else {
		port = strchr(head, ':');
		if (!port || strchr(port + 1, ':'))
			return -EINVAL;
	}
	*port++ = '\0';
	if (sp_addr_parse(host, &sa.addr) || parse_port(port, &sa.port_be))
		return -EINVAL;
	*ret = sa;
	return 0;
}

const char *sp_addr_format(const struct sp_addr *addr, char buf[static SP_ADDR_TEXT])
{
	if (sp_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + 12, buf, SP_ADDR_TEXT);
	else
		inet_ntop(AF_INET6, addr->b, buf, SP_ADDR_TEXT);
	return buf;
}

const char *sp_prefix_format(const struct sp_prefix *prefix, char buf[static SP_PREFIX_TEXT])
{
	bool v4 = sp_addr_is_v4(&prefix->addr) && prefix->len >= 96;
	char addr[SP_ADDR_TEXT];

	snprintf(buf, SP_PREFIX_TEXT, "%s/%d", sp_addr_format(&prefix->addr, addr),
		 v4 ? prefix->len - 96 : prefix->len);
	return buf;
}

const char *sp_sockaddr_format(const struct sp_sockaddr *sa, char buf[static SP_ENDPOINT_TEXT])
{
	char addr[SP_ADDR_TEXT];

	snprintf(buf, SP_ENDPOINT_TEXT, sp_addr_is_v4(&sa->addr) ? "%s:%u" : "[%s]:%u",
		 sp_addr_format(&sa->addr, addr), ntohs(sa->port_be));
	return buf;
}

int sp_sockaddr_from_kernel(const struct sockaddr *sa, struct sp_sockaddr *ret)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;

		ret->addr = sp_addr_from_v4(v4->sin_addr.s_addr);
		ret->port_be = v4->sin_port;
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

		memcpy(ret->addr.b, &v6->sin6_addr, sizeof(ret->addr.b));
		ret->port_be = v6->sin6_port;
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t sp_sockaddr_to_kernel(const struct sp_sockaddr *sa, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (sp_addr_is_v4(&sa->addr)) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)ret;

		v4->sin_family = AF_INET;
		v4->sin_port = sa->port_be;
		v4->sin_addr.s_addr = sp_addr_v4(&sa->addr);
		return sizeof(*v4);
	}
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = sa->port_be;
	memcpy(&v6->sin6_addr, sa->addr.b, sizeof(sa->addr.b));
	return sizeof(*v6);
}
