/* SPDX-License-Identifier: Apache-2.0 */
/* What telling of drops costs: the loaded program drops one packet a million times (BPF_PROG_RUN). */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gateway.skel.h"
#include "sallyport/abi/event.h"
#include "sallyport/abi/gateway.h"
#include "sallyport/abi/verdict.h"

#define ROUNDS 15
#define REPEAT 500000

static struct gateway_bpf *skel;
static struct sp_gateway *gateway;

static void fail(const char *what)
{
	fprintf(stderr, "drop: failed to %s: %s\n", what, strerror(errno));
	exit(1);
}

static void open_program(void)
{
	uint32_t cpus = (uint32_t)libbpf_num_possible_cpus();

	skel = gateway_bpf__open();
	if (!skel)
		fail("open the program");
	bpf_map__set_max_entries(skel->maps.sp_drop_lanes, cpus * SP_DROP_STRIDE);
	bpf_map__set_max_entries(skel->maps.sp_drop_paces, cpus * SP_PACE_STRIDE);
	bpf_map__set_max_entries(skel->maps.sp_forward_lanes, cpus * SP_FORWARD_STRIDE);
	if (gateway_bpf__load(skel))
		fail("load the program (as root?)");
	gateway = mmap(NULL, sizeof(*gateway), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(skel->maps.sp_gateway), 0);
	if (gateway == MAP_FAILED)
		fail("map sp_gateway");
	gateway->abi = SP_ABI_VERSION;
	gateway->open = 1;
}

/* TCP to an address of nobody's: not_for_us, after every stage. */
static uint32_t make_frame(uint8_t frame[static 128])
{
	static const uint8_t bytes[] = {
		2,    0,    0,	 0,   0,   1, 2,    0, 0,  0, 0, 2, 8,	  0, /* Ethernet */
		0x45, 0,    0,	 40,  0,   1, 0x40, 0, 64, 6, 0, 0,	     /* IPv4 */
		198,  51,   100, 7,   203, 0, 113,  9,			     /* from, to */
		0x30, 0x39, 1,	 187, 0,   0, 0,    1, 0,  0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
	};

	memset(frame, 0, 128);
	memcpy(frame, bytes, sizeof(bytes));
	return sizeof(bytes);
}

static double run(uint32_t cost_ns)
{
	uint8_t frame[128];
	uint32_t n = make_frame(frame);
	struct xdp_md ctx = {.data_end = n, .ingress_ifindex = 1};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = n, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = REPEAT);

	gateway->event_cost_ns = cost_ns;
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sp_xdp), &opts))
		fail("run the program");
	if (opts.retval != XDP_DROP)
		fail("have it drop");
	return opts.duration;
}

static int take_event(void *ctx, void *data, size_t bytes)
{
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *list)
{
	qsort(list, ROUNDS, sizeof(*list), by_value);
	return list[ROUNDS / 2];
}

int main(void)
{
	static const struct {
		const char *name;
		uint32_t cost_ns;
	} ways[] = {{"off", 0}, {"50 a second", 20000000}, {"10000 a second", 100000}};
	double ns[3][ROUNDS], more[3][ROUNDS];
	struct ring_buffer *ring;

	open_program();
	ring = ring_buffer__new(bpf_map__fd(skel->maps.sp_drop_events), take_event, NULL, NULL);
	for (int r = -1; ring && r < ROUNDS; r++) {
		for (int i = 0; i < 3; i++) {
			/* Forth and back, so that what drifts meets all alike. */
			int w = r & 1 ? 2 - i : i;
			double took = run(ways[w].cost_ns);

			ring_buffer__consume(ring);
			if (r >= 0)
				ns[w][r] = took;
		}
	}
	for (int w = 0; w < 3; w++)
		for (int r = 0; r < ROUNDS; r++)
			more[w][r] = 100 * (ns[w][r] / ns[0][r] - 1);
	printf("a drop of not_for_us, %d rounds of %d: median ns, and how much more than off\n",
	       ROUNDS, REPEAT);
	for (int w = 0; w < 3; w++) {
		double percent = median(more[w]);

		printf("  events %-15s %5.0f ns  %+5.1f %%\n", ways[w].name, median(ns[w]),
		       percent);
	}
	ring_buffer__free(ring);
	gateway_bpf__destroy(skel);
	return 0;
}
