/* SPDX-License-Identifier: Apache-2.0 */
/* The engine with its threads, without an interface: opening, publishing, stopping, starting again. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "house_open.h"

#define WORKERS	  2
#define PUBLISHES 200

static struct sp_dataplane *open_maps(void)
{
	const struct sp_dataplane_config config = {.flows_max = 256,
						   .sessions_max = 64,
						   .users_max = 16,
						   .policy_nodes_max = 1024,
						   .workers = WORKERS};
	struct sp_dataplane *dp = NULL;

	if (geteuid() != 0)
		cr_skip_test("needs root: the flow table is a BPF map");
	cr_assert_eq(sp_dataplane_open(&config, &dp), 0);
	return dp;
}

static struct sp_engine_config config_for(struct sp_dataplane *dp, struct sp_sessions *sessions)
{
	return (struct sp_engine_config){.workers = WORKERS,
					 .cpus = {-1, -1},
					 .frames = 256,
					 .flows_max = 64,
					 .aead = &sp_aead_openssl,
					 .dataplane = dp,
					 .sessions = sessions};
}

Test(engine_threads, every_worker_judges_by_what_was_published)
{
	struct sp_dataplane *dp = open_maps();
	struct sp_sessions *sessions = NULL;
	struct sp_engine_config config;
	struct sp_worker_stats stats;
	struct sp_engine *engine = NULL;

	cr_assert_eq(sp_sessions_open(2, 16, WORKERS, &sessions), 0);
	config = config_for(dp, sessions);
	cr_assert_eq(sp_engine_open(&config, &engine), 0);
	cr_assert_eq(sp_engine_publish(engine, house_pools(), 1), 0, "before the start, too");
	for (int life = 0; life < 2; life++) {
		cr_assert_eq(sp_engine_start(engine), 0);
		for (uint32_t i = 0; i < PUBLISHES; i++)
			cr_assert_eq(sp_engine_publish(engine, house_pools(), 2 + i), 0,
				     "returns when all have it, and long before a second");
		for (uint32_t k = 0; k < WORKERS; k++) {
			cr_assert_eq(sp_engine_worker_stats(engine, k, &stats), 0);
			cr_assert_gt(stats.loops, 0);
			cr_assert_str_eq(stats.transmit, "af_xdp copy");
		}
		sp_engine_stop(engine);
	}
	cr_assert_eq(sp_engine_worker_stats(engine, WORKERS, &stats), -ENOENT);
	sp_engine_close(engine);
	sp_sessions_close(sessions);
	sp_dataplane_close(dp);
}

static void sleep_long(int signal)
{
	const struct timespec two_s = {.tv_sec = 2};

	nanosleep(&two_s, NULL);
}

/* A signal whose handler sleeps, to the thread of that name. */
static void hold_thread(const char *name)
{
	const struct sigaction action = {.sa_handler = sleep_long};
	char path[64], found[32] = "";
	struct dirent *e;
	DIR *tasks = opendir("/proc/self/task");

	cr_assert_eq(sigaction(SIGUSR1, &action, NULL), 0);
	while ((e = readdir(tasks))) {
		FILE *comm;

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", e->d_name);
		comm = fopen(path, "r");
		if (!comm)
			continue;
		if (fscanf(comm, "%31s", found) == 1 && !strcmp(found, name))
			cr_assert_eq(syscall(SYS_tgkill, getpid(), strtol(e->d_name, NULL, 10),
					     SIGUSR1),
				     0);
		fclose(comm);
	}
	closedir(tasks);
}

Test(engine_threads, worker_that_is_late_is_waited_for)
{
	struct sp_dataplane *dp = open_maps();
	struct sp_sessions *sessions = NULL;
	struct sp_engine_config config;
	struct sp_engine *engine = NULL;

	cr_assert_eq(sp_sessions_open(2, 16, WORKERS, &sessions), 0);
	config = config_for(dp, sessions);
	cr_assert_eq(sp_engine_open(&config, &engine), 0);
	cr_assert(sp_engine_is_settled(engine));
	cr_assert_eq(sp_engine_start(engine), 0);
	cr_assert_eq(sp_engine_publish(engine, house_pools(), 1), 0);
	hold_thread("sp-worker-1");
	cr_assert_eq(sp_engine_publish(engine, house_pools(), 2), -ETIMEDOUT);
	cr_assert_not(sp_engine_is_settled(engine), "its half may not be filled again");
	for (int i = 0; i < 300 && !sp_engine_is_settled(engine); i++)
		usleep(10000);
	cr_assert(sp_engine_is_settled(engine), "and then it is");
	sp_engine_close(engine);
	sp_sessions_close(sessions);
	sp_dataplane_close(dp);
}

static int count_plain(const struct sp_flow_key *key, const struct sp_flow *flow, void *arg)
{
	cr_assert_eq(flow->kind, SP_FLOW_PLAIN);
	++*(int *)arg;
	return 0;
}

/* Their keys and NAT ports are gone with the old process; plain flows are XDP's and live on. */
Test(engine_threads, flows_of_a_former_life_are_removed)
{
	struct sp_dataplane *dp = open_maps();
	struct sp_sessions *sessions = NULL;
	struct sp_flow_key key = {.proto = SP_PROTO_UDP};
	struct sp_engine_config config;
	struct sp_engine *engine = NULL;
	struct sp_flow flow = {0};
	int plain = 0;

	for (int i = 0; i < 240; i++) {
		key.sport_be = (__be16)i;
		flow.kind = (enum sp_flow_kind)(i % 4);
		cr_assert_eq(sp_dataplane_flow_put(dp, &key, &flow, 1), 1);
	}
	cr_assert_eq(sp_sessions_open(2, 16, WORKERS, &sessions), 0);
	config = config_for(dp, sessions);
	cr_assert_eq(sp_engine_open(&config, &engine), 0);
	sp_dataplane_flow_each(dp, count_plain, &plain);
	cr_assert_eq(plain, 60);
	sp_engine_close(engine);
	sp_sessions_close(sessions);
	sp_dataplane_close(dp);
}

Test(engine_threads, interface_with_too_few_queues_is_refused)
{
	struct sp_dataplane *dp = open_maps();
	const struct sp_engine_iface iface = {.ifindex = 7, .iface = {.queues = 1, .name = "wan"}};
	struct sp_sessions *sessions = NULL;
	struct sp_engine_config config;
	struct sp_engine *engine = NULL;

	cr_assert_eq(sp_sessions_open(2, 16, WORKERS, &sessions), 0);
	config = config_for(dp, sessions);
	config.ifaces = &iface;
	config.iface_count = 1;
	cr_assert_eq(sp_engine_open(&config, &engine), -EINVAL);
	cr_assert_null(engine);
	config.workers = 1;
	cr_assert_eq(sp_engine_open(&config, &engine), 0);
	cr_assert_neq(sp_engine_start(engine), 0, "there is no interface 7 that could be bound");
	sp_engine_close(engine);
	sp_sessions_close(sessions);
	sp_dataplane_close(dp);
}
