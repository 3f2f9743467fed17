/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vectors.h"

/* RFC 7693, appendix B; the others from the reference code of BLAKE2 and HMAC (RFC 2104). */
Test(hash, gives_the_known_answers)
{
	struct sp_hash hash, expected;

	cr_assert_eq(sp_hash_probe(), 0);
	unhex(expected.b, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
	sp_hash("abc", 3, NULL, 0, &hash);
	cr_assert_arr_eq(hash.b, expected.b, SP_HASH_BYTES);
	sp_hash("a", 1, "bc", 2, &hash);
	cr_assert_arr_eq(hash.b, expected.b, SP_HASH_BYTES);
}

Test(hash, may_write_over_its_input)
{
	struct sp_hash hash, expected;

	memset(hash.b, 7, sizeof(hash.b));
	sp_hash(hash.b, SP_HASH_BYTES, "x", 1, &expected);
	sp_hash(hash.b, SP_HASH_BYTES, "x", 1, &hash);
	cr_assert_arr_eq(hash.b, expected.b, SP_HASH_BYTES);
}

Test(hash, authenticates_with_sixteen_bytes)
{
	uint8_t key[32], mac[SP_MAC_BYTES], expected[SP_MAC_BYTES];

	for (int i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	unhex(expected, "58edb1775c789ee6b3edd4d64dabc7f1");
	sp_mac(key, 32, "sally", 5, "port", 4, mac);
	cr_assert_arr_eq(mac, expected, SP_MAC_BYTES);
	unhex(expected, "0d0bd65d5095c1856a4644cbf677f4c2");
	sp_mac(key, 16, "sallyport", 9, NULL, 0, mac);
	cr_assert_arr_eq(mac, expected, SP_MAC_BYTES);
}

Test(hash, derives_keys)
{
	struct sp_key chaining, t[3], e[3];

	for (int i = 0; i < 32; i++)
		chaining.b[i] = (uint8_t)i;
	unhex(e[0].b, "87b7f70b24183c6db5dc4f6d9f4c47cdb203321aa2a0bef714896adb3107a040");
	unhex(e[1].b, "538a02e1eb2e31b7e4d4b82476d1fe2acf50085d3fb584537279195f5d1f5824");
	unhex(e[2].b, "9ad858025593be88de0f9442a589cfe84a88dc19e4753d93684d1c5efc4837f9");
	sp_kdf(&chaining, "input", 5, &t[0], &t[1], &t[2]);
	cr_assert_arr_eq(t, e, sizeof(t));
	memset(t, 0, sizeof(t));
	sp_kdf(&chaining, "input", 5, &t[0], &t[1], NULL);
	cr_assert_arr_eq(t, e, 2 * sizeof(t[0]));
	/* In place, and without input. */
	unhex(e[0].b, "7a38c34bf2b8738d7374ca77c44ecb309a11d2b2528304fa86052c365e722624");
	sp_kdf(&chaining, NULL, 0, &chaining, NULL, NULL);
	cr_assert_arr_eq(chaining.b, e[0].b, SP_KEY_BYTES);
}
