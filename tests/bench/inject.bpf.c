/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator's hands: live frames filled from a ring and sent out of one device; a sink. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include "inject.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct inject_slot);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} port SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

const volatile __u32 slots;   /* of the ring in use */
const volatile __u32 is_loop; /* begin again at its end */
const volatile __u32 flows;   /* of inject_flow */
const volatile __u32 first_flow;

__u64 injected;
__u64 delivered; /* packets that the sink saw, segments counted one by one */
__u64 delivered_buffers;
struct inject_sample samples[INJECT_SAMPLES];

static __always_inline void sample(__u64 n)
{
	struct inject_sample *s;

	if (n >= INJECT_SAMPLES)
		return;
	/* The verifier loses the bound across the call below otherwise. */
	asm volatile("" : "+r"(n));
	s = &samples[n & (INJECT_SAMPLES - 1)];
	s->now_ns = bpf_ktime_get_ns();
	s->delivered = *(volatile __u64 *)&delivered;
}

/* The slot's frame instead of the packet, which is of about the same length. */
static __always_inline int fill(struct xdp_md *ctx, struct inject_slot *slot)
{
	__u32 bytes = slot->bytes;

	if (bytes < 14 || bytes > INJECT_FRAME_MAX)
		return -1;
	if (ctx->data_end - ctx->data != bytes &&
	    bpf_xdp_adjust_tail(ctx, (int)bytes - (int)(ctx->data_end - ctx->data)))
		return -1;
	return bpf_xdp_store_bytes(ctx, 0, slot->frame, bytes);
}

static __always_inline __u64 count(void)
{
	__u64 n = injected++;

	if (!(n & ((1 << INJECT_SAMPLE_SHIFT) - 1)))
		sample(n >> INJECT_SAMPLE_SHIFT);
	return n;
}

SEC("xdp")
int inject(struct xdp_md *ctx)
{
	__u64 n = count();
	__u32 at = is_loop ? n % slots : n;
	struct inject_slot *slot = bpf_map_lookup_elem(&ring, &at);

	if (!slot || fill(ctx, slot))
		return XDP_DROP;
	return bpf_redirect_map(&port, 0, 0);
}

/* A checksum over data in which a and b were zero. */
static __always_inline __u16 with(__u16 check, __u32 a, __u32 b)
{
	__u32 sum = (__u16)~check + (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16) ~(sum + (sum >> 16));
}

/* One flow after the other: sources first, then the next destination. */
SEC("xdp")
int inject_flow(struct xdp_md *ctx)
{
	__u32 flow = first_flow + count() % flows, zero = 0;
	struct inject_slot *slot = bpf_map_lookup_elem(&ring, &zero);
	struct udphdr *udp;
	struct iphdr *ip;

	if (!slot || fill(ctx, slot))
		return XDP_DROP;
	ip = (void *)(long)(ctx->data + sizeof(struct ethhdr));
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	ip->saddr = bpf_htonl(INJECT_SOURCE + (flow & (INJECT_SOURCES - 1)));
	ip->daddr = bpf_htonl(INJECT_DESTINATION + (flow >> INJECT_SOURCE_BITS));
	ip->check = with(ip->check, ip->saddr, ip->daddr);
	udp->check = with(udp->check, ip->saddr, ip->daddr);
	return bpf_redirect_map(&port, 0, 0);
}

/* Everything that is not ARP ends here; a buffer of many segments counts as many packets. */
SEC("tc")
int sink(struct __sk_buff *skb)
{
	if (skb->protocol == 0x0608)
		return 0;
	delivered += skb->gso_segs ? skb->gso_segs : 1;
	delivered_buffers++;
	return 2;
}

SEC("xdp")
int sink_xdp(struct xdp_md *ctx)
{
	delivered++;
	delivered_buffers++;
	return XDP_DROP;
}

/* The limits of forwarding and of dropping: link addresses written, nothing looked up but the port. */
SEC("xdp")
int forward(struct xdp_md *ctx)
{
	static const __u8 dst[ETH_ALEN] = {2, 0, 0, 0, 2, 2}, src[ETH_ALEN] = {2, 0, 0, 0, 2, 1};
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(eth->h_dest, dst, ETH_ALEN);
	__builtin_memcpy(eth->h_source, src, ETH_ALEN);
	return bpf_redirect_map(&port, 0, 0);
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&xsks, 0, XDP_PASS);
}

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Apache-2.0";
