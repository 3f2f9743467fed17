/* SPDX-License-Identifier: Apache-2.0 */
/* How the generator's packets get into a device, and how what comes out is counted. One thread. */
#ifndef SP_TESTS_BENCH_GENERATOR_RUN_H
#define SP_TESTS_BENCH_GENERATOR_RUN_H

#include "bench/generator.h"

/* An XDP sink is what a redirect into a veth needs at its far end; the kernel's own packets end in tc. */
static inline void generator_sink(struct generator *g)
{
	int ifindex = g->way->out ? (int)if_nametoindex(g->way->out) : 0;
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(g->bpf->progs.sink));

	if (!g->way->out)
		return;
	if (g->is_xdp_sink) {
		MUST(bpf_xdp_attach(ifindex, bpf_program__fd(g->bpf->progs.sink_xdp), 0, NULL) ==
		     0);
		return;
	}
	bpf_tc_hook_destroy(&hook); /* of a run that was stopped */
	MUST(bpf_tc_hook_create(&hook) == 0);
	MUST(bpf_tc_attach(&hook, &opts) == 0);
}

static inline void generator_unsink(struct generator *g)
{
	int ifindex = g->way->out ? (int)if_nametoindex(g->way->out) : 0;
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (!g->way->out)
		return;
	if (g->is_xdp_sink)
		bpf_xdp_detach(ifindex, 0, NULL);
	else
		bpf_tc_hook_destroy(&hook);
}

/* Packets a second out of the gateway, from what the samples saw between 20 % and 95 %. */
static inline double generator_rate(const struct generator *g)
{
	const struct inject_sample *s = g->bpf->bss->samples;
	uint64_t n = g->bpf->bss->injected >> INJECT_SAMPLE_SHIFT;
	uint64_t first = n / 5, last = n - n / 20 - 1;

	if (n > INJECT_SAMPLES || last <= first || last >= n)
		return 0;
	return (double)(s[last].delivered - s[first].delivered) * 1e9 /
	       (double)(s[last].now_ns - s[first].now_ns);
}

/* Another CPU's sink writes it. */
static inline unsigned long long generator_delivered(const struct generator *g)
{
	return __atomic_load_n(&g->bpf->bss->delivered, __ATOMIC_RELAXED);
}

static inline double generator_each(uint64_t ns, uint64_t packets)
{
	return packets ? (double)ns / (double)packets : 0;
}

static inline void generator_burst(const struct generator *g, uint32_t count)
{
	uint8_t frame[INJECT_FRAME_MAX] = {0};
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < g->packets && i < 64; i++)
		bytes = g->ring[i].bytes > bytes ? g->ring[i].bytes : bytes;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = bytes,
			    .repeat = (int)count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	MUST(bpf_prog_test_run_opts(bpf_program__fd(generator_program(g)), &opts) == 0);
}

static inline void generator_send(const struct generator *g)
{
	uint32_t burst = g->rate ? g->rate / 40 : g->count;
	uint64_t begin_ns = sp_clock_now_ns(), due_ns, now_ns;

	for (uint32_t sent = 0; sent < g->count; sent += burst) {
		burst = burst < g->count - sent ? burst : g->count - sent;
		generator_burst(g, burst);
		due_ns = g->rate ? begin_ns + (sent + burst) * SP_NS_PER_S / g->rate : 0;
		now_ns = sp_clock_now_ns();
		if (due_ns > now_ns)
			usleep((useconds_t)((due_ns - now_ns) / 1000));
	}
}

static inline void generator_inject(struct generator *g)
{
	struct usage before, after;
	double seconds;

	generator_sink(g);
	before = usage_read(g->pid);
	before.packets = g->bpf->bss->delivered;
	generator_send(g);
	after = usage_read(g->pid);
	after.packets = generator_delivered(g);
	usleep(100000);
	seconds = (double)(after.now_ns - before.now_ns) / 1e9;
	after.packets -= before.packets;
	after.process_ns -= before.process_ns;
	after.system_ns -= before.system_ns;
	printf("{\"offered_pps\": %.0f, \"delivered_pps\": %.0f, \"injected\": %llu, "
	       "\"delivered\": %llu, \"buffers\": %llu, \"seconds\": %.3f, "
	       "\"process_ns\": %llu, \"gateway_cpu_ns\": %.1f, \"system_cpu_ns\": %.1f}\n",
	       (double)g->bpf->bss->injected / seconds, generator_rate(g), g->bpf->bss->injected,
	       generator_delivered(g), g->bpf->bss->delivered_buffers, seconds,
	       (unsigned long long)after.process_ns,
	       generator_each(after.process_ns, after.packets),
	       generator_each(after.system_ns, after.packets));
	generator_unsink(g);
	inject_bpf__destroy(g->bpf);
}

#endif
