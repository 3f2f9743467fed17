/* SPDX-License-Identifier: Apache-2.0 */
/* The AEAD back ends of this build, and the choice among them. One thread, at the start. */
#ifndef SP_CRYPTO_AEAD_SELECT_H
#define SP_CRYPTO_AEAD_SELECT_H

#include "crypto/aead.h"

#define SP_AEAD_AUTO "auto"
#define SP_AEAD_TEXT 256

#ifdef SP_HAVE_IPSEC_MB
extern const struct sp_aead_ops sp_aead_ipsec_mb;
#endif

/* Ends with NULL. */
extern const struct sp_aead_ops *const sp_aead_backends[];

/*
 * Known answers of RFC 8439 and of a batch of many lengths, and every field of a packet changed.
 * -EBADMSG: a wrong answer, or a forged packet was taken; -ENOTSUP, -ENOMEM: it does not open.
 */
int sp_aead_self_test(const struct sp_aead_ops *ops);

/*
 * The back end called name, or for "auto" the fastest that passes its self-test; takes up to 20 ms.
 * ret_text says what was measured or why a back end is out. -ENOENT: no such back end in this
 * build; otherwise the error of the last self-test that failed.
 */
int sp_aead_select(const struct sp_aead_ops *const *backends, const char *name,
		   const struct sp_aead_ops **ret_ops, char ret_text[static SP_AEAD_TEXT]);

#endif
