/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/metrics.h"

#include <errno.h>
#include <stdarg.h>

#include "base/cleanup.h"

int sp_metrics_init(struct sp_metrics *metrics)
{
	*metrics = (struct sp_metrics){0};
	metrics->stream = open_memstream(&metrics->text, &metrics->bytes);
	return metrics->stream ? 0 : -ENOMEM;
}

void sp_metrics_fini(struct sp_metrics *metrics)
{
	if (metrics->stream)
		fclose(metrics->stream);
	free(metrics->text);
	*metrics = (struct sp_metrics){0};
}

void sp_metrics_family(struct sp_metrics *metrics, const char *name, enum sp_metric_type type,
		       const char *help)
{
	metrics->family = name;
	fprintf(metrics->stream, "# HELP sallyport_%s %s\n# TYPE sallyport_%s %s\n", name, help,
		name, type == SP_METRIC_COUNTER ? "counter" : "gauge");
}

void sp_metrics_sample(struct sp_metrics *metrics, double value, const char *labels, ...)
{
	va_list args;

	fprintf(metrics->stream, "sallyport_%s", metrics->family);
	if (labels) {
		fputc('{', metrics->stream);
		va_start(args, labels);
		vfprintf(metrics->stream, labels, args);
		va_end(args);
		fputc('}', metrics->stream);
	}
	fprintf(metrics->stream, " %.17g\n", value);
}

char *sp_metrics_take(struct sp_metrics *metrics)
{
	int rc = fclose(TAKE_PTR(metrics->stream));

	if (rc) {
		free(TAKE_PTR(metrics->text));
		return NULL;
	}
	return TAKE_PTR(metrics->text);
}
