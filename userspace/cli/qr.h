/* SPDX-License-Identifier: Apache-2.0 */
/* A QR code on a terminal. One thread. */
#ifndef SP_CLI_QR_H
#define SP_CLI_QR_H

#include <stdio.h>

/* Two modules a character, as UTF-8 half blocks, light on dark. 0, -E2BIG, -ENOMEM. */
int sp_qr_print(FILE *out, const char *text);

#endif
