/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/dh.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "vectors.h"

/* RFC 7748, 6.1: Bob's side. */
Test(dh, gives_the_answers_of_rfc_7748)
{
	struct sp_key bob, bob_public, alice_public, shared, expected;

	unhex(bob.b, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	unhex(alice_public.b, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	unhex(expected.b, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
	cr_assert_eq(sp_dh_public(&bob, &bob_public), 0);
	cr_assert_arr_eq(bob_public.b, expected.b, SP_KEY_BYTES);
	unhex(expected.b, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
	cr_assert_eq(sp_dh(&bob, &alice_public, &shared), 0);
	cr_assert_arr_eq(shared.b, expected.b, SP_KEY_BYTES);
}

/* The points of order 1, 2, 4 and 8 on the curve and its twist, also written beyond 2^255 - 19. */
static const char *const low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

Test(dh, refuses_points_of_low_order)
{
	struct sp_key mine, theirs, shared, untouched;

	memset(mine.b, 0x55, sizeof(mine));
	memset(shared.b, 0xaa, sizeof(shared));
	untouched = shared;
	for (size_t i = 0; i < sizeof(low_order) / sizeof(low_order[0]); i++) {
		for (int top = 0; top < 2; top++) { /* the highest bit does not count */
			cr_assert_eq(unhex(theirs.b, low_order[i]), SP_KEY_BYTES);
			theirs.b[31] |= (uint8_t)(top << 7);
			cr_assert_eq(sp_dh(&mine, &theirs, &shared), -EKEYREJECTED, "point %zu", i);
			cr_assert_arr_eq(shared.b, untouched.b, SP_KEY_BYTES);
		}
	}
	theirs.b[0] = 9;
	memset(theirs.b + 1, 0, 31);
	cr_assert_eq(sp_dh(&mine, &theirs, &shared), 0);
}

Test(dh, clamps_without_changing_the_public_key)
{
	struct sp_key key, before, after;

	memset(key.b, 0xff, sizeof(key));
	cr_assert_eq(sp_dh_public(&key, &before), 0);
	sp_dh_clamp(&key);
	cr_assert_eq(key.b[0], 0xf8);
	cr_assert_eq(key.b[31], 0x7f);
	cr_assert_eq(sp_dh_public(&key, &after), 0);
	cr_assert_arr_eq(before.b, after.b, SP_KEY_BYTES);
}
