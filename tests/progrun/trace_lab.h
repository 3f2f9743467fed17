/* SPDX-License-Identifier: Apache-2.0 */
/* The trace programs beside the real one, on the same maps; what a map held, as one number. Tests only. */
#ifndef SP_TESTS_PROGRUN_TRACE_LAB_H
#define SP_TESTS_PROGRUN_TRACE_LAB_H

#include "dataplane/state.h"
#include "dataplane/trace.h"
#include "progrun/plain_lab.h"

static struct sp_dataplane traced;

static inline void trace_open(void)
{
	plain_open();
	traced.object = skel->obj;
	sp_trace_open(&traced);
	cr_assert(sp_dataplane_can_trace(&traced), "the verifier refuses the trace programs");
}

static inline void trace_close(void)
{
	sp_trace_close(&traced);
	progrun_close();
}

static inline struct sp_trace trace_frame(const struct frame *f, struct sp_trace asked)
{
	struct sp_trace said;
	uint32_t ifindex = asked.as == SP_TRACE_WIRE ? LOOPBACK : 0;
	int r = sp_dataplane_trace_frame(&traced, ifindex, &asked, f->b, f->n, &said);

	cr_assert_eq(r, 0, "BPF_PROG_RUN: %s", strerror(-r));
	return said;
}

static inline struct sp_trace trace_wire(const struct frame *f)
{
	return trace_frame(f, (struct sp_trace){.as = SP_TRACE_WIRE, .now_ns = now_ns()});
}

static inline uint64_t mix(uint64_t sum, const void *bytes, size_t n)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ b[i]) * 0x100000001b3ull; /* FNV-1a */
	return sum;
}

/* Every entry, whatever their order. */
static inline uint64_t map_sum(int fd, size_t key_bytes, size_t value_bytes)
{
	_Alignas(8) uint8_t key[64], next[64], value[256] = {0};
	uint64_t sum = 0;
	int more = bpf_map_get_next_key(fd, NULL, next);

	while (more == 0) {
		memcpy(key, next, sizeof(key));
		cr_assert_eq(bpf_map_lookup_elem(fd, key, value), 0);
		sum += mix(mix(0xcbf29ce484222325ull, key, key_bytes), value, value_bytes);
		more = bpf_map_get_next_key(fd, key, next);
	}
	return sum;
}

/* All that a stage could write to. */
static inline uint64_t world_sum(void)
{
	uint32_t hop_id = HOP;
	struct sp_nexthop hop;
	uint64_t sum = 0;

	sum = sum * 31 + map_sum(MAP_FD(sp_flows), 40, sizeof(struct sp_flow));
	sum = sum * 31 + map_sum(MAP_FD(sp_bindings), 24, sizeof(struct sp_binding));
	sum = sum * 31 + map_sum(MAP_FD(sp_ports), 24, sizeof(struct sp_port));
	sum = sum * 31 + map_sum(MAP_FD(sp_sessions), 4, sizeof(struct sp_session));
	sum = sum * 31 + map_sum(MAP_FD(sp_fragments), 40, sizeof(struct sp_fragment));
	sum = sum * 31 + map_sum(MAP_FD(sp_sources), 16, sizeof(struct sp_source));
	cr_assert_eq(bpf_map_lookup_elem(MAP_FD(sp_nexthops), &hop_id, &hop), 0);
	sum = mix(sum, &hop, sizeof(hop));
	sum = mix(sum, gateway, sizeof(*gateway));
	sum = mix(sum, users, 64 * sizeof(*users));
	sum = mix(sum, buckets, 64 * sizeof(*buckets));
	return mix(sum, lanes,
		   (size_t)libbpf_num_possible_cpus() * SP_DROP_STRIDE * sizeof(*lanes));
}

#endif
