/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/offload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>

#include "base/cleanup.h"
#include "sallyport/core/checksum.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define STRINGS_MAX 1024

/*
 * Segments below which AF_XDP is cheaper. On a veth, CPU time a packet of 1420 bytes, gateway as a
 * whole: cut by the device 2, 8, 32 segments cost 1.40, 0.88, 0.66 us; cut by the kernel 1.85,
 * 1.37, 1.18 us; AF_XDP in copy mode 1.45 us.
 */
#define LEAST_CUT    2
#define LEAST_QUEUED 8

static const struct {
	const char *feature;
	uint8_t gso_type;
	bool is_udp;
} kinds[SP_BURST_KINDS] = {
	[SP_BURST_TCP4] = {"tx-tcp-segmentation", VIRTIO_NET_HDR_GSO_TCPV4, false},
	[SP_BURST_TCP6] = {"tx-tcp6-segmentation", VIRTIO_NET_HDR_GSO_TCPV6, false},
	[SP_BURST_UDP4] = {"tx-udp-segmentation", VIRTIO_NET_HDR_GSO_UDP_L4, true},
	[SP_BURST_UDP6] = {"tx-udp-segmentation", VIRTIO_NET_HDR_GSO_UDP_L4, true},
};

static int open_socket(uint32_t ifindex, bool is_direct)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, bytes = 4 << 20, kept;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    (is_direct && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one))) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return -errno;
	/* Room for a batch in buffers of 64 KiB; beyond the system's limit only with the right to. */
	(void)!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	kept = fd;
	fd = -1;
	return kept;
}

static int ethtool(int fd, uint32_t ifindex, void *command)
{
	struct ifreq ifr = {.ifr_data = command};

	if (!if_indextoname(ifindex, ifr.ifr_name))
		return -errno;
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

/* Which of the kernel's features, by name, are switched on for a device. */
struct features {
	struct ethtool_gstrings *strings;
	struct ethtool_gfeatures *state;
};

static int features_read(int fd, uint32_t ifindex, struct features *f)
{
	/* The kernel writes the one number that is asked for behind the struct. */
	uint64_t room[(sizeof(struct ethtool_sset_info) + sizeof(uint32_t)) / 8 + 1] = {0};
	struct ethtool_sset_info *info = (struct ethtool_sset_info *)room;
	uint32_t count;
	int rc;

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ull << ETH_SS_FEATURES;
	rc = ethtool(fd, ifindex, info);
	if (rc)
		return rc;
	memcpy(&count, info->data, sizeof(count));
	if (info->sset_mask == 0 || count > STRINGS_MAX)
		return -EPROTO;
	f->strings = calloc(1, sizeof(*f->strings) + (size_t)count * ETH_GSTRING_LEN);
	f->state = calloc(1, sizeof(*f->state) + (count + 31) / 32 * sizeof(f->state->features[0]));
	if (!f->strings || !f->state)
		return -ENOMEM;
	*f->strings = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = count};
	*f->state = (struct ethtool_gfeatures){.cmd = ETHTOOL_GFEATURES, .size = (count + 31) / 32};
	rc = ethtool(fd, ifindex, f->strings);
	return rc ? rc : ethtool(fd, ifindex, f->state);
}

static bool is_on(const struct features *f, const char *name)
{
	for (uint32_t i = 0; i < f->strings->len; i++) {
		if (!strncmp((const char *)f->strings->data + (size_t)i * ETH_GSTRING_LEN, name,
			     ETH_GSTRING_LEN))
			return f->state->features[i / 32].active >> i % 32 & 1;
	}
	return false;
}

/*
 * Packet sockets take UDP to be cut since Linux 6.2; before, tunnel datagrams leave one by one. A
 * loopback datagram to the discard port tells.
 */
static bool is_udp_taken(void)
{
	uint8_t frame[SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES + 32] = {0};
	struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				      .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
				      .hdr_len = SP_ETH_BYTES + SP_IPV4_BYTES + SP_UDP_BYTES,
				      .gso_size = 16,
				      .csum_start = SP_ETH_BYTES + SP_IPV4_BYTES,
				      .csum_offset = 6};
	struct iovec parts[] = {{&vnet, sizeof(vnet)}, {frame, sizeof(frame)}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	uint8_t *ip = frame + SP_ETH_BYTES;
	_cleanup_close_ int fd = open_socket(if_nametoindex("lo"), false);

	sp_store16(frame + 12, sp_swap16(SP_ETHERTYPE_IPV4));
	ip[0] = 0x45;
	sp_store16(ip + 2, sp_swap16(sizeof(frame) - SP_ETH_BYTES));
	ip[8] = 1;
	ip[9] = SP_PROTO_UDP;
	sp_store32(ip + 12, sp_swap32(INADDR_LOOPBACK));
	sp_store32(ip + 16, sp_swap32(INADDR_LOOPBACK));
	sp_store16(ip + SP_IPV4_BYTES + 2, sp_swap16(9));
	sp_store16(ip + SP_IPV4_BYTES + 4, sp_swap16(SP_UDP_BYTES + 32));
	return fd >= 0 && sendmsg(fd, &message, 0) == (ssize_t)(sizeof(vnet) + sizeof(frame));
}

int sp_offload_open(uint32_t ifindex, bool is_forced, struct sp_offload *ret_offload)
{
	struct sp_offload o = {.ifindex = ifindex,
			       .direct_fd = open_socket(ifindex, true),
			       .queued_fd = open_socket(ifindex, false)};
	struct features f = {0};
	bool is_udp = is_udp_taken();
	int rc = o.direct_fd < 0 ? o.direct_fd : o.queued_fd < 0 ? o.queued_fd : 0;

	if (!rc)
		rc = features_read(o.direct_fd, ifindex, &f);
	for (int kind = SP_BURST_OTHER + 1; !rc && kind < SP_BURST_KINDS; kind++) {
		o.is_cut[kind] = is_on(&f, kinds[kind].feature);
		o.least[kind] = o.is_cut[kind] ? LEAST_CUT : LEAST_QUEUED;
		o.is_usable[kind] =
			(o.is_cut[kind] || is_forced) && (is_udp || !kinds[kind].is_udp);
	}
	free(f.strings);
	free(f.state);
	if (rc)
		sp_offload_close(&o);
	else
		*ret_offload = o;
	return rc;
}

void sp_offload_close(struct sp_offload *offload)
{
	if (offload->direct_fd >= 0)
		close(offload->direct_fd);
	if (offload->queued_fd >= 0)
		close(offload->queued_fd);
	*offload = (struct sp_offload){.direct_fd = -1, .queued_fd = -1};
}

/* A full device and one that no longer cuts give the same answer, ENOBUFS. */
static bool is_still_cut(const struct sp_offload *o, enum sp_burst_kind kind)
{
	struct features f = {0};
	bool still =
		features_read(o->direct_fd, o->ifindex, &f) == 0 && is_on(&f, kinds[kind].feature);

	free(f.strings);
	free(f.state);
	return still;
}

bool sp_offload_is_lost(struct sp_offload *o, enum sp_burst_kind kind, int error)
{
	if (error == EAGAIN || (error == ENOBUFS && (!o->is_cut[kind] || is_still_cut(o, kind))))
		return false;
	o->is_usable[kind] = false;
	return true;
}

bool sp_offload_is_any(const struct sp_offload *offload)
{
	for (int kind = 0; kind < SP_BURST_KINDS; kind++) {
		if (offload->is_usable[kind])
			return true;
	}
	return false;
}

/* Lengths of the whole, and the sum that the device goes on from. */
static void speak_for_all(const struct sp_burst *b, uint8_t *head)
{
	const struct sp_burst_frame *f = &b->head;
	uint32_t l4_bytes = (uint32_t)f->payload_off - f->l4_off + b->payload_bytes;
	bool is_v4 = f->kind == SP_BURST_TCP4 || f->kind == SP_BURST_UDP4;
	uint8_t *ip = head + SP_ETH_BYTES, *l4 = head + f->l4_off;
	uint8_t proto = kinds[f->kind].is_udp ? SP_PROTO_UDP : SP_PROTO_TCP;
	/* A 16-bit length: coalescing stays below. */
	uint64_t sum = (uint64_t)sp_swap16((uint16_t)l4_bytes) + sp_swap16(proto);

	if (is_v4) {
		sp_store16(ip + 2, sp_swap16((uint16_t)(SP_IPV4_BYTES + l4_bytes)));
		sp_store16(ip + 10, 0);
		sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)));
	} else {
		sp_store16(ip + 4, sp_swap16((uint16_t)l4_bytes));
	}
	sum = sp_csum_partial(is_v4 ? ip + 12 : ip + 8, is_v4 ? 8 : 32, sum);
	if (proto == SP_PROTO_UDP)
		sp_store16(l4 + 4, sp_swap16((uint16_t)l4_bytes));
	sp_store16(l4 + (proto == SP_PROTO_UDP ? 6 : 16), sp_csum_fold(sum));
}

void sp_offload_head(const struct sp_bursts *bursts, const struct sp_burst *b,
		     struct sp_offload_head *ret_head)
{
	const struct sp_tx *first = &bursts->frames[b->first], *last = &bursts->frames[b->last];
	const struct sp_burst_frame *f = &b->head;
	uint8_t *l4 = ret_head->bytes + f->l4_off;
	bool is_udp = kinds[f->kind].is_udp;

	memcpy(ret_head->bytes, first->data, f->payload_off);
	ret_head->vnet = (struct virtio_net_hdr){.hdr_len = f->payload_off};
	if (b->count == 1 && !first->udp_off)
		return; /* finished as it is */
	ret_head->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ret_head->vnet.csum_start = f->l4_off;
	ret_head->vnet.csum_offset = is_udp ? 6 : 16;
	if (b->count > 1) {
		ret_head->vnet.gso_type = kinds[f->kind].gso_type;
		ret_head->vnet.gso_size = (uint16_t)f->payload_bytes;
	}
	speak_for_all(b, ret_head->bytes);
	if (!is_udp) /* PSH and FIN of the last segment */
		l4[13] |= last->data[f->l4_off + 13];
}
