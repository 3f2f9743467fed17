/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/cleanup.h"

void sp_secret_wipe(void *p, size_t bytes)
{
	OPENSSL_cleanse(p, bytes);
}

bool sp_secret_equal(const void *a, const void *b, size_t bytes)
{
	return CRYPTO_memcmp(a, b, bytes) == 0;
}

bool sp_key_is_zero(const struct sp_key *key)
{
	static const struct sp_key zero;

	return sp_secret_equal(key, &zero, sizeof(zero));
}

const char *sp_key_format(const struct sp_key *key, char buf[static SP_KEY_TEXT])
{
	EVP_EncodeBlock((unsigned char *)buf, key->b, SP_KEY_BYTES);
	return buf;
}

int sp_key_parse(const char *text, struct sp_key *ret_key)
{
	unsigned char raw[SP_KEY_BYTES + 1];
	char again[SP_KEY_TEXT];
	struct sp_key key;
	int rc = -EINVAL;

	/* 32 bytes are 43 characters and one '='; EVP decodes the padding as a 33rd zero byte. */
	if (strlen(text) != SP_KEY_TEXT - 1 || text[43] != '=' || strchr(text, '=') != text + 43)
		return -EINVAL;
	if (EVP_DecodeBlock(raw, (const unsigned char *)text, SP_KEY_TEXT - 1) != sizeof(raw))
		goto out;
	memcpy(key.b, raw, SP_KEY_BYTES);
	if (!sp_secret_equal(sp_key_format(&key, again), text, SP_KEY_TEXT - 1))
		goto out; /* not canonical: stray bits in the last character */
	*ret_key = key;
	rc = 0;
out:
	sp_secret_wipe(raw, sizeof(raw));
	sp_secret_wipe(again, sizeof(again));
	sp_key_wipe(&key);
	return rc;
}

int sp_key_read_file(const char *path, struct sp_key *ret_key)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[SP_KEY_TEXT + 16];
	struct stat st;
	ssize_t n;
	int rc;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_mode & 077)
		return -EPERM;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	text[strcspn(text, " \t\r\n")] = '\0';
	rc = sp_key_parse(text, ret_key);
	sp_secret_wipe(text, sizeof(text));
	return rc;
}
