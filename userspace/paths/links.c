// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "paths/state.h"

struct sp_link *sp_link_find(struct sp_paths *p, uint32_t ifindex)
{
	for (int i = 0; i < SP_IFACE_MAX; i++) {
		if (p->links[i].ifindex == ifindex)
			return &p->links[i];
	}
	return NULL;
}

/* MAC and MTU as told; true when one of them differs from what is published. */
static bool update_iface(struct sp_iface *iface, const struct sp_attrs *attrs)
{
	const struct nlattr *mac = attrs->at[IFLA_ADDRESS];
	struct sp_iface old = *iface;

	(void)sp_attr_u32(attrs->at[IFLA_MTU], &iface->mtu);
	if (mac && mnl_attr_get_payload_len(mac) == sizeof(iface->mac))
		memcpy(iface->mac, mnl_attr_get_payload(mac), sizeof(iface->mac));
	return old.mtu != iface->mtu || memcmp(old.mac, iface->mac, sizeof(old.mac)) != 0;
}

int sp_link_on_message(const struct nlmsghdr *nlh, void *paths)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct sp_paths *p = paths;
	struct sp_attrs attrs;
	struct sp_link *link;
	bool up, was_up, changed;

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*info) || info->ifi_family != AF_UNSPEC ||
	    info->ifi_index <= 0)
		return MNL_CB_OK;
	link = sp_link_find(p, (uint32_t)info->ifi_index);
	if (!link)
		return MNL_CB_OK;
	sp_attrs_parse(nlh, sizeof(*info), &attrs);
	was_up = link->up;
	up = nlh->nlmsg_type == RTM_NEWLINK && (info->ifi_flags & IFF_UP) &&
	     (info->ifi_flags & IFF_RUNNING);
	changed = update_iface(&link->iface, &attrs);
	link->up = up;
	if (changed && sp_dataplane_iface_put(p->dp, link->ifindex, &link->iface) < 0)
		sp_error("paths: failed to publish %s", link->iface.name);
	if (changed || (was_up && !up))
		sp_hops_on_link(p, link, was_up && !up);
	/* IPv4 routes vanish with their link, without a message of their own. */
	if (up != was_up)
		p->routes_dirty = true;
	link->news |= changed || up != was_up;
	return MNL_CB_OK;
}

/* Told when the state is whole: whoever is called may call back. */
void sp_links_tell(struct sp_paths *p)
{
	for (int i = 0; i < SP_IFACE_MAX; i++) {
		struct sp_link *link = &p->links[i];

		if (!link->ifindex || !link->news)
			continue;
		link->news = false;
		if (p->upcalls.on_link)
			p->upcalls.on_link(p->arg, link->ifindex, link->up, link->iface.mtu);
	}
}

/* Drivers that cannot tell have as many queues as the kernel made for them. */
static uint32_t count_queues(int fd, struct ifreq *request)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ethtool_rxnfc rings = {.cmd = ETHTOOL_GRXRINGS};
	uint32_t queues = 0;

	request->ifr_data = (void *)&channels;
	if (ioctl(fd, SIOCETHTOOL, request) == 0)
		queues = channels.rx_count + channels.combined_count;
	if (queues == 0) {
		request->ifr_data = (void *)&rings;
		if (ioctl(fd, SIOCETHTOOL, request) == 0)
			queues = (uint32_t)rings.data;
	}
	if (queues == 0)
		queues = 1;
	return queues > SP_QUEUE_MAX ? SP_QUEUE_MAX : queues;
}

int sp_paths_iface_probe(const char *name, uint32_t *ret_ifindex, struct sp_iface *ret_iface)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {};
	struct sp_iface iface = {};
	uint32_t ifindex;

	if (fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(iface.name) || strlen(name) >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, name, strlen(name) + 1);
	memcpy(iface.name, name, strlen(name) + 1);
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -ENODEV;
	ifindex = (uint32_t)request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	iface.mtu = (uint32_t)request.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	memcpy(iface.mac, request.ifr_hwaddr.sa_data, sizeof(iface.mac));
	iface.queues = count_queues(fd, &request);
	*ret_ifindex = ifindex;
	*ret_iface = iface;
	return 0;
}
