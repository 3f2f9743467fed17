/* SPDX-License-Identifier: Apache-2.0 */
/* The load generator's hands: live frames filled from a ring and sent out of one device; a sink. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

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

SEC("xdp")
int inject(struct xdp_md *ctx)
{
	__u64 n = injected++;
	__u32 at = is_loop ? n % slots : n;
	struct inject_slot *slot = bpf_map_lookup_elem(&ring, &at);
	__u32 bytes;

	if (!slot)
		return XDP_DROP;
	if (!(n & ((1 << INJECT_SAMPLE_SHIFT) - 1)))
		sample(n >> INJECT_SAMPLE_SHIFT);
	bytes = slot->bytes;
	if (bytes < 14 || bytes > INJECT_FRAME_MAX)
		return XDP_DROP;
	if (ctx->data_end - ctx->data != bytes &&
	    bpf_xdp_adjust_tail(ctx, (int)bytes - (int)(ctx->data_end - ctx->data)))
		return XDP_DROP;
	if (bpf_xdp_store_bytes(ctx, 0, slot->frame, bytes))
		return XDP_DROP;
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
