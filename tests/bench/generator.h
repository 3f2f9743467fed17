/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's state, and how it gets its packets into a device and counts them. One thread. */
#ifndef SP_TESTS_BENCH_GENERATOR_H
#define SP_TESTS_BENCH_GENERATOR_H

#include "bench/client.h"
#include "bench/inject.h"
#include "bench/usage.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/mman.h>

#include "bench/inject.skel.h"

struct generator;
struct generator_way {
	const char *name;
	bool is_tunnel, is_loop; /* loop: the gateway takes the same packet twice */
	const char *in, *out;	 /* devices: packets go into one and come out of the other */
	void (*fill)(struct generator *g);
};
extern const struct generator_way generator_ways[3];

struct generator {
	struct sp_key gateway;
	const struct generator_way *way;
	uint32_t client_count, count, packets, burst, bytes, pid; /* packets: of the ring */
	struct client *clients;
	const struct sp_aead_ops *ops;
	struct sp_aead *aead;
	struct inject_bpf *bpf;
	struct inject_slot *ring;
};

uint32_t generator_bytes(const struct generator *g, uint32_t i);

static inline const struct generator_way *generator_way(const char *name)
{
	for (unsigned int i = 0; i < 3; i++) {
		if (!strcmp(name, generator_ways[i].name))
			return &generator_ways[i];
	}
	return NULL;
}

/* Every frame that arrives at a device. */
static inline int generator_tap(const char *device)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex(device)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP));

	MUST(fd >= 0 && at.sll_ifindex && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return fd;
}

static inline void generator_load(struct generator *g)
{
	uint32_t zero = 0, ifindex = if_nametoindex(g->way->in);

	g->bpf = inject_bpf__open();
	MUST(g->bpf && ifindex);
	g->bpf->rodata->slots = g->packets;
	g->bpf->rodata->is_loop = g->way->is_loop;
	MUST(bpf_map__set_max_entries(g->bpf->maps.ring, g->packets) == 0);
	MUST(inject_bpf__load(g->bpf) == 0);
	MUST(bpf_map_update_elem(bpf_map__fd(g->bpf->maps.port), &zero, &ifindex, 0) == 0);
	g->ring = mmap(NULL, (size_t)g->packets * sizeof(*g->ring), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, bpf_map__fd(g->bpf->maps.ring), 0);
	MUST(g->ring != MAP_FAILED);
}

static inline void generator_sink(struct generator *g)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(g->way->out),
			    .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(g->bpf->progs.sink));

	bpf_tc_hook_destroy(&hook); /* of a run that was stopped */
	MUST(bpf_tc_hook_create(&hook) == 0);
	MUST(bpf_tc_attach(&hook, &opts) == 0);
}

static inline void generator_unsink(struct generator *g)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(g->way->out),
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

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

static inline void generator_inject(struct generator *g)
{
	uint8_t frame[INJECT_FRAME_MAX] = {0};
	uint32_t bytes = 0;
	struct usage before, after;
	double seconds;

	for (uint32_t i = 0; i < g->packets && i < 64; i++)
		bytes = g->ring[i].bytes > bytes ? g->ring[i].bytes : bytes;
	generator_sink(g);
	before = usage_read(g->pid);
	before.packets = g->bpf->bss->delivered;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = bytes,
			    .repeat = (int)g->count, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	MUST(bpf_prog_test_run_opts(bpf_program__fd(g->bpf->progs.inject), &opts) == 0);
	after = usage_read(g->pid);
	after.packets = generator_delivered(g);
	usleep(100000);
	seconds = (double)(after.now_ns - before.now_ns) / 1e9;
	after.packets -= before.packets;
	printf("{\"offered_pps\": %.0f, \"delivered_pps\": %.0f, \"injected\": %llu, "
	       "\"delivered\": %llu, \"buffers\": %llu, \"seconds\": %.3f, "
	       "\"gateway_cpu_ns\": %.0f, \"system_cpu_ns\": %.0f}\n",
	       (double)g->bpf->bss->injected / seconds, generator_rate(g), g->bpf->bss->injected,
	       generator_delivered(g), g->bpf->bss->delivered_buffers, seconds,
	       (double)(after.process_ns - before.process_ns) / (double)after.packets,
	       (double)(after.system_ns - before.system_ns) / (double)after.packets);
	generator_unsink(g);
	inject_bpf__destroy(g->bpf);
}

#endif
