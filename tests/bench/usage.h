/* SPDX-License-Identifier: Apache-2.0 */
/* CPU time of a process, kernel work done for it included, and of the whole machine. One thread. */
#ifndef SP_TESTS_BENCH_USAGE_H
#define SP_TESTS_BENCH_USAGE_H

#include <dirent.h>
#include <unistd.h>

#include "bench/measure.h"

struct usage {
	uint64_t now_ns;
	uint64_t process_ns; /* all its threads */
	uint64_t system_ns;  /* all CPUs, but idle */
	uint64_t packets;
};

static inline uint64_t usage_process(uint32_t pid)
{
	char path[64 + sizeof(((struct dirent *)NULL)->d_name)];
	uint64_t sum = 0;
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		unsigned long long ns = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%u/task/%s/schedstat", pid, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &ns) == 1)
			sum += ns;
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static inline uint64_t usage_system(void)
{
	unsigned long long user, nice, sys, idle, wait, irq, soft;
	FILE *f = fopen("/proc/stat", "r");

	MUST(f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle,
			 &wait, &irq, &soft) == 7);
	fclose(f);
	return (user + nice + sys + irq + soft) * (SP_NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static inline struct usage usage_read(uint32_t pid)
{
	return (struct usage){.now_ns = sp_clock_now_ns(),
			      .process_ns = pid ? usage_process(pid) : 0,
			      .system_ns = usage_system()};
}

#endif
