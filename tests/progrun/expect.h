/* SPDX-License-Identifier: Apache-2.0 */
/* One packet in; verdict, bytes, drop cell and metadata out. Tests only. */
#ifndef SP_TESTS_PROGRUN_EXPECT_H
#define SP_TESTS_PROGRUN_EXPECT_H

#include <linux/bpf.h>

#include "progrun/progrun.h"

#define ANSWERED 0x100 /* an action: dropped, and sent back as its own answer */

struct outcome {
	uint32_t action;
	struct sp_meta meta; /* of a redirect */
	uint8_t b[FRAME_MAX];
	uint32_t n;
};

/* Sum over the CPUs' lanes; which < 0: over all cells. */
static inline struct sp_drop_cell drops_of(int which)
{
	uint32_t cpus = (uint32_t)libbpf_num_possible_cpus();
	struct sp_drop_cell sum = {0};

	for (uint32_t i = 0; i < cpus * SP_DROP_STRIDE; i++) {
		if (which >= 0 && i % SP_DROP_STRIDE != (uint32_t)which)
			continue;
		sum.packets += lanes[i].packets;
		sum.bytes += lanes[i].bytes;
		if (lanes[i].last_ns > sum.last_ns)
			sum.last_ns = lanes[i].last_ns;
	}
	return sum;
}

static inline struct outcome progrun(const struct frame *f)
{
	struct outcome o = {.n = 0};
	uint8_t out[FRAME_MAX + 64];
	struct xdp_md ctx = {.data_end = f->n, .ingress_ifindex = LOOPBACK};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->b, .data_size_in = f->n, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .ctx_out = &ctx, .ctx_size_out = sizeof(ctx), .repeat = 1);
	int r = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sp_xdp), &opts);

	cr_assert_eq(r, 0, "BPF_PROG_RUN: %s", strerror(-r));
	o.action = opts.retval;
	o.n = opts.data_size_out;
	if (o.action == XDP_REDIRECT && ctx.data != ctx.data_meta) {
		cr_assert_eq(ctx.data - ctx.data_meta, sizeof(o.meta));
		memcpy(&o.meta, out, sizeof(o.meta));
		o.n -= (uint32_t)sizeof(o.meta);
		memcpy(o.b, out + sizeof(o.meta), o.n);
	} else {
		memcpy(o.b, out, o.n);
	}
	return o;
}

static inline struct outcome expect(const struct frame *f, uint32_t action,
				    enum sp_direction direction, enum sp_reason reason,
				    const char *row)
{
	int cell = (int)(direction * (SP_DROP_STRIDE / 4) + reason);
	struct sp_drop_cell before = drops_of(cell), all = drops_of(-1), after;
	uint64_t drops = action == XDP_DROP || action == ANSWERED;
	uint64_t start_ns = now_ns();
	struct outcome o = progrun(f);

	action = action == ANSWERED ? XDP_REDIRECT : action;
	after = drops_of(cell);
	if (o.action != action || after.packets != before.packets + drops)
		for (int i = 0; i < SP_DROP_STRIDE; i++)
			if (drops_of(i).packets)
				cr_log_warn("%s: cell %d/%d has %llu", row, i / 64, i % 64,
					    drops_of(i).packets);
	cr_assert_eq(o.action, action, "%s: action %u, not %u", row, o.action, action);
	cr_assert_eq(drops_of(-1).packets, all.packets + drops, "%s: drops counted", row);
	if (drops) {
		cr_assert_eq(after.packets, before.packets + 1, "%s: another reason", row);
		cr_assert_eq(after.bytes, before.bytes + f->n, "%s: bytes", row);
		cr_assert_geq(after.last_ns, start_ns, "%s: time", row);
	}
	return o;
}

static inline void expect_drop(const struct frame *f, enum sp_direction direction,
			       enum sp_reason reason, const char *row)
{
	(void)expect(f, XDP_DROP, direction, reason, row);
}

/* To the kernel, and not a byte of it changed. */
static inline void expect_pass(const struct frame *f, const char *row)
{
	struct outcome o = expect(f, XDP_PASS, SP_DIR_HOST, SP_R_NONE, row);

	cr_assert_eq(o.n, f->n, "%s: length", row);
	cr_assert_eq(memcmp(o.b, f->b, f->n), 0, "%s: bytes", row);
}

/* To the worker; want is the frame as it must look then. */
static inline struct sp_meta expect_worker(const struct frame *f, const struct frame *want,
					   enum sp_meta_kind kind, const char *row)
{
	struct outcome o = expect(f, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, row);

	cr_assert_eq(o.n, want->n, "%s: length", row);
	for (uint32_t i = 0; i < o.n; i++)
		cr_assert_eq(o.b[i], want->b[i], "%s: byte %u is %02x, not %02x", row, i, o.b[i],
			     want->b[i]);
	cr_assert_eq(o.meta.magic, SP_META_MAGIC, "%s", row);
	cr_assert_eq(o.meta.kind, kind, "%s", row);
	cr_assert_eq(o.meta.ifindex, LOOPBACK, "%s", row);
	cr_assert_eq(o.meta.l3_off, f->l3, "%s", row);
	return o.meta;
}

/* Out of an interface, as want. */
static inline void expect_out(const struct frame *f, const struct frame *want, const char *row)
{
	struct outcome o = expect(f, XDP_REDIRECT, SP_DIR_HOST, SP_R_NONE, row);

	cr_assert_eq(o.meta.magic, 0, "%s: it went to a worker", row);
	cr_assert_eq(o.n, want->n, "%s: length", row);
	for (uint32_t i = 0; i < o.n; i++)
		cr_assert_eq(o.b[i], want->b[i], "%s: byte %u is %02x, not %02x", row, i, o.b[i],
			     want->b[i]);
}

#endif
