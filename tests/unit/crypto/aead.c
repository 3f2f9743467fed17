/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vectors.h"

/* RFC 8439, 2.8.2. */
static const char text[] =
	"Ladies and Gentlemen of the class of '99: If I could offer you only one "
	"tip for the future, sunscreen would be it.";
#define TEXT_BYTES (sizeof(text) - 1)
static const char sealed_hex[] =
	"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
	"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
	"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
	"3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";

struct packet {
	struct sp_aead_key key;
	uint8_t aad[12];
	uint8_t data[2048];
	struct sp_aead_job job;
};

static void packet_make(struct packet *p)
{
	memset(p, 0, sizeof(*p));
	for (int i = 0; i < SP_KEY_BYTES; i++)
		p->key.raw.b[i] = (uint8_t)(0x80 + i);
	unhex(p->aad, "50515253c0c1c2c3c4c5c6c7");
	memcpy(p->data, text, TEXT_BYTES);
	p->job = (struct sp_aead_job){.key = &p->key,
				      .data = p->data,
				      .bytes = TEXT_BYTES,
				      .aad = p->aad,
				      .aad_bytes = sizeof(p->aad)};
	unhex(p->job.nonce, "070000004041424344454647");
}

static struct sp_aead *instance(void)
{
	struct sp_aead *aead = NULL;

	cr_assert_eq(sp_aead_openssl.open(&aead), 0);
	return aead;
}

Test(aead, seals_and_opens_the_vector_of_rfc_8439)
{
	struct sp_aead *aead = instance();
	uint8_t expected[256];
	struct packet p;

	cr_assert_eq(unhex(expected, sealed_hex), TEXT_BYTES + SP_AEAD_TAG_BYTES);
	packet_make(&p);
	for (int again = 0; again < 2; again++) {
		memcpy(p.data, text, TEXT_BYTES);
		sp_aead_openssl.seal_batch(aead, &p.job, 1);
		cr_assert_arr_eq(p.data, expected, TEXT_BYTES + SP_AEAD_TAG_BYTES);
		sp_aead_openssl.open_batch(aead, &p.job, 1);
		cr_assert(p.job.authentic);
		cr_assert_arr_eq(p.data, text, TEXT_BYTES);
	}
	sp_aead_openssl.close(aead);
}

Test(aead, refuses_every_single_changed_byte)
{
	struct sp_aead *aead = instance();
	struct packet p;
	struct {
		const char *name;
		uint8_t *at;
		size_t bytes;
	} fields[] = {
		{"data and tag", p.data, TEXT_BYTES + SP_AEAD_TAG_BYTES},
		{"aad", p.aad, sizeof(p.aad)},
		{"nonce", p.job.nonce, SP_AEAD_NONCE_BYTES},
		{"key", p.key.raw.b, SP_KEY_BYTES},
	};

	for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
		for (size_t i = 0; i < fields[f].bytes; i++) {
			packet_make(&p);
			unhex(p.data, sealed_hex);
			fields[f].at[i] ^= (uint8_t)(1 << i % 8);
			sp_aead_openssl.open_batch(aead, &p.job, 1);
			cr_assert(!p.job.authentic, "%s, byte %zu", fields[f].name, i);
		}
	}
	sp_aead_openssl.close(aead);
}

Test(aead, refuses_other_lengths)
{
	struct sp_aead *aead = instance();
	struct packet p;

	for (uint32_t bytes = 0; bytes < TEXT_BYTES + 8; bytes++) {
		packet_make(&p);
		unhex(p.data, sealed_hex);
		p.job.bytes = bytes;
		sp_aead_openssl.open_batch(aead, &p.job, 1);
		cr_assert_eq(p.job.authentic, bytes == TEXT_BYTES, "%u bytes", bytes);
	}
	packet_make(&p);
	unhex(p.data, sealed_hex);
	p.job.aad_bytes--;
	sp_aead_openssl.open_batch(aead, &p.job, 1);
	cr_assert(!p.job.authentic);
	sp_aead_openssl.close(aead);
}

/* A keepalive: nothing but a tag; aad absent as in WireGuard's data packets. */
Test(aead, seals_and_opens_nothing)
{
	struct sp_aead *aead = instance();
	struct packet p;

	packet_make(&p);
	p.job.bytes = p.job.aad_bytes = 0;
	p.job.aad = NULL;
	sp_aead_openssl.seal_batch(aead, &p.job, 1);
	sp_aead_openssl.open_batch(aead, &p.job, 1);
	cr_assert(p.job.authentic);
	p.data[3] ^= 1;
	sp_aead_openssl.open_batch(aead, &p.job, 1);
	cr_assert(!p.job.authentic);
	sp_aead_openssl.close(aead);
}

/* One broken packet spoils no neighbour, and keys may alternate. */
Test(aead, keeps_packets_of_a_batch_apart)
{
	struct sp_aead *aead = instance();
	static struct packet packets[SP_AEAD_BATCH_MAX];
	struct sp_aead_job jobs[SP_AEAD_BATCH_MAX];

	for (int i = 0; i < SP_AEAD_BATCH_MAX; i++) {
		packet_make(&packets[i]);
		packets[i].key.raw.b[0] = (uint8_t)(i / 3);
		packets[i].job.bytes = (uint32_t)(i * 7 % 111);
		sp_aead_nonce_counter(packets[i].job.nonce, (uint64_t)i << 33);
		jobs[i] = packets[i].job;
	}
	sp_aead_openssl.seal_batch(aead, jobs, SP_AEAD_BATCH_MAX);
	packets[17].data[0] ^= 0x10;
	packets[40].data[jobs[40].bytes + 15] ^= 0x80;
	sp_aead_openssl.open_batch(aead, jobs, SP_AEAD_BATCH_MAX);
	for (int i = 0; i < SP_AEAD_BATCH_MAX; i++) {
		cr_assert_eq(jobs[i].authentic, i != 17 && i != 40, "packet %d", i);
		if (jobs[i].authentic)
			cr_assert_arr_eq(packets[i].data, text, jobs[i].bytes);
	}
	sp_aead_openssl.close(aead);
}

/* A keypair is freed and another one lands on its address: the old key must not be used. */
Test(aead, notices_another_key_at_the_same_address)
{
	struct sp_aead *aead = instance();
	uint8_t first[256];
	struct packet p;

	packet_make(&p);
	sp_aead_openssl.seal_batch(aead, &p.job, 1);
	memcpy(first, p.data, TEXT_BYTES + SP_AEAD_TAG_BYTES);
	memcpy(p.data, text, TEXT_BYTES);
	p.key.raw.b[31] ^= 1;
	sp_aead_openssl.seal_batch(aead, &p.job, 1);
	cr_assert_arr_neq(p.data, first, TEXT_BYTES);
	sp_aead_openssl.open_batch(aead, &p.job, 1);
	cr_assert(p.job.authentic);
	sp_aead_openssl.close(aead);
}

Test(aead, never_lets_plaintext_out_when_it_cannot_seal)
{
	struct sp_aead *aead = instance();
	struct packet p;

	packet_make(&p);
	p.key.algorithm = (enum sp_aead_algorithm)99;
	sp_aead_openssl.seal_batch(aead, &p.job, 1);
	for (size_t i = 0; i < TEXT_BYTES + SP_AEAD_TAG_BYTES; i++)
		cr_assert_eq(p.data[i], 0);
	sp_aead_openssl.close(aead);
}

Test(aead, counts_nonces_little_endian)
{
	static const uint8_t expected[] = {0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
	uint8_t nonce[SP_AEAD_NONCE_BYTES];

	sp_aead_nonce_counter(nonce, 0x0102030405060708ull);
	cr_assert_arr_eq(nonce, expected, sizeof(nonce));
}
