/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks, medians and the CPU to run on: what every benchmark needs. One thread. */
#ifndef SP_TESTS_BENCH_MEASURE_H
#define SP_TESTS_BENCH_MEASURE_H

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/clock.h"

/* What a benchmark cannot do without: no result is better than a wrong one. */
#define MUST(what)                                                                         \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

/* TSC ticks on x86-64, nanoseconds elsewhere. */
static inline uint64_t now_ticks(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#else
	return sp_clock_now_ns();
#endif
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts values. */
static inline double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* The last CPU that is allowed: interrupts like the first. */
static inline void pin_to_last(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
		if (CPU_ISSET(cpu, &set)) {
			pin_to(cpu);
			return;
		}
	}
}

#endif
