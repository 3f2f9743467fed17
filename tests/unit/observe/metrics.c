/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "observe/metrics.h"

Test(observe_metrics, writes_the_text_format)
{
	struct sp_metrics m;
	char *text;

	cr_assert_eq(sp_metrics_init(&m), 0);
	sp_metrics_family(&m, "things_total", SP_METRIC_COUNTER, "Things.");
	sp_metrics_sample(&m, 3, "kind=\"%s\"", "a");
	sp_metrics_sample(&m, 18446744073709551615.0, "kind=\"%s\"", "b");
	sp_metrics_family(&m, "level", SP_METRIC_GAUGE, "Level.");
	sp_metrics_sample(&m, 0.5, NULL);
	text = sp_metrics_take(&m);
	sp_metrics_fini(&m);
	cr_assert_str_eq(text, "# HELP sallyport_things_total Things.\n"
			       "# TYPE sallyport_things_total counter\n"
			       "sallyport_things_total{kind=\"a\"} 3\n"
			       "sallyport_things_total{kind=\"b\"} 1.8446744073709552e+19\n"
			       "# HELP sallyport_level Level.\n"
			       "# TYPE sallyport_level gauge\n"
			       "sallyport_level 0.5\n");
	free(text);
}
