/* SPDX-License-Identifier: Apache-2.0 */
/* Flow records on a real disk: what is put is found by who asks, and what is old or too much goes. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "records/question.h"
#include "records/records.h"
#include "sallyport/abi/verdict.h"

#define S_NS SP_NS_PER_S
#define DAY  86400ull

static char dir[] = "/tmp/sp-records-XXXXXX";
static char path[64];
static struct sp_records *records;
static int64_t offset_ns; /* so that the monotonic 0 is this moment, in seconds since 1970 */

static void open_records(uint64_t keep_s, uint64_t size_bytes)
{
	const struct sp_records_config config = {path, keep_s, size_bytes};

	cr_assert_eq(sp_records_open(&config, &records), 0);
}

static void set_up(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, SP_RECORDS_FILE);
	sp_log_set_level((enum sp_log_level) - 1);
	offset_ns = (int64_t)((sp_clock_realtime_ns() / S_NS - 1000) * S_NS);
}

static int remove_one(const char *name, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(name);
}

static void tear_down(void)
{
	sp_records_close(records);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct sp_addr addr_of(const char *text)
{
	struct sp_addr addr;

	cr_assert_eq(sp_addr_parse(text, &addr), 0, "%s", text);
	return addr;
}

/* Client 10.9.0.2:port to 203.0.113.10:443 as 192.0.2.1:port, begun at a second. */
static struct sp_record record_of(enum sp_record_what what, uint16_t port, uint64_t begun_s)
{
	return (struct sp_record){.what = (uint8_t)what,
				  .key = {.src = addr_of("10.9.0.2"),
					  .dst = addr_of("203.0.113.10"),
					  .sport_be = htons(port),
					  .dport_be = htons(443),
					  .proto = IPPROTO_TCP},
				  .egress = addr_of("192.0.2.1"),
				  .egress_port_be = htons(port),
				  .begun_ns = begun_s * S_NS,
				  .seen_ns = begun_s * S_NS,
				  .user_id = 2,
				  .rule_id = 1};
}

static bool put(const struct sp_record *record)
{
	const struct sp_records_names names = {.user = "alice",
					       .device = "laptop",
					       .rule = "web",
					       .file = "/etc/gw.conf",
					       .line = 7,
					       .outer = addr_of("198.51.100.9")};

	return sp_records_put(records, record, &names, offset_ns);
}

static void begin(uint16_t port, uint64_t begun_s)
{
	struct sp_record record = record_of(SP_RECORD_BEGUN, port, begun_s);

	cr_assert(put(&record));
}

static void end(uint16_t port, uint64_t begun_s, uint64_t ended_s)
{
	struct sp_record record = record_of(SP_RECORD_ENDED, port, begun_s);

	record.ended_ns = ended_s * S_NS;
	record.seen_ns = (ended_s - 1) * S_NS;
	record.packets = 3;
	record.bytes = 300;
	record.back_packets = 4;
	record.back_bytes = 4000;
	cr_assert(put(&record));
}

struct found {
	int count;
	struct sp_records_row last;
	char user[32], device[32], rule[32], file[32];
};

static int take(const struct sp_records_row *row, void *arg)
{
	struct found *f = arg;

	f->count++;
	f->last = *row;
	snprintf(f->user, sizeof(f->user), "%s", row->user);
	snprintf(f->device, sizeof(f->device), "%s", row->device);
	snprintf(f->rule, sizeof(f->rule), "%s", row->rule);
	snprintf(f->file, sizeof(f->file), "%s", row->file);
	return 0;
}

static struct sp_store *ask(void)
{
	struct sp_store *store;
	char *text;

	cr_assert(sp_records_flush(records, 20000));
	cr_assert_eq(sp_records_question_open(path, &store, &text), 0, "%s", text);
	return store;
}

static int64_t ms(double at_s)
{
	return offset_ns / 1000000 + (int64_t)(at_s * 1000);
}

static struct found who(uint16_t port, uint8_t proto, double at_s)
{
	const struct sp_records_who question = {.addr = addr_of("192.0.2.1"),
						.port = port,
						.proto = proto,
						.from_ms = ms(at_s),
						.to_ms = ms(at_s) + 1000,
						.max = 100};
	struct sp_store *store = ask();
	struct found found = {0};

	cr_assert_eq(sp_records_who(store, &question, take, &found), 0);
	sp_store_close(store);
	return found;
}

TestSuite(records, .init = set_up, .fini = tear_down);

Test(records, say_who_had_a_port_and_when)
{
	struct found found;

	open_records(30 * DAY, 64 << 20);
	begin(40000, 100);
	end(40000, 100, 200);
	begin(40000, 300);
	found = who(40000, 0, 150);
	cr_assert_eq(found.count, 1);
	cr_expect_str_eq(found.user, "alice");
	cr_expect_str_eq(found.device, "laptop");
	cr_expect_str_eq(found.rule, "web");
	cr_expect_str_eq(found.file, "/etc/gw.conf");
	cr_expect_eq(found.last.line, 7);
	cr_expect_eq(found.last.begun_ms, ms(100));
	cr_expect_eq(found.last.seen_ms, ms(199));
	cr_expect_eq(found.last.ended_ms, ms(200));
	cr_expect_eq(found.last.packets, 3);
	cr_expect_eq(found.last.bytes, 300);
	cr_expect_eq(found.last.back_packets, 4);
	cr_expect_eq(found.last.back_bytes, 4000);
	cr_expect_eq(ntohs(found.last.source.port_be), 40000);
	cr_expect_eq(ntohs(found.last.destination.port_be), 443);
	cr_expect(!memcmp(&found.last.outer,
			  &(struct sp_addr){.b = {[10] = 0xff, 0xff, 198, 51, 100, 9}}, 16));
	found = who(40000, IPPROTO_TCP, 350);
	cr_assert_eq(found.count, 1, "it is still open");
	cr_expect_eq(found.last.begun_ms, ms(300));
	cr_expect_eq(found.last.ended_ms, 0);
	cr_expect_eq(who(40000, 0, 98).count, 0, "before it");
	cr_expect_eq(who(40000, 0, 99.5).count, 1, "within the second that was asked for");
	cr_expect_eq(who(40000, 0, 250).count, 0, "between the two");
	cr_expect_eq(who(40000, IPPROTO_UDP, 150).count, 0, "another protocol");
	cr_expect_eq(who(40001, 0, 150).count, 0, "another port");
	cr_expect_eq(who(0, 0, 150).count, 1, "any port");
}

Test(records, an_end_makes_good_a_beginning_that_was_lost)
{
	open_records(30 * DAY, 64 << 20);
	end(40000, 100, 200);
	cr_expect_eq(who(40000, 0, 150).count, 1);
	end(40000, 100, 210);
	cr_expect_eq(who(40000, 0, 150).count, 1, "and is no second flow");
}

Test(records, flows_end_with_the_daemon_and_after_its_crash)
{
	struct found found;

	open_records(30 * DAY, 64 << 20);
	begin(40000, 100);
	cr_assert_eq(who(40000, 0, 500).count, 1);
	sp_records_close(records);
	open_records(30 * DAY, 64 << 20);
	found = who(40000, 0, 500);
	cr_assert_eq(found.count, 1, "it ended when the daemon did, a moment ago");
	cr_expect_gt(found.last.ended_ms, ms(999));
	cr_expect_eq(who(40000, 0, 2000).count, 0);
}

Test(records, denials_of_a_kind_are_one_row_with_a_count)
{
	const struct sp_records_span span = {.user = "alice", .from_ms = ms(0), .to_ms = ms(1000)};
	const struct sp_records_span later = {
		.user = "alice", .from_ms = ms(500), .to_ms = ms(1000)};
	const struct sp_records_span other = {.user = "bob", .from_ms = ms(0), .to_ms = ms(1000)};
	struct sp_record denied = record_of(SP_RECORD_DENIED, 0, 100);
	struct found found = {0};
	struct sp_store *store;

	open_records(30 * DAY, 64 << 20);
	denied.reason = SP_R_POLICY_DENY;
	for (int i = 0; i < 5; i++) {
		denied.key.sport_be = htons((uint16_t)(2000 + i));
		denied.seen_ns += S_NS;
		cr_assert(put(&denied));
	}
	store = ask();
	cr_assert_eq(sp_records_denied(store, &span, take, &found), 0);
	cr_assert_eq(found.count, 1);
	cr_expect(found.last.is_denied);
	cr_expect_eq(found.last.count, 5);
	cr_expect_eq(found.last.reason, SP_R_POLICY_DENY);
	cr_expect_eq(found.last.begun_ms, ms(100));
	cr_expect_eq(found.last.seen_ms, ms(105));
	cr_assert_eq(sp_records_denied(store, &later, take, &found), 0);
	cr_assert_eq(sp_records_denied(store, &other, take, &found), 0);
	cr_expect_eq(found.count, 1, "neither another time nor another user has any");
	sp_store_close(store);
}

Test(records, what_is_older_than_keep_goes)
{
	struct found found = {0};
	struct sp_store *store;
	const struct sp_records_span all = {.from_ms = 0, .to_ms = INT64_MAX};

	open_records(3600, 64 << 20);
	offset_ns -= 2 * 3600 * (int64_t)S_NS;
	for (uint16_t port = 1; port <= 5000; port++) {
		begin(port, 100);
		end(port, 100, 101);
	}
	offset_ns += 2 * 3600 * (int64_t)S_NS;
	begin(9, 200);
	end(9, 200, 201);
	cr_assert(sp_records_flush(records, 20000));
	sp_records_close(records);
	open_records(3600, 64 << 20); /* the first tidying is at once */
	store = ask();
	cr_assert_eq(sp_records_flows(store, &all, take, &found), 0);
	cr_expect_eq(found.count, 1, "%d", found.count);
	sp_store_close(store);
}

Test(records, never_grow_beyond_their_size)
{
	struct sp_store_writer_numbers numbers;
	const struct sp_records_span all = {.from_ms = 0, .to_ms = INT64_MAX};
	struct found found = {0};
	struct sp_store *store;
	struct stat st;

	open_records(30 * DAY, 2 << 20);
	for (int round = 0; round < 4; round++) {
		for (uint16_t port = 1; port <= 8000; port++)
			begin(port, (uint64_t)(10 + round));
		cr_assert(sp_records_flush(records, 20000));
	}
	sp_records_numbers(records, &numbers);
	cr_expect_eq(numbers.lost_queue + numbers.lost_store, 0, "%s", numbers.problem);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_leq(st.st_size, 2 << 20);
	store = ask();
	cr_assert_eq(sp_records_flows(store, &all, take, &found), 0);
	cr_expect_gt(found.count, 2000);
	cr_expect_lt(found.count, 32000);
	cr_expect_eq(found.last.begun_ms, ms(13), "the latest are there");
	sp_store_close(store);
}
