/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an AEAD back end. The broken ones here are OpenSSL's with one flaw each. */
#include "crypto/aead_select.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void always_authentic(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	sp_aead_openssl.open_batch(aead, jobs, n);
	for (unsigned int i = 0; i < n; i++)
		jobs[i].authentic = true;
}

static void never_authentic(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	sp_aead_openssl.open_batch(aead, jobs, n);
	for (unsigned int i = 0; i < n; i++)
		jobs[i].authentic = false;
}

/* Half of the tag is not compared: a forger needs 2^64 tries instead of 2^128. */
static void half_a_tag(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct sp_aead_job *job = &jobs[i];
		uint8_t plain[2048], theirs[SP_AEAD_TAG_BYTES], *tag = job->data + job->bytes;

		memcpy(theirs, tag, sizeof(theirs));
		sp_aead_openssl.open_batch(aead, job, 1);
		memcpy(plain, job->data, job->bytes);
		sp_aead_openssl.seal_batch(aead, job, 1);
		job->authentic = memcmp(tag, theirs, sizeof(theirs) / 2) == 0;
		memcpy(job->data, plain, job->bytes);
	}
}

static void without_aad(struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		jobs[i].aad_bytes = 0;
}

static void seal_without_aad(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	without_aad(jobs, n);
	sp_aead_openssl.seal_batch(aead, jobs, n);
}

static void open_without_aad(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	without_aad(jobs, n);
	sp_aead_openssl.open_batch(aead, jobs, n);
}

static void seal_with_the_first_key(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		jobs[i].key = jobs[0].key;
	sp_aead_openssl.seal_batch(aead, jobs, n);
}

static void seal_long_ones_wrongly(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	sp_aead_openssl.seal_batch(aead, jobs, n);
	for (unsigned int i = 0; i < n; i++) {
		if (jobs[i].bytes > 1300)
			jobs[i].data[1024] ^= 1;
	}
}

static void open_the_first_alone(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	sp_aead_openssl.open_batch(aead, jobs, n ? 1 : 0);
}

static void open_slowly(struct sp_aead *aead, struct sp_aead_job *jobs, unsigned int n)
{
	struct timespec pause = {.tv_nsec = 300000};

	sp_aead_openssl.open_batch(aead, jobs, n);
	nanosleep(&pause, NULL);
}

static int open_not_here(struct sp_aead **ret)
{
	return -ENOTSUP;
}

/* OpenSSL's with what is given in place of its own. */
static struct sp_aead_ops flawed(const char *name,
				 void (*seal)(struct sp_aead *, struct sp_aead_job *, unsigned int),
				 void (*open)(struct sp_aead *, struct sp_aead_job *, unsigned int))
{
	struct sp_aead_ops ops = sp_aead_openssl;

	ops.name = name;
	if (seal)
		ops.seal_batch = seal;
	if (open)
		ops.open_batch = open;
	return ops;
}

Test(select, every_back_end_of_this_build_passes_its_self_test)
{
	for (const struct sp_aead_ops *const *ops = sp_aead_backends; *ops; ops++)
		cr_assert_eq(sp_aead_self_test(*ops), 0, "%s", (*ops)->name);
}

Test(select, self_test_finds_every_flaw)
{
	const struct sp_aead_ops list[] = {
		flawed("always authentic", NULL, always_authentic),
		flawed("never authentic", NULL, never_authentic),
		flawed("compares half a tag", NULL, half_a_tag),
		flawed("leaves AAD out, both ways", seal_without_aad, open_without_aad),
		flawed("seals a batch with one key", seal_with_the_first_key, NULL),
		flawed("seals long packets wrongly", seal_long_ones_wrongly, NULL),
		flawed("opens the first of a batch", NULL, open_the_first_alone),
	};
	const struct sp_aead_ops whole = flawed("no flaw", NULL, NULL);

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		cr_assert_eq(sp_aead_self_test(&list[i]), -EBADMSG, "%s", list[i].name);
	cr_assert_eq(sp_aead_self_test(&whole), 0);
}

Test(select, auto_takes_the_fastest)
{
	const struct sp_aead_ops slow = flawed("slow", NULL, open_slowly);
	const struct sp_aead_ops *lists[][3] = {{&slow, &sp_aead_openssl, NULL},
						{&sp_aead_openssl, &slow, NULL}};
	char text[SP_AEAD_TEXT];

	for (size_t i = 0; i < 2; i++) {
		const struct sp_aead_ops *ops = NULL;

		cr_assert_eq(sp_aead_select(lists[i], "auto", &ops, text), 0);
		cr_assert_str_eq(ops->name, "openssl", "%s", text);
		cr_assert(strstr(text, "slow seals in ") && strstr(text, "openssl seals in "), "%s",
			  text);
	}
}

Test(select, auto_never_takes_a_broken_one)
{
	const struct sp_aead_ops slow = flawed("slow", NULL, open_slowly);
	const struct sp_aead_ops broken = flawed("broken", NULL, always_authentic);
	const struct sp_aead_ops *list[] = {&broken, &slow, NULL};
	const struct sp_aead_ops *ops = NULL;
	char text[SP_AEAD_TEXT];

	cr_assert_eq(sp_aead_select(list, "auto", &ops, text), 0);
	cr_assert_eq(ops, &slow);
	cr_assert(strstr(text, "broken failed its self-test"), "%s", text);
}

Test(select, auto_passes_over_one_that_does_not_open)
{
	struct sp_aead_ops absent = flawed("absent", NULL, NULL);
	const struct sp_aead_ops *list[] = {&absent, &sp_aead_openssl, NULL};
	const struct sp_aead_ops *ops = NULL;
	char text[SP_AEAD_TEXT];

	absent.open = open_not_here;
	cr_assert_eq(sp_aead_select(list, "auto", &ops, text), 0);
	cr_assert_eq(ops, &sp_aead_openssl);
	cr_assert(strstr(text, "absent "), "%s", text);
}

Test(select, a_named_one_must_be_there_and_right)
{
	const struct sp_aead_ops broken = flawed("broken", seal_long_ones_wrongly, NULL);
	struct sp_aead_ops absent = flawed("absent", NULL, NULL);
	const struct sp_aead_ops *list[] = {&broken, &absent, &sp_aead_openssl, NULL};
	const struct sp_aead_ops *ops = &sp_aead_openssl;
	char text[SP_AEAD_TEXT] = "untouched";

	absent.open = open_not_here;
	cr_assert_eq(sp_aead_select(list, "broken", &ops, text), -EBADMSG);
	cr_assert_eq(sp_aead_select(list, "absent", &ops, text), -ENOTSUP);
	cr_assert_eq(sp_aead_select(list, "openss", &ops, text), -ENOENT);
	cr_assert_eq(sp_aead_select(list, "", &ops, text), -ENOENT);
	cr_assert_eq(ops, &sp_aead_openssl);
	cr_assert_str_eq(text, "untouched");
	ops = NULL;
	cr_assert_eq(sp_aead_select(list, "openssl", &ops, text), 0);
	cr_assert_eq(ops, &sp_aead_openssl);
	cr_assert(!strstr(text, "broken"), "only the named one is tried: %s", text);
}

Test(select, auto_fails_where_all_are_broken)
{
	const struct sp_aead_ops broken = flawed("broken", NULL, never_authentic);
	const struct sp_aead_ops *list[] = {&broken, NULL};
	const struct sp_aead_ops *ops = NULL;
	char text[SP_AEAD_TEXT];

	cr_assert_eq(sp_aead_select(list, "auto", &ops, text), -EBADMSG);
	cr_assert_null(ops);
}

/* A text that does not fit is cut, not overrun. */
Test(select, text_is_cut_where_it_is_full)
{
	static char name[400];
	struct sp_aead_ops longest;
	const struct sp_aead_ops *list[] = {&longest, &sp_aead_openssl, NULL}, *ops = NULL;
	struct {
		char text[SP_AEAD_TEXT];
		char guard[16];
	} out;

	memset(name, 'x', sizeof(name) - 1);
	memset(&out, '#', sizeof(out));
	longest = flawed(name, NULL, NULL);
	cr_assert_eq(sp_aead_select(list, "auto", &ops, out.text), 0);
	cr_assert_eq(strlen(out.text), SP_AEAD_TEXT - 1);
	cr_assert_arr_eq(out.guard, "################", sizeof(out.guard));
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	cr_assert_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

Test(select, auto_takes_no_longer_than_20_ms)
{
	const struct sp_aead_ops *ops = NULL;
	char text[SP_AEAD_TEXT];
	uint64_t begun_ns = cpu_ns(), took_ns;

	cr_assert_eq(sp_aead_select(sp_aead_backends, "auto", &ops, text), 0);
	took_ns = cpu_ns() - begun_ns;
	cr_assert_lt(took_ns, 20000000ull, "%lu ns: %s", (unsigned long)took_ns, text);
	printf("  auto takes %s in %lu us: %s\n", ops->name, (unsigned long)took_ns / 1000, text);
}
