// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "paths/state.h"
#include "sallyport/core/addr.h"

#define EVENT_QUEUE_BYTES (1 << 20)
#define TRIES		  3

static int open_events(struct sp_paths *p)
{
	static const int groups[] = {RTNLGRP_LINK,	 RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_NEIGH};
	int queue = EVENT_QUEUE_BYTES, fd;

	p->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!p->events || mnl_socket_bind(p->events, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	fd = mnl_socket_get_fd(p->events);
	/* Without CAP_NET_ADMIN the default queue stays; what it loses is read anew. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(p->events, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static int open_requests(struct sp_paths *p)
{
	struct timeval limit = {.tv_sec = 1};

	if (p->requests)
		mnl_socket_close(p->requests);
	p->requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!p->requests || mnl_socket_bind(p->requests, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(p->requests), SOL_SOCKET, SO_RCVTIMEO, &limit,
		       sizeof(limit)) < 0)
		return -errno;
	return 0;
}

int sp_netlink_open(struct sp_paths *p)
{
	int r = open_events(p);

	return r < 0 ? r : open_requests(p);
}

void sp_netlink_close(struct sp_paths *p)
{
	if (p->events)
		mnl_socket_close(p->events);
	if (p->requests)
		mnl_socket_close(p->requests);
	p->events = NULL;
	p->requests = NULL;
}

static int transact_once(struct sp_paths *p, struct nlmsghdr *nlh, mnl_cb_t cb)
{
	unsigned int port = mnl_socket_get_portid(p->requests);
	ssize_t n;
	int r;

	nlh->nlmsg_seq = ++p->request_seq;
	if (mnl_socket_sendto(p->requests, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(p->requests, p->request_buffer, sizeof(p->request_buffer));
		if (n < 0)
			return -errno;
		r = mnl_cb_run(p->request_buffer, (size_t)n, nlh->nlmsg_seq, port, cb, p);
	} while (r > MNL_CB_STOP);
	return r < 0 ? -errno : 0;
}

/*
 * Every question is answered to its end (NLM_F_ACK or a dump's NLMSG_DONE). A dump that the
 * kernel changed meanwhile (EINTR), or an answer out of step, is asked again on a new socket.
 */
static int transact(struct sp_paths *p, struct nlmsghdr *nlh, mnl_cb_t cb)
{
	int r = -EIO;

	for (int i = 0; i < TRIES; i++) {
		if (!p->requests || i > 0) {
			r = open_requests(p);
			if (r < 0)
				return r;
		}
		r = transact_once(p, nlh, cb);
		if (r != -EINTR && r != -EPROTO && r != -EAGAIN && r != -ENOBUFS)
			return r;
	}
	return r;
}

int sp_netlink_dump(struct sp_paths *p, uint16_t type, uint8_t family, mnl_cb_t cb)
{
	char buffer[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct rtgenmsg *gen;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->rtgen_family = family;
	return transact(p, nlh, cb);
}

static struct nlmsghdr *put_neighbour(char *buffer, uint16_t type, uint16_t flags, uint32_t ifindex,
				      const struct sp_addr *addr)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	bool v4 = sp_addr_is_v4(addr);
	struct ndmsg *ndm;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	ndm->ndm_family = v4 ? AF_INET : AF_INET6;
	ndm->ndm_ifindex = (int)ifindex;
	ndm->ndm_flags = type == RTM_NEWNEIGH ? NTF_USE : 0;
	mnl_attr_put(nlh, NDA_DST, v4 ? 4 : 16, v4 ? addr->b + 12 : addr->b);
	return nlh;
}

/* NTF_USE: the kernel acts as if it had a packet to send there: it asks, or asks again. */
int sp_netlink_use_neighbour(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr)
{
	char buffer[128];

	return transact(p, put_neighbour(buffer, RTM_NEWNEIGH, NLM_F_CREATE, ifindex, addr), NULL);
}

int sp_netlink_get_neighbour(struct sp_paths *p, uint32_t ifindex, const struct sp_addr *addr,
			     mnl_cb_t cb)
{
	char buffer[128];

	return transact(p, put_neighbour(buffer, RTM_GETNEIGH, 0, ifindex, addr), cb);
}

void sp_attrs_parse(const struct nlmsghdr *nlh, size_t header_bytes, struct sp_attrs *ret_attrs)
{
	const struct nlattr *attr;

	memset(ret_attrs, 0, sizeof(*ret_attrs));
	mnl_attr_for_each(attr, nlh, header_bytes)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type < sizeof(ret_attrs->at) / sizeof(ret_attrs->at[0]))
			ret_attrs->at[type] = attr;
	}
}

bool sp_attr_addr(const struct nlattr *attr, int family, struct sp_addr *ret_addr)
{
	__be32 v4_be;

	if (!attr || mnl_attr_get_payload_len(attr) != (family == AF_INET ? 4 : 16))
		return false;
	if (family == AF_INET) {
		memcpy(&v4_be, mnl_attr_get_payload(attr), sizeof(v4_be));
		*ret_addr = sp_addr_from_v4(v4_be);
	} else {
		memcpy(ret_addr->b, mnl_attr_get_payload(attr), sizeof(ret_addr->b));
	}
	return true;
}

bool sp_attr_u32(const struct nlattr *attr, uint32_t *ret_value)
{
	if (!attr || mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
		return false;
	*ret_value = mnl_attr_get_u32(attr);
	return true;
}
