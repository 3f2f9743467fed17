/* SPDX-License-Identifier: Apache-2.0 */
#include "sallyport/core/ecn.h"

#include <criterion/criterion.h>

#define DROP 0xff

Test(core_ecn, copies_the_field_on_encapsulation)
{
	/* RFC 6040 figure 3, normal mode; DSCP stays inside */
	for (int tos = 0; tos < 256; tos++)
		cr_assert_eq(sp_ecn_encapsulate((uint8_t)tos), tos & 3, "%d", tos);
}

Test(core_ecn, decapsulates_by_the_table)
{
	/* RFC 6040 figure 4: rows are the inner field, columns the outer one */
	static const uint8_t order[] = {SP_ECN_NOT_ECT, SP_ECN_ECT0, SP_ECN_ECT1, SP_ECN_CE};
	static const uint8_t want[4][4] = {
		{SP_ECN_NOT_ECT, SP_ECN_NOT_ECT, SP_ECN_NOT_ECT, DROP},
		{SP_ECN_ECT0, SP_ECN_ECT0, SP_ECN_ECT1, SP_ECN_CE},
		{SP_ECN_ECT1, SP_ECN_ECT1, SP_ECN_ECT1, SP_ECN_CE},
		{SP_ECN_CE, SP_ECN_CE, SP_ECN_CE, SP_ECN_CE},
	};

	for (int i = 0; i < 4; i++) {
		for (int o = 0; o < 4; o++) {
			uint8_t got = 0x77;
			bool ok = sp_ecn_decapsulate(order[o], order[i], &got);

			cr_assert_eq(ok, want[i][o] != DROP, "inner %d outer %d", i, o);
			cr_assert_eq(got, ok ? want[i][o] : 0x77, "inner %d outer %d", i, o);
		}
	}
}
