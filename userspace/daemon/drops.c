/* SPDX-License-Identifier: Apache-2.0 */
/* Drops that the fast paths tell of: collected by the clock, named, remembered, logged; why. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/drops.h"
#include "dataplane/drops.h"
#include "observe/reasons.h"
#include "observe/recent.h"
#include "sallyport/core/addr.h"

#define XDP_BATCH     2048 /* at one time; the ring holds 2730 */
#define WORKER_BATCH  64
#define WORKER_EVENTS 4096
#define WHY_LAST      20 /* shown unless asked for another number */
#define TIME_TEXT     40

struct sp_drops {
	struct sp_daemon *daemon;
	struct sp_recent *recent;
	struct sp_drops_stats stats;
	uint64_t log_second; /* of the monotonic clock */
	uint32_t logged;     /* in it */
};

/* --- names --- */

static void copy_text(char *to, size_t bytes, const char *text)
{
	size_t len = strlen(text);

	if (len >= bytes)
		len = bytes - 1;
	memcpy(to, text, len);
	to[len] = '\0';
}

/* The end of a path says more than its beginning. */
static const char *end_of(const char *path, size_t bytes)
{
	size_t len = strlen(path);

	return len < bytes ? path : path + len - (bytes - 1);
}

/* As everything is called now; of a policy that is no more, by the cell that the name kept. */
static void name(const struct sp_daemon *daemon, struct sp_recent_drop *drop)
{
	const struct sp_drop_event *e = &drop->event;
	struct sp_peer_state *peer = sp_peer_by_id((struct sp_daemon *)daemon, e->peer_id);
	bool is_present = e->generation == daemon->shared->gateway->generation;
	const struct sp_config_rule *rule =
		e->hit_id || is_present ? sp_explain_find_rule(daemon, e->rule_id, e->hit_id)
					: NULL;

	copy_text(drop->user, sizeof(drop->user),
		  e->user_id ? sp_user_name(daemon, e->user_id) : "");
	copy_text(drop->peer, sizeof(drop->peer), peer ? peer->name : "");
	if (!rule)
		return;
	copy_text(drop->rule, sizeof(drop->rule), rule->name);
	copy_text(drop->file, sizeof(drop->file), end_of(rule->source.file, sizeof(drop->file)));
	drop->line = rule->source.line;
}

/* --- as JSON --- */

static json_t *time_of(uint64_t at_ns)
{
	uint64_t wall_ns = sp_clock_realtime_ns() - (sp_clock_now_ns() - at_ns);
	time_t s = (time_t)(wall_ns / SP_NS_PER_S);
	char day[TIME_TEXT], text[TIME_TEXT + 8];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return json_null();
	snprintf(text, sizeof(text), "%s.%03uZ", day,
		 (unsigned int)(wall_ns % SP_NS_PER_S / 1000000));
	return json_string(text);
}

static json_t *protocol_of(const struct sp_drop_event *e)
{
	char number[4];

	switch (e->proto) {
	case IPPROTO_TCP:
		return json_string("tcp");
	case IPPROTO_UDP:
		return json_string("udp");
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return json_string("icmp");
	case 0:
		return json_null();
	default:
		snprintf(number, sizeof(number), "%u", e->proto);
		return json_string(number);
	}
}

static json_t *side_of(const struct sp_addr *addr, __be16 port_be)
{
	static const struct sp_addr none;
	struct sp_sockaddr sa = {.addr = *addr, .port_be = port_be};
	char text[SP_ENDPOINT_TEXT], plain[SP_ADDR_TEXT];

	if (sp_addr_equal(addr, &none))
		return json_null();
	return json_string(port_be ? sp_sockaddr_format(&sa, text) : sp_addr_format(addr, plain));
}

static bool is_icmp(const struct sp_drop_event *e)
{
	return e->proto == IPPROTO_ICMP || e->proto == IPPROTO_ICMPV6;
}

static json_t *icmp_of(const struct sp_drop_event *e)
{
	char text[8];

	snprintf(text, sizeof(text), "%u/%u", e->icmp >> 8, e->icmp & 0xff);
	return is_icmp(e) ? json_string(text) : json_null();
}

static json_t *flags_of(const struct sp_drop_event *e)
{
	static const char letters[] = "FSRPAUEC"; /* from the lowest bit, as tcpdump has them */
	char text[sizeof(letters)];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(letters) - 1; i++) {
		if (e->tcp_flags >> i & 1)
			text[n++] = letters[i];
	}
	text[n] = '\0';
	return e->proto == IPPROTO_TCP ? json_string(text) : json_null();
}

static const char *interface_name(const struct sp_daemon *daemon, uint32_t ifindex)
{
	for (uint32_t i = 0; i < daemon->iface_count; i++) {
		if (daemon->ifaces[i].ifindex == ifindex)
			return daemon->ifaces[i].iface.name;
	}
	return "";
}

/* What the packet was, and who sent it: also a line of the log. */
static json_t *packet_of(const struct sp_daemon *daemon, const struct sp_recent_drop *drop)
{
	const struct sp_drop_event *e = &drop->event;

	return json_pack(
		"{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:b, s:i, s:o}",
		"time", time_of(e->at_ns), "reason", sp_reason_label(e->reason), "direction",
		sp_direction_label(e->direction), "user", drop->user, "peer", drop->peer,
		"interface", interface_name(daemon, e->ifindex), "protocol", protocol_of(e),
		"source", side_of(&e->src, is_icmp(e) ? 0 : e->sport_be), "destination",
		side_of(&e->dst, is_icmp(e) ? 0 : e->dport_be), "tcp_flags", flags_of(e), "icmp",
		icmp_of(e), "bytes", (int)e->bytes, "tunnelled", e->tunnelled, "generation",
		(int)e->generation, "rule",
		*drop->rule ? sp_explain_rule(drop->rule, drop->file, drop->line) : json_null());
}

/* The bucket that refused it, as it is now. */
static json_t *limit_of(const struct sp_daemon *daemon, const struct sp_recent_drop *drop)
{
	const struct sp_drop_event *e = &drop->event;
	const struct sp_shared *shared = daemon->shared;
	bool is_up = e->direction != SP_DIR_DOWN;
	const struct sp_user *user =
		e->user_id < shared->users_max ? &shared->users[e->user_id] : NULL;

	if (e->reason == SP_R_LIMIT_RULE && e->hit_id && e->hit_id <= shared->rules_max)
		return sp_explain_limit(daemon, is_up ? "rule, up" : "rule, down",
					shared->rule_buckets + 2 * e->hit_id + !is_up);
	if (e->reason == SP_R_LIMIT_UP && user)
		return sp_explain_limit(daemon, "user, up", user->bucket_up);
	if (e->reason == SP_R_LIMIT_DOWN && user)
		return sp_explain_limit(daemon, "user, down", user->bucket_down);
	return json_null();
}

static const char *decider_of(const struct sp_recent_drop *drop)
{
	switch (drop->event.reason) {
	case SP_R_POLICY_DEFAULT:
		return "default";
	case SP_R_POLICY_DENY:
	case SP_R_LIMIT_RULE:
		return "rule";
	case SP_R_LIMIT_UP:
	case SP_R_LIMIT_DOWN:
	case SP_R_FLOW_QUOTA:
		return "user";
	default:
		return "state";
	}
}

static json_t *explain(const struct sp_daemon *daemon, const struct sp_recent_drop *drop)
{
	const struct sp_drop_event *e = &drop->event;
	const struct sp_config_rule *rule = sp_explain_find_rule(daemon, e->rule_id, e->hit_id);
	bool is_nat = e->reason == SP_R_NAT_NO_POOL || e->reason == SP_R_NAT_EXHAUSTED;
	json_t *row = packet_of(daemon, drop);
	json_t *more = json_pack(
		"{s:s, s:s, s:s, s:o, s:f, s:I, s:I, s:o, s:o, s:o}", "text",
		sp_reason_text(e->reason), "advice", sp_reason_advice(e->reason), "decided_by",
		decider_of(drop), "first_time", time_of(drop->first_ns), "ago_s",
		(double)(sp_clock_now_ns() - e->at_ns) / 1e9, "count", (json_int_t)drop->count,
		"left_out", (json_int_t)drop->left_out, "limit", limit_of(daemon, drop), "nat",
		is_nat ? sp_explain_nat(daemon, rule) : json_null(), "quota",
		e->reason == SP_R_FLOW_QUOTA ? sp_explain_quota(daemon, e->user_id) : json_null());

	if (row && more)
		json_object_update(row, more);
	json_decref(more);
	return row;
}

/* --- collecting --- */

static void log_drop(struct sp_drops *drops, const struct sp_recent_drop *drop)
{
	uint32_t max = drops->daemon->config->gateway.log_drops;
	uint64_t second = sp_clock_now_ns() / SP_NS_PER_S;
	json_t *line;

	if (!max)
		return;
	if (second != drops->log_second) {
		drops->log_second = second;
		drops->logged = 0;
	}
	if (drops->logged == max) {
		drops->stats.log_left_out++;
		return;
	}
	drops->logged++;
	line = packet_of(drops->daemon, drop);
	if (line) {
		_cleanup_free_ char *text = json_dumps(line, JSON_COMPACT);

		sp_info("drop: %s", text ? text : "{}");
	}
	json_decref(line);
}

static void on_event(const struct sp_drop_event *event, void *arg)
{
	struct sp_drops *drops = arg;
	struct sp_recent_drop *drop;

	if (event->reason >= SP_R_COUNT || event->direction >= SP_DIR_COUNT)
		return;
	drops->stats.told++;
	drop = sp_recent_add(drops->recent, event);
	if (drop->count == 1)
		name(drops->daemon, drop);
	log_drop(drops, drop);
}

void sp_drops_collect(struct sp_daemon *daemon)
{
	struct sp_drops *drops = daemon->drops;
	struct sp_drop_event list[WORKER_BATCH];
	uint32_t sum = 0;
	unsigned int n;
	int r;

	if (!drops)
		return;
	r = sp_dataplane_drop_events(daemon->dataplane, XDP_BATCH);
	if (r > 0 && (uint32_t)r > drops->stats.xdp_peak)
		drops->stats.xdp_peak = (uint32_t)r;
	do {
		n = sp_engine_drops(daemon->engine, list, WORKER_BATCH);
		for (unsigned int i = 0; i < n; i++)
			on_event(&list[i], drops);
		sum += n;
	} while (n == WORKER_BATCH && sum < WORKER_EVENTS);
	if (sum > drops->stats.worker_peak)
		drops->stats.worker_peak = sum;
}

void sp_drops_stats(const struct sp_daemon *daemon, struct sp_drops_stats *ret_stats)
{
	*ret_stats = daemon->drops ? daemon->drops->stats : (struct sp_drops_stats){0};
	ret_stats->records = daemon->drops ? sp_recent_count(daemon->drops->recent) : 0;
}

void sp_drops_apply(struct sp_daemon *daemon, const struct sp_config *config)
{
	uint32_t per_s = config->gateway.drop_events;

	__atomic_store_n(&daemon->shared->gateway->event_cost_ns,
			 per_s ? (uint32_t)(SP_NS_PER_S / per_s) : 0, __ATOMIC_RELAXED);
}

int sp_drops_open(struct sp_daemon *daemon)
{
	struct sp_drops *drops = calloc(1, sizeof(*drops));
	int rc;

	if (!drops)
		return -ENOMEM;
	drops->daemon = daemon;
	rc = sp_recent_open(daemon->shared->users_max, &drops->recent);
	if (!rc)
		rc = sp_dataplane_drop_events_open(daemon->dataplane, on_event, drops);
	if (rc) {
		sp_recent_close(drops->recent);
		free(drops);
		return rc;
	}
	daemon->drops = drops;
	return 0;
}

void sp_drops_close(struct sp_daemon *daemon)
{
	if (!daemon->drops)
		return;
	sp_recent_close(daemon->drops->recent);
	free(daemon->drops);
	daemon->drops = NULL;
}

/* --- why --- */

struct listing {
	const struct sp_daemon *daemon;
	const char *user;
	enum sp_reason reason; /* NONE: any */
	uint32_t left;
	json_t *rows;
};

static int list_drop(const struct sp_recent_drop *drop, void *arg)
{
	struct listing *l = arg;

	if (l->reason != SP_R_NONE && drop->event.reason != l->reason)
		return 0;
	if (l->user && strcmp(l->user, drop->user))
		return 0;
	json_array_append_new(l->rows, explain(l->daemon, drop));
	return --l->left == 0;
}

static int refuse(char **ret_error, const char *what, const char *name)
{
	if (asprintf(ret_error, "no %s is called \"%s\"", what, name) < 0)
		*ret_error = NULL;
	return -ENOENT;
}

int sp_daemon_why(struct sp_daemon *daemon, const struct sp_why *why, json_t **ret_rows,
		  char **ret_error)
{
	struct listing l = {
		.daemon = daemon, .user = why->user, .left = why->last ? why->last : WHY_LAST};
	struct sp_user_state *user = NULL;
	uint32_t user_id = SP_RECENT_ALL;

	if (why->reason && sp_reason_parse(why->reason, &l.reason))
		return refuse(ret_error, "drop reason", why->reason);
	if (why->user) {
		HASH_FIND_STR(daemon->users, why->user, user);
		if (!user)
			return refuse(ret_error, "user or zone", why->user);
		user_id = user->id;
	}
	sp_drops_collect(daemon);
	l.rows = json_array();
	if (!l.rows)
		return -ENOMEM;
	sp_recent_each(daemon->drops->recent, user_id, list_drop, &l);
	*ret_rows = l.rows;
	return 0;
}
