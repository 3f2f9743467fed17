/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text exposition, format 0.0.4: a growing buffer of families and samples. Any thread. */
#ifndef SP_OBSERVE_METRICS_H
#define SP_OBSERVE_METRICS_H

#include <stddef.h>
#include <stdio.h>

enum sp_metric_type {
	SP_METRIC_COUNTER,
	SP_METRIC_GAUGE
};

struct sp_metrics {
	FILE *stream;
	char *text;
	size_t bytes;
	const char *family;
};

int sp_metrics_init(struct sp_metrics *metrics); /* 0 or -ENOMEM */
void sp_metrics_fini(struct sp_metrics *metrics);
/* Starts a family; name without the "sallyport_" prefix. Counters' names end in _total. */
void sp_metrics_family(struct sp_metrics *metrics, const char *name, enum sp_metric_type type,
		       const char *help);
/* One sample of the current family; labels is "a=\"b\",c=\"d\"" or NULL, values already escaped. */
void sp_metrics_sample(struct sp_metrics *metrics, double value, const char *labels, ...)
	__attribute__((format(printf, 3, 4)));
/* The finished text, taken over by the caller (free). NULL when memory ran out. */
char *sp_metrics_take(struct sp_metrics *metrics);

#endif
