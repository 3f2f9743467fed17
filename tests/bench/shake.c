/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes: many clients, each by the gateway's own protocol code and from an address of its own.
 * A client that was answered with a cookie begins again at once, which a real one does 5 s later:
 * its clock is put forward.
 *   -k KEY  the gateway's public key   -n N  clients       -N N  the first one's number
 *   -s N    seconds                    -w N  under way at once
 *   -r N    new ones a second (instead of as many as are answered)   -p PID  the gateway's process
 */
#include <sys/epoll.h>

#include "bench/client.h"
#include "bench/usage.h"

#define LATE_NS	  SP_NS_PER_S
#define RETRY_NS  (6 * SP_NS_PER_S) /* past REKEY_TIMEOUT and its jitter */
#define REST_NS	  200000000ull	    /* between two handshakes of one client */
#define EVENT_MAX 64

struct shaker {
	struct client c;
	struct sp_wg_device *device;
	struct sp_wg_peer *peer;
	uint64_t ahead_ns; /* of the real clock */
	uint64_t begun_ns, ended_ns;
	bool is_under_way, is_heard;
};

struct shake {
	struct sp_key gateway;
	struct shaker *all;
	uint32_t count, first, window, rate, pid, seconds;
	uint32_t next, under_way;
	int epoll;
	uint64_t begun, done, heard, in_time, late, cookies;
};

static void open_client(struct shake *s, uint32_t i)
{
	const struct sp_wg_peer_config config = {.public_key = s->gateway};
	struct shaker *h = &s->all[i];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = h};
	struct sp_key key;

	h->c.number = s->first + i;
	client_socket(&h->c);
	client_key(h->c.number, &key);
	MUST(sp_wg_device_open(&key, &client_upcalls, &h->c, &h->device) == 0);
	MUST(sp_wg_peer_add(h->device, &config, &h->c, &h->peer) == 0);
	MUST(epoll_ctl(s->epoll, EPOLL_CTL_ADD, h->c.fd, &event) == 0);
}

/* Again, whatever was under way: its retransmission is due by then. */
static void speak(struct shaker *h, uint64_t now_ns)
{
	const struct sp_wg_traffic traffic = {0};

	h->ahead_ns += RETRY_NS;
	sp_wg_peer_advance(h->peer, now_ns + h->ahead_ns, &traffic);
	sp_wg_peer_want_session(h->peer, now_ns + h->ahead_ns);
}

static void begin(struct shake *s, uint64_t now_ns)
{
	for (uint32_t tries = 0; tries < s->count; tries++) {
		struct shaker *h = &s->all[s->next++ % s->count];

		if (h->is_under_way || now_ns - h->ended_ns < REST_NS)
			continue;
		h->begun_ns = now_ns;
		h->is_under_way = true;
		h->is_heard = h->c.has_keys = false;
		s->under_way++;
		s->begun++;
		speak(h, now_ns);
		return;
	}
}

static void end(struct shake *s, struct shaker *h, uint64_t now_ns)
{
	h->is_under_way = false;
	h->ended_ns = now_ns;
	s->under_way--;
}

static void hear(struct shake *s, struct shaker *h, uint64_t now_ns)
{
	const struct sp_wg_address from = {.remote.port_be = (__be16)htons(WIRE_GW_PORT)};
	uint8_t answer[256];

	for (ssize_t n; (n = recv(h->c.fd, answer, sizeof(answer), MSG_DONTWAIT)) > 0;) {
		if (sp_wg_device_consume(h->device, now_ns + h->ahead_ns, &from, answer,
					 (size_t)n) != SP_WG_OK ||
		    !h->is_under_way)
			continue;
		if (!h->is_heard && now_ns - h->begun_ns < LATE_NS)
			s->heard++;
		h->is_heard = true;
		if (answer[0] == SP_WG_COOKIE_REPLY) {
			s->cookies++;
			speak(h, now_ns);
			continue;
		}
		s->done++;
		s->in_time += now_ns - h->begun_ns < LATE_NS;
		end(s, h, now_ns);
	}
}

static void give_up_late(struct shake *s, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct shaker *h = &s->all[i];

		if (!h->is_under_way || now_ns - h->begun_ns < LATE_NS)
			continue;
		s->late++;
		end(s, h, now_ns);
	}
}

static void turn(struct shake *s, uint64_t begin_ns, uint64_t until_ns)
{
	struct epoll_event events[EVENT_MAX];
	uint64_t now_ns = sp_clock_now_ns(), swept_ns = now_ns;

	while (now_ns < until_ns || (s->rate && s->under_way)) {
		bool wants = now_ns < until_ns;

		if (s->rate)
			while (wants && s->begun < (now_ns - begin_ns) * s->rate / SP_NS_PER_S + 1)
				begin(s, now_ns);
		else
			for (uint32_t n = s->under_way; wants && n < s->window; n++)
				begin(s, now_ns);
		for (int n = epoll_wait(s->epoll, events, EVENT_MAX, 1); n > 0; n--)
			hear(s, events[n - 1].data.ptr, sp_clock_now_ns());
		now_ns = sp_clock_now_ns();
		if (now_ns - swept_ns < LATE_NS / 20)
			continue;
		give_up_late(s, now_ns);
		swept_ns = now_ns;
	}
}

static void run(struct shake *s)
{
	struct usage before, after;
	double seconds;

	s->all = calloc(s->count, sizeof(*s->all));
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	MUST(s->all && s->epoll >= 0 && sp_hash_probe() == 0);
	for (uint32_t i = 0; i < s->count; i++)
		open_client(s, i);
	before = usage_read(s->pid);
	turn(s, before.now_ns, before.now_ns + s->seconds * SP_NS_PER_S);
	after = usage_read(s->pid);
	seconds = (double)(after.now_ns - before.now_ns) / 1e9;
	printf("{\"begun\": %llu, \"done\": %llu, \"done_in_1s\": %llu, \"heard_in_1s\": %llu, "
	       "\"late\": %llu, \"cookies\": %llu, \"per_s\": %.0f, \"cpu_us\": %.1f}\n",
	       (unsigned long long)s->begun, (unsigned long long)s->done,
	       (unsigned long long)s->in_time, (unsigned long long)s->heard,
	       (unsigned long long)s->late, (unsigned long long)s->cookies,
	       (double)s->done / seconds,
	       s->done ? (double)(after.process_ns - before.process_ns) / 1e3 / (double)s->done
		       : 0.0);
	for (uint32_t i = 0; i < s->count; i++) {
		sp_wg_device_close(s->all[i].device);
		close(s->all[i].c.fd);
	}
	free(s->all);
}

int main(int argc, char **argv)
{
	static struct shake s = {.count = 1000, .window = 32, .seconds = 2};

	for (int opt; (opt = getopt(argc, argv, "k:n:N:s:w:r:p:")) != -1;) {
		uint32_t n = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		MUST(opt != '?');
		if (opt == 'k')
			MUST(sp_key_parse(optarg, &s.gateway) == 0);
		else
			*(opt == 'n'   ? &s.count
			  : opt == 'N' ? &s.first
			  : opt == 's' ? &s.seconds
			  : opt == 'w' ? &s.window
			  : opt == 'r' ? &s.rate
				       : &s.pid) = n;
	}
	run(&s);
	return 0;
}
