/* SPDX-License-Identifier: Apache-2.0 */
/* How long a packet is under way through the gateway, at an even rate. One thread. */
#ifndef SP_TESTS_BENCH_GENERATOR_LATENCY_H
#define SP_TESTS_BENCH_GENERATOR_LATENCY_H

#include "bench/generator_tunnel.h"

#define LATENCY_BYTES  128
#define LATENCY_DRAIN  200000000ull /* ns to wait for the last ones */
#define LATENCY_FIRST  10	    /* the first tenth warms up */
#define LATENCY_SOCKET (16 << 20)

struct latency {
	struct generator *g;
	int out, tap;
	uint64_t *sent_ns, received;
	double *us;
};

/* The kernel notes when the packet reached the far end's device. */
static inline void latency_receive(struct latency *l)
{
	uint8_t seen[256], control[64];
	struct iovec iov = {seen, sizeof(seen)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	const uint8_t *tcp = seen + SP_ETH_BYTES + SP_IPV4_BYTES;
	struct cmsghdr *c;
	struct timespec at;
	uint32_t i;

	while (msg.msg_controllen = sizeof(control), recvmsg(l->tap, &msg, MSG_DONTWAIT) > 0) {
		i = sp_swap32(sp_load32(tcp + 4));
		c = CMSG_FIRSTHDR(&msg);
		if (!c || c->cmsg_type != SCM_TIMESTAMPNS ||
		    seen[SP_ETH_BYTES + 9] != SP_PROTO_TCP || i >= l->g->count || !l->sent_ns[i])
			continue;
		memcpy(&at, CMSG_DATA(c), sizeof(at));
		if (i >= l->g->count / LATENCY_FIRST)
			l->us[l->received++] = (double)((uint64_t)at.tv_sec * SP_NS_PER_S +
							(uint64_t)at.tv_nsec - l->sent_ns[i]) /
					       1e3;
		l->sent_ns[i] = 0;
	}
}

static inline void latency_send(struct latency *l, uint32_t i)
{
	struct generator *g = l->g;
	struct client *c = &g->clients[i % g->client_count];
	struct sp_aead_key key = {SP_AEAD_CHACHA20_POLY1305, c->keys.send};
	uint8_t frame[512];
	uint32_t bytes;
	struct sp_aead_job job;

	c->seq = i;
	job = put_tunnel(c, frame, LATENCY_BYTES, &bytes);
	job.key = &key;
	g->ops->seal_batch(g->aead, &job, 1);
	wire_udp_checksum(frame + SP_ETH_BYTES);
	l->sent_ns[i] = sp_clock_realtime_ns();
	MUST(send(l->out, frame, bytes, 0) == (ssize_t)bytes || errno == ENOBUFS);
}

static inline void latency_open(struct latency *l, struct generator *g)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(g->way->in)};
	int on = 1, bytes = LATENCY_SOCKET;

	*l = (struct latency){.g = g,
			      .sent_ns = calloc(g->count, sizeof(*l->sent_ns)),
			      .us = calloc(g->count, sizeof(*l->us))};
	MUST(l->sent_ns && l->us && g->way->is_tunnel && g->rate);
	l->tap = generator_tap(g->way->out);
	l->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	MUST(l->out >= 0 && bind(l->out, (struct sockaddr *)&at, sizeof(at)) == 0);
	MUST(setsockopt(l->out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) == 0);
	MUST(setsockopt(l->tap, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0);
	MUST(setsockopt(l->tap, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0);
}

static inline double latency_at(const struct latency *l, double part)
{
	return l->received ? l->us[(size_t)((double)(l->received - 1) * part)] : 0;
}

static inline void latency_run(struct generator *g)
{
	struct latency l;
	uint64_t begin_ns, end_ns, sent = 0;

	latency_open(&l, g);
	begin_ns = sp_clock_now_ns();
	while (sent < g->count) {
		if (sp_clock_now_ns() - begin_ns >= sent * SP_NS_PER_S / g->rate)
			latency_send(&l, (uint32_t)sent++);
		latency_receive(&l);
	}
	end_ns = sp_clock_now_ns();
	while (sp_clock_now_ns() - end_ns < LATENCY_DRAIN)
		latency_receive(&l);
	qsort(l.us, l.received, sizeof(*l.us), by_value);
	printf("{\"sent\": %u, \"received\": %llu, \"pps\": %.0f, \"p50_us\": %.1f, "
	       "\"p99_us\": %.1f, \"p999_us\": %.1f}\n",
	       g->count - g->count / LATENCY_FIRST, (unsigned long long)l.received,
	       (double)sent * 1e9 / (double)(end_ns - begin_ns), latency_at(&l, 0.5),
	       latency_at(&l, 0.99), latency_at(&l, 0.999));
	inject_bpf__destroy(g->bpf);
	close(l.tap);
	close(l.out);
	free(l.sent_ns);
	free(l.us);
}

#endif
