/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/xchacha.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vectors.h"

/* draft-irtf-cfrg-xchacha-03, 2.2.1. */
Test(xchacha, derives_the_subkey_of_the_draft)
{
	struct sp_key key, subkey, expected;
	uint8_t nonce[16];

	for (int i = 0; i < SP_KEY_BYTES; i++)
		key.b[i] = (uint8_t)i;
	unhex(nonce, "000000090000004a0000000031415927");
	unhex(expected.b, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
	sp_hchacha20(&key, nonce, &subkey);
	cr_assert_arr_eq(subkey.b, expected.b, SP_KEY_BYTES);
}

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static const char text[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only one "
	"tip for the future, sunscreen would be it.";
#define TEXT_BYTES (sizeof(text) - 1)
static const char sealed_hex[] =
	"bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
	"731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
	"2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
	"21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";

Test(xchacha, seals_and_opens_the_vector_of_the_draft)
{
	uint8_t nonce[SP_XCHACHA_NONCE_BYTES], aad[12], data[256], expected[256];
	struct sp_aead *aead = NULL;
	struct sp_key key;

	cr_assert_eq(sp_aead_openssl.open(&aead), 0);
	for (int i = 0; i < SP_KEY_BYTES; i++)
		key.b[i] = (uint8_t)(0x80 + i);
	for (int i = 0; i < SP_XCHACHA_NONCE_BYTES; i++)
		nonce[i] = (uint8_t)(0x40 + i);
	unhex(aad, "50515253c0c1c2c3c4c5c6c7");
	memcpy(data, text, TEXT_BYTES);
	cr_assert_eq(unhex(expected, sealed_hex), TEXT_BYTES + SP_AEAD_TAG_BYTES);
	sp_xchacha_seal(aead, &key, nonce, aad, sizeof(aad), data, TEXT_BYTES);
	cr_assert_arr_eq(data, expected, TEXT_BYTES + SP_AEAD_TAG_BYTES);
	cr_assert(sp_xchacha_open(aead, &key, nonce, aad, sizeof(aad), data, TEXT_BYTES));
	cr_assert_arr_eq(data, text, TEXT_BYTES);
	for (int i = 0; i < SP_XCHACHA_NONCE_BYTES; i++) {
		memcpy(data, expected, TEXT_BYTES + SP_AEAD_TAG_BYTES);
		nonce[i] ^= 4;
		cr_assert(!sp_xchacha_open(aead, &key, nonce, aad, sizeof(aad), data, TEXT_BYTES),
			  "nonce byte %d", i);
		nonce[i] ^= 4;
	}
	memcpy(data, expected, TEXT_BYTES + SP_AEAD_TAG_BYTES);
	aad[0] ^= 1;
	cr_assert(!sp_xchacha_open(aead, &key, nonce, aad, sizeof(aad), data, TEXT_BYTES));
	sp_aead_openssl.close(aead);
}
