/* SPDX-License-Identifier: Apache-2.0 */
#include "paths/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "base/cleanup.h"
#include "sallyport/core/addr.h"

int sp_tun_open(const char *name, uint32_t queues, int *ret_fds)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE};
	uint32_t n;
	int rc = 0;

	if (strlen(name) >= sizeof(ifr.ifr_name))
		return -ENAMETOOLONG;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	for (n = 0; n < queues; n++) {
		ret_fds[n] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (ret_fds[n] < 0) {
			rc = -errno;
			goto undo;
		}
		if (ioctl(ret_fds[n], TUNSETIFF, &ifr) < 0) {
			rc = -errno;
			close(ret_fds[n]);
			goto undo;
		}
	}
	return 0;
undo:
	while (n--)
		close(ret_fds[n]);
	return rc;
}

int sp_tun_up(const char *name, uint32_t mtu)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	if (fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(ifr.ifr_name))
		return -ENAMETOOLONG;
	memcpy(ifr.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

/* One request, one acknowledgement. */
static int netlink_ask(struct nlmsghdr *request)
{
	char buf[4096];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t n;
	int rc = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, request, request->nlmsg_len) < 0 ||
	    (n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) < 0 ||
	    mnl_cb_run(buf, (size_t)n, request->nlmsg_seq, mnl_socket_get_portid(nl), NULL, NULL) <
		    0)
		rc = -errno;
	mnl_socket_close(nl);
	return rc;
}

static int change_address(const char *name, const struct sp_prefix *address, uint16_t type,
			  uint16_t flags)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	bool v4 = sp_addr_is_v4(&address->addr);
	const uint8_t *bytes = v4 ? address->addr.b + 12 : address->addr.b;
	struct ifaddrmsg *ifa;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = 1;
	ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	ifa->ifa_family = v4 ? AF_INET : AF_INET6;
	ifa->ifa_prefixlen = v4 ? address->len - 96 : address->len;
	ifa->ifa_flags = IFA_F_NODAD; /* nobody else is on this link */
	ifa->ifa_index = if_nametoindex(name);
	if (!ifa->ifa_index)
		return -ENODEV;
	mnl_attr_put(nlh, IFA_LOCAL, v4 ? 4 : 16, bytes);
	mnl_attr_put(nlh, IFA_ADDRESS, v4 ? 4 : 16, bytes);
	return netlink_ask(nlh);
}

int sp_tun_address_add(const char *name, const struct sp_prefix *address)
{
	int rc = change_address(name, address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);

	return rc == -EEXIST ? 0 : rc;
}

int sp_tun_address_remove(const char *name, const struct sp_prefix *address)
{
	int rc = change_address(name, address, RTM_DELADDR, 0);

	return rc == -EADDRNOTAVAIL ? 0 : rc;
}

static int change_route(const char *name, const struct sp_prefix *prefix, uint16_t type,
			uint16_t flags)
{
	char buf[256] __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	bool v4 = sp_addr_is_v4(&prefix->addr);
	uint32_t ifindex = if_nametoindex(name);
	struct rtmsg *rtm;

	if (!ifindex)
		return -ENODEV;
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	nlh->nlmsg_seq = 1;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = v4 ? AF_INET : AF_INET6;
	rtm->rtm_dst_len = v4 ? prefix->len - 96 : prefix->len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(nlh, RTA_DST, v4 ? 4 : 16, v4 ? prefix->addr.b + 12 : prefix->addr.b);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	if (!v4) /* before what router advertisements and the kernel itself make */
		mnl_attr_put_u32(nlh, RTA_PRIORITY, 1);
	return netlink_ask(nlh);
}

int sp_tun_route_add(const char *name, const struct sp_prefix *prefix)
{
	return change_route(name, prefix, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
}

int sp_tun_route_remove(const char *name, const struct sp_prefix *prefix)
{
	int rc = change_route(name, prefix, RTM_DELROUTE, 0);

	return rc == -ESRCH ? 0 : rc;
}
