/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: wiped on every path, compared in constant time, never printed. Any thread. */
#ifndef SP_BASE_SECRET_H
#define SP_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_KEY_BYTES 32

struct sp_key {
	uint8_t b[SP_KEY_BYTES];
};

void sp_secret_wipe(void *p, size_t bytes);
bool sp_secret_equal(const void *a, const void *b, size_t bytes);
bool sp_key_is_zero(const struct sp_key *key);
static inline void sp_key_wipe(struct sp_key *key)
{
	sp_secret_wipe(key, sizeof(*key));
}
/* A local key that is wiped when it leaves scope. */
#define _cleanup_key_ __attribute__((cleanup(sp_key_wipe)))

/* Base64 as wg(8) prints keys: 44 characters. -EINVAL: not 32 bytes of canonical base64. */
#define SP_KEY_TEXT 45
int sp_key_parse(const char *text, struct sp_key *ret_key);
const char *sp_key_format(const struct sp_key *key, char buf[static SP_KEY_TEXT]);
/* First line of a file only its owner may read. -EPERM: readable by group or others. */
int sp_key_read_file(const char *path, struct sp_key *ret_key);

#endif
