/* SPDX-License-Identifier: Apache-2.0 */
/* why: drops in words. */
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cli/render.h"

#define TITLE "    %-7s "

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void sp_render_rule(FILE *out, const json_t *rule, const char *more)
{
	if (!json_is_object(rule))
		return;
	fprintf(out, TITLE "%s (%s:%" JSON_INTEGER_FORMAT ")%s\n", "rule", text_at(rule, "name"),
		text_at(rule, "file"), number_at(rule, "line"), more);
}

static void put_rate(FILE *out, json_int_t bps)
{
	static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
	double value = (double)bps;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1000;
		unit++;
	}
	fprintf(out, "%.4g %s", value, units[unit]);
}

void sp_render_limit(FILE *out, const json_t *limit)
{
	char burst[SP_RENDER_CELL], tokens[SP_RENDER_CELL];

	if (!json_is_object(limit))
		return;
	fprintf(out, TITLE "", "limit");
	put_rate(out, number_at(limit, "rate_bps"));
	fprintf(out, " of the %s; %s of %s free now; %" JSON_INTEGER_FORMAT " packets refused\n",
		text_at(limit, "of"),
		sp_render_cell(json_object_get(limit, "tokens_bytes"), SP_RENDER_BYTES, tokens),
		sp_render_cell(json_object_get(limit, "burst_bytes"), SP_RENDER_BYTES, burst),
		number_at(limit, "dropped_packets"));
}

void sp_render_nat(FILE *out, const json_t *nat)
{
	if (!json_is_object(nat))
		return;
	fprintf(out,
		TITLE "pool %s, %" JSON_INTEGER_FORMAT " addresses; %" JSON_INTEGER_FORMAT
		      " of %" JSON_INTEGER_FORMAT " bindings used, %" JSON_INTEGER_FORMAT
		      " flows refused for want of a port\n",
		"nat", text_at(nat, "pool"), number_at(nat, "addresses"),
		number_at(nat, "bindings"), number_at(nat, "bindings_max"),
		number_at(nat, "exhausted"));
}

/* The reader's own time of day. */
static void put_time(FILE *out, const json_t *drop)
{
	double ago_s = json_real_value(json_object_get(drop, "ago_s"));
	struct timespec now;
	char text[32] = "";
	struct tm tm;
	time_t when;

	clock_gettime(CLOCK_REALTIME, &now);
	when = (time_t)((double)now.tv_sec + (double)now.tv_nsec / 1e9 - ago_s);
	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s", text);
}

static void put_who(FILE *out, const json_t *drop)
{
	const char *user = text_at(drop, "user"), *peer = text_at(drop, "peer");

	fprintf(out, "  %s", *user ? user : "unknown");
	if (*peer)
		fprintf(out, " (%s)", peer);
}

static void put_packet(FILE *out, const json_t *drop)
{
	const char *flags = text_at(drop, "tcp_flags"), *interface = text_at(drop, "interface");
	const char *protocol = text_at(drop, "protocol");

	fprintf(out, TITLE "%s %s -> %s", "packet", *protocol ? protocol : "unread",
		text_at(drop, "source"), text_at(drop, "destination"));
	if (*flags)
		fprintf(out, " [%s]", flags);
	if (*text_at(drop, "icmp"))
		fprintf(out, " [%s]", text_at(drop, "icmp"));
	fprintf(out, ", %" JSON_INTEGER_FORMAT " bytes, %s", number_at(drop, "bytes"),
		text_at(drop, "direction"));
	if (*interface)
		fprintf(out, ", by %s", interface);
	if (json_is_true(json_object_get(drop, "tunnelled")))
		fputs(", in a tunnel", out);
	fputc('\n', out);
}

static void put_count(FILE *out, const json_t *drop)
{
	json_int_t count = number_at(drop, "count"), left_out = number_at(drop, "left_out");

	if (count > 1)
		fprintf(out, ", %" JSON_INTEGER_FORMAT " times since %s", count,
			text_at(drop, "first_time"));
	if (left_out)
		fprintf(out, " (and %" JSON_INTEGER_FORMAT " more of this reason, not told)",
			left_out);
	fputc('\n', out);
}

static void put_decision(FILE *out, const json_t *drop)
{
	bool decided_by_rule = !strcmp(text_at(drop, "decided_by"), "rule");
	const json_t *rule = json_object_get(drop, "rule");

	if (!strcmp(text_at(drop, "decided_by"), "default"))
		fprintf(out,
			TITLE
			"the default at the end of the policy (generation %" JSON_INTEGER_FORMAT
			")\n",
			"rule", number_at(drop, "generation"));
	else
		sp_render_rule(out, rule, decided_by_rule ? "" : ", which allows it");
	sp_render_limit(out, json_object_get(drop, "limit"));
	sp_render_nat(out, json_object_get(drop, "nat"));
	if (json_is_object(json_object_get(drop, "quota")))
		fprintf(out, TITLE "%" JSON_INTEGER_FORMAT " flows at once\n", "quota",
			number_at(json_object_get(drop, "quota"), "flows_max"));
}

/* From the oldest to the newest, which then stands above the prompt. */
void sp_render_why(FILE *out, const json_t *drops)
{
	if (!json_array_size(drops))
		fputs("nothing was dropped that is remembered; all counts: sallyport show drops\n",
		      out);
	for (size_t i = json_array_size(drops); i-- > 0;) {
		const json_t *drop = json_array_get(drops, i);

		put_time(out, drop);
		put_who(out, drop);
		fprintf(out, "  %s: %s", text_at(drop, "reason"), text_at(drop, "text"));
		put_count(out, drop);
		put_packet(out, drop);
		put_decision(out, drop);
		fprintf(out, TITLE "%s\n", "do", text_at(drop, "advice"));
	}
}
