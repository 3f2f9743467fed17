/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/seqlock.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

static struct sp_nexthop shared;
static atomic_bool stop;

/* Every field says the same number: a torn copy shows two. */
static void *write_numbers(void *arg)
{
	for (uint32_t i = 1; !atomic_load(&stop); i++) {
		sp_seq_write_begin(&shared.seq);
		shared.ifindex = i;
		shared.slot = i;
		shared.mtu = i;
		memset(&shared.addr, (int)(i & 0xff), sizeof(shared.addr));
		shared.pad = i;
		sp_seq_write_end(&shared.seq);
		for (volatile int pause = 0; pause < 50; pause++)
			;
	}
	return NULL;
}

Test(core_seqlock, never_hands_out_a_torn_record)
{
	struct sp_nexthop n;
	uint32_t distinct = 0, last = 0;
	time_t end_s = time(NULL) + 20;
	pthread_t writer;

	cr_assert_eq(pthread_create(&writer, NULL, write_numbers, NULL), 0);
	/* Until reader and writer have met often; on a busy machine that takes turns of both. */
	while (distinct < 20000 && time(NULL) < end_s) {
		if (!sp_nexthop_read(&shared, &n))
			continue;
		distinct += n.mtu != last;
		last = n.mtu;
		cr_assert(n.ifindex == n.mtu && n.slot == n.mtu && n.pad == n.mtu &&
				  n.addr.b[0] == (n.mtu & 0xff) && n.addr.b[15] == (n.mtu & 0xff),
			  "%u %u %u %lu", n.ifindex, n.slot, n.mtu, (unsigned long)n.pad);
	}
	atomic_store(&stop, true);
	pthread_join(writer, NULL);
	cr_assert_gt(distinct, 100, "the writer did not run: %u", distinct);
}

Test(core_seqlock, gives_up_while_a_write_never_ends)
{
	struct sp_nexthop n = {.mtu = 1}, out = {.mtu = 42};

	sp_seq_write_begin(&n.seq);
	cr_assert_not(sp_nexthop_read(&n, &out));
	cr_assert_eq(out.mtu, 42, "output touched");
	sp_seq_write_end(&n.seq);
	cr_assert(sp_nexthop_read(&n, &out));
	cr_assert_eq(out.mtu, 1);
	cr_assert_eq(out.seq & 1, 0);
}
