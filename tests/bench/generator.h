/* SPDX-License-Identifier: Apache-2.0 */
/* The generator's state, and its packets' way into the ring. One thread. */
#ifndef SP_TESTS_BENCH_GENERATOR_H
#define SP_TESTS_BENCH_GENERATOR_H

#include "bench/client.h"
#include "bench/inject.h"
#include "bench/usage.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/mman.h>

#include "bench/inject.skel.h"

#define GENERATOR_WAYS 5

struct generator;
struct generator_way {
	const char *name;
	bool is_tunnel, is_loop; /* loop: the gateway takes the same packet twice */
	bool is_template;	 /* one packet; the kernel writes each flow's addresses */
	const char *in, *out; /* devices: packets go into one and come out of the other, or NULL */
	void (*fill)(struct generator *g);
};
extern const struct generator_way generator_ways[GENERATOR_WAYS];

struct generator {
	struct sp_key gateway;
	const struct generator_way *way;
	uint32_t client_count, count, packets, burst, bytes, pid; /* packets: of the ring */
	uint32_t flows, first_flow, first_client;
	uint32_t rate; /* packets a second, in bursts 40 times a second; 0 = as fast as it goes */
	uint16_t dport;
	bool is_each_new; /* up: every packet begins a flow */
	bool has_mac1;	  /* flood: as somebody who knows the gateway's public key */
	bool is_xdp_sink, is_latency;
	struct client *clients;
	const struct sp_aead_ops *ops;
	struct sp_aead *aead;
	struct inject_bpf *bpf;
	struct inject_slot *ring;
};

uint32_t generator_bytes(const struct generator *g, uint32_t i);

static inline const struct generator_way *generator_way(const char *name)
{
	for (unsigned int i = 0; i < GENERATOR_WAYS; i++) {
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

static inline struct bpf_program *generator_program(const struct generator *g)
{
	return g->way->is_template ? g->bpf->progs.inject_flow : g->bpf->progs.inject;
}

static inline void generator_load(struct generator *g)
{
	uint32_t zero = 0, ifindex = if_nametoindex(g->way->in);

	g->bpf = inject_bpf__open();
	MUST(g->bpf && ifindex);
	g->bpf->rodata->slots = g->packets;
	g->bpf->rodata->is_loop = g->way->is_loop;
	g->bpf->rodata->flows = g->flows;
	g->bpf->rodata->first_flow = g->first_flow;
	MUST(bpf_map__set_max_entries(g->bpf->maps.ring, g->packets) == 0);
	MUST(inject_bpf__load(g->bpf) == 0);
	MUST(bpf_map_update_elem(bpf_map__fd(g->bpf->maps.port), &zero, &ifindex, 0) == 0);
	g->ring = mmap(NULL, (size_t)g->packets * sizeof(*g->ring), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, bpf_map__fd(g->bpf->maps.ring), 0);
	MUST(g->ring != MAP_FAILED);
}

#endif
