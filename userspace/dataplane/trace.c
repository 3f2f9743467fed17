// SPDX-License-Identifier: Apache-2.0
#include "dataplane/trace.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/state.h"
#include "sallyport/core/checksum.h"
#include "trace.skel.h"

#define FRAME_BYTES 128	 /* the longest that is made here has 74 */
#define RING_BYTES  4096 /* what the program would ask of the daemon goes nowhere */

/* --- the program: the gateway's maps, but its own where a CPU has something for itself --- */

static bool is_own(const struct bpf_map *map)
{
	enum bpf_map_type type = bpf_map__type(map);

	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_RINGBUF ||
	       bpf_map__is_internal(map);
}

static int share_maps(struct bpf_object *from, struct bpf_object *to)
{
	struct bpf_map *map;
	int r = 0;

	bpf_object__for_each_map(map, to)
	{
		const struct bpf_map *shared =
			bpf_object__find_map_by_name(from, bpf_map__name(map));

		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			r = bpf_map__set_max_entries(map, RING_BYTES);
		else if (!is_own(map))
			r = shared ? bpf_map__reuse_fd(map, bpf_map__fd(shared)) : -EPROTO;
		if (r < 0)
			return r;
	}
	return 0;
}

static int load(struct sp_dataplane *dp)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "trace");
	_cleanup_bpf_object_ struct bpf_object *object = NULL;
	const void *elf;
	size_t elf_bytes;
	int r;

	elf = trace_bpf__elf_bytes(&elf_bytes);
	object = bpf_object__open_mem(elf, elf_bytes, &opts);
	if (!object)
		return -errno;
	r = share_maps(dp->object, object);
	if (!r)
		r = bpf_object__load(object);
	if (r < 0)
		return r;
	dp->trace_fds[SP_TRACE_WIRE] =
		bpf_program__fd(bpf_object__find_program_by_name(object, "sp_trace_wire"));
	dp->trace_fds[SP_TRACE_USER] =
		bpf_program__fd(bpf_object__find_program_by_name(object, "sp_trace_user"));
	dp->trace = TAKE_PTR(object);
	return 0;
}

/* A gateway without it forwards as well: it is only asked less exactly. */
void sp_trace_open(struct sp_dataplane *dp)
{
	int r = load(dp);

	if (r < 0)
		sp_warning(
			"dataplane: failed to load the trace programs: %s: tests and traces walk "
			"the policy in user space",
			strerror(-r));
}

void sp_trace_close(struct sp_dataplane *dp)
{
	bpf_object__close(dp->trace);
}

bool sp_dataplane_can_trace(const struct sp_dataplane *dp)
{
	return dp->trace != NULL;
}

/* --- frames --- */

struct frame {
	uint8_t b[FRAME_BYTES];
	uint32_t n;
};

static uint8_t *grow(struct frame *f, uint32_t bytes)
{
	uint8_t *p = f->b + f->n;

	f->n += bytes;
	return p;
}

static uint32_t l4_bytes(uint8_t proto)
{
	return proto == SP_PROTO_TCP ? SP_TCP_BYTES : 8;
}

static void add_ip(struct frame *f, const struct sp_trace_packet *p, uint32_t payload_bytes)
{
	bool v4 = sp_addr_is_v4(&p->src);
	uint8_t *ip = grow(f, v4 ? SP_IPV4_BYTES : SP_IPV6_BYTES);

	if (v4) {
		ip[0] = 0x45;
		sp_store16(ip + 2, sp_swap16((uint16_t)(SP_IPV4_BYTES + payload_bytes)));
		ip[8] = 64;
		ip[9] = p->proto;
		memcpy(ip + 12, p->src.b + 12, 4);
		memcpy(ip + 16, p->dst.b + 12, 4);
		sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, SP_IPV4_BYTES, 0)));
		return;
	}
	ip[0] = 0x60;
	sp_store16(ip + 4, sp_swap16((uint16_t)payload_bytes));
	ip[6] = p->proto;
	ip[7] = 64;
	memcpy(ip + 8, p->src.b, 16);
	memcpy(ip + 24, p->dst.b, 16);
}

/* Offset of the checksum; 0: it has none. */
static uint32_t add_l4(struct frame *f, const struct sp_trace_packet *p)
{
	uint8_t *h = grow(f, l4_bytes(p->proto));

	switch (p->proto) {
	case SP_PROTO_TCP:
		sp_store16(h, p->sport_be);
		sp_store16(h + 2, p->dport_be);
		h[12] = 5 << 4;
		h[13] = SP_TCP_SYN;
		sp_store16(h + 14, 0xffff);
		return 16;
	case SP_PROTO_UDP:
		sp_store16(h, p->sport_be);
		sp_store16(h + 2, p->dport_be);
		sp_store16(h + 4, sp_swap16(SP_UDP_BYTES));
		return 6;
	case SP_PROTO_ICMP:
	case SP_PROTO_ICMPV6:
		sp_store16(h, sp_swap16(p->icmp));
		sp_store16(h + 4, p->sport_be);
		return 2;
	default:
		return 0;
	}
}

static void make_frame(const struct sp_trace_packet *p, struct frame *f)
{
	bool v4 = sp_addr_is_v4(&p->src);
	uint32_t bytes = l4_bytes(p->proto), check, l4;
	uint64_t sum = 0;

	*f = (struct frame){0};
	memcpy(grow(f, 6), p->dmac, 6);
	grow(f, 6)[0] = 0x02; /* locally administered: of nobody */
	sp_store16(grow(f, 2), sp_swap16(v4 ? SP_ETHERTYPE_IPV4 : SP_ETHERTYPE_IPV6));
	add_ip(f, p, bytes);
	l4 = f->n;
	check = add_l4(f, p);
	if (!check)
		return;
	if (p->proto != SP_PROTO_ICMP)
		sum = sp_csum_pseudo(&p->src, &p->dst, p->proto, bytes);
	sp_store16(f->b + l4 + check,
		   (uint16_t)~sp_csum_fold(sp_csum_partial(f->b + l4, bytes, sum)));
}

/* --- asking --- */

int sp_dataplane_trace_frame(struct sp_dataplane *dp, uint32_t ifindex,
			     const struct sp_trace *asked, const void *frame, uint32_t bytes,
			     struct sp_trace *ret_said)
{
	struct {
		struct sp_trace trace;
		uint8_t frame[SP_TRACE_FRAME_MAX];
	} in, out;
	uint32_t size = (uint32_t)sizeof(in.trace) + bytes;
	struct xdp_md ctx = {.data_end = size, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &in, .data_size_in = size, .data_out = &out,
		    .data_size_out = sizeof(out), .repeat = 1);
	int r;

	if (bytes > SP_TRACE_FRAME_MAX || asked->as > SP_TRACE_USER)
		return -EINVAL;
	if (!dp->trace)
		return -EOPNOTSUPP;
	in.trace = *asked;
	in.trace.magic = SP_TRACE_MAGIC;
	memcpy(in.frame, frame, bytes);
	if (ifindex) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	r = bpf_prog_test_run_opts(dp->trace_fds[asked->as], &opts);
	if (r < 0)
		return r;
	if (opts.retval != XDP_PASS || opts.data_size_out < sizeof(out.trace) ||
	    out.trace.magic != SP_TRACE_MAGIC || out.trace.bucket_count > SP_TRACE_BUCKETS)
		return -EPROTO;
	*ret_said = out.trace;
	return 0;
}

int sp_dataplane_trace(struct sp_dataplane *dp, uint32_t ifindex, const struct sp_trace *asked,
		       const struct sp_trace_packet *packet, struct sp_trace *ret_said)
{
	struct frame f;

	make_frame(packet, &f);
	return sp_dataplane_trace_frame(dp, ifindex, asked, f.b, f.n, ret_said);
}
