/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves as one buffer arrives as the frames that one by one would have been sent. */
#include "mix.h"

#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

#include <linux/if_packet.h>

#include "engine/transmit_gso.h"
#include "unit/dataplane/shell.h"

#define BATCHES 400
#define FRAMES	4096

struct bench {
	struct sp_worker w; /* only what a back end looks at */
	struct sp_xsk_area area;
	struct sp_xsk xsk;
	struct sp_transmit_xdp xdp;
	struct sp_transmit_gso gso;
	int tap;
};

struct frame {
	uint32_t bytes;
	uint8_t b[2048];
};

static void open_tap(struct bench *b)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex("vb")};
	int bytes = 64 << 20;

	b->tap = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
	cr_assert_geq(b->tap, 0);
	cr_assert_eq(setsockopt(b->tap, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)), 0);
	cr_assert_eq(bind(b->tap, (struct sockaddr *)&at, sizeof(at)), 0);
}

/* A device that cannot cut: the kernel does it, and the far end sees what a wire would carry. */
static void open_bench(struct bench *b)
{
	struct sp_engine_iface iface = {.iface = {.queues = 1, .mtu = 1500, .name = "va"}};
	struct sp_xsk_config config = {.fill_target = 0, .force_copy = true};

	if (geteuid() != 0)
		cr_skip_test("needs root: network namespaces");
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	run("ip link set lo up; ip link add va type veth peer name vb; "
	    "for i in va vb; do sysctl -qw net.ipv6.conf.$i.disable_ipv6=1; "
	    "for f in tx tso gso gro tx-udp-segmentation; do ethtool -K $i $f off; done; "
	    "ip link set $i up; done >/dev/null 2>&1");
	iface.ifindex = if_nametoindex("va");
	b->w.ifaces[0] = iface;
	cr_assert_eq(sp_frames_init(&b->w.frames, FRAMES), 0);
	cr_assert_eq(sp_xsk_area_open(&b->w.frames, &b->area), 0);
	config.area = &b->area;
	config.frames = &b->w.frames;
	config.iface = &iface;
	cr_assert_eq(sp_xsk_open(&config, &b->xsk), 0);
	sp_transmit_xdp_init(&b->xdp, &b->xsk, 1);
	cr_assert_eq(sp_transmit_gso_open(&b->gso, &b->xdp, &b->w, true), 0);
	open_tap(b);
}

static void close_bench(struct bench *b)
{
	sp_transmit_gso_close(&b->gso);
	sp_xsk_close(&b->xsk);
	sp_xsk_area_close(&b->area);
	sp_frames_fini(&b->w.frames);
	close(b->tap);
}

static unsigned int receive(struct bench *b, struct frame *frames, unsigned int max)
{
	unsigned int n = 0;

	for (; n < max; n++) {
		ssize_t bytes = recv(b->tap, frames[n].b, sizeof(frames[n].b), 0);

		if (bytes <= 0)
			break;
		frames[n].bytes = (uint32_t)bytes;
	}
	return n;
}

/* Of one flow: addresses and, where there are some, ports. */
static bool is_same_flow(const struct frame *x, const struct frame *y)
{
	bool v4 = x->b[12] == 8;
	uint32_t proto = v4 ? 23 : 20, l4 = v4 ? 34 : 54;

	return x->b[12] == y->b[12] && x->b[proto] == y->b[proto] &&
	       (x->b[proto] == IPPROTO_ICMP || !memcmp(x->b + l4, y->b + l4, 4));
}

/* Every frame, none twice, and each flow in its order. */
static void compare(const struct frame *want, const struct frame *got, unsigned int n,
		    unsigned int batch)
{
	bool taken[SP_BURST_FRAMES] = {false};

	for (unsigned int i = 0; i < n; i++) {
		unsigned int k = 0;

		while (k < n && (taken[k] || !is_same_flow(&want[i], &got[k])))
			k++;
		cr_assert_lt(k, n, "batch %u: frame %u did not arrive", batch, i);
		taken[k] = true;
		cr_assert_eq(want[i].bytes, got[k].bytes, "batch %u, frame %u", batch, i);
		for (uint32_t at = 0; at < want[i].bytes; at++)
			cr_assert_eq(want[i].b[at], got[k].b[at],
				     "batch %u, frame %u, byte %u: %02x, expected %02x", batch, i,
				     at, got[k].b[at], want[i].b[at]);
	}
}

static void send_mix(struct sp_transmit *t, struct bench *b, unsigned int seed)
{
	static struct frame want[SP_BURST_FRAMES], got[SP_BURST_FRAMES];
	struct mix m;

	mix_init(&m, seed);
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		unsigned int n = 1 + mix_random(batch % 2 ? 190 : 24), arrived = 0;

		for (unsigned int i = 0; i < n; i++) {
			struct sp_tx tx = mix_next(&m, sp_frame_get(&b->w.frames) + 256), copy = tx;

			copy.data = want[i].b;
			memcpy(want[i].b, tx.data, tx.bytes);
			want[i].bytes = tx.bytes;
			sp_tx_finish(&copy);
			cr_assert(t->ops->queue(t, &tx));
		}
		t->ops->flush(t);
		for (int tries = 0; arrived < n && tries < 200; tries++, usleep(100)) {
			t->ops->flush(t);
			t->ops->reap(t);
			arrived += receive(b, got + arrived, n - arrived);
		}
		cr_assert_eq(arrived, n, "batch %u", batch);
		compare(want, got, n, batch);
		cr_assert_eq(t->lost, 0);
		cr_assert_eq(b->w.frames.free_count, FRAMES, "every frame came back");
	}
}

Test(engine_offload, one_by_one_is_what_was_queued)
{
	static struct bench b;

	open_bench(&b);
	send_mix(&b.xdp.base, &b, 1);
	close_bench(&b);
}

Test(engine_offload, buffers_arrive_as_the_same_frames_in_the_same_order)
{
	static struct bench b;

	open_bench(&b);
	memset(b.gso.offload[0].least, 2, sizeof(b.gso.offload[0].least));
	send_mix(&b.gso.base, &b, 1);
	cr_assert_gt(b.gso.in_buffers, 10000, "it was about buffers: %lu frames travelled so",
		     (unsigned long)b.gso.in_buffers);
	for (int kind = SP_BURST_TCP4; kind <= SP_BURST_TCP6; kind++)
		cr_assert(b.gso.offload[0].is_usable[kind], "nothing was refused");
	close_bench(&b);
}

Test(engine_offload, refused_buffers_leave_one_by_one)
{
	static struct bench b;

	open_bench(&b);
	/* What the device is said to cut goes past the queueing discipline, where nobody cuts. */
	for (int kind = SP_BURST_TCP4; kind < SP_BURST_KINDS; kind++)
		b.gso.offload[0].is_cut[kind] = true;
	memset(b.gso.offload[0].least, 2, sizeof(b.gso.offload[0].least));
	send_mix(&b.gso.base, &b, 2);
	cr_assert_not(sp_offload_is_any(&b.gso.offload[0]), "learned");
	close_bench(&b);
}
