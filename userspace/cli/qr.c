/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/secret.h"

#define QUIET_ZONE 2 /* modules; ISO 18004 asks for four, every phone is content with two */

static int is_light(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return 1;
	return !(code->data[y * code->width + x] & 1);
}

int sp_qr_print(FILE *out, const char *text)
{
	/* by the upper and the lower module: dark is the terminal's background */
	static const char *const blocks[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};
	QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	bool colours = isatty(fileno(out)); /* white on black, whatever the terminal prefers */
	int end;

	if (!code)
		return errno == ERANGE ? -E2BIG : -ENOMEM;
	end = code->width + QUIET_ZONE;
	for (int y = -QUIET_ZONE; y < end; y += 2) {
		fputs(colours ? "\033[97;40m" : "", out);
		for (int x = -QUIET_ZONE; x < end; x++)
			fputs(blocks[is_light(code, x, y)][is_light(code, x, y + 1)], out);
		fputs(colours ? "\033[0m\n" : "\n", out);
	}
	sp_secret_wipe(code->data, (size_t)code->width * (size_t)code->width);
	QRcode_free(code);
	return 0;
}
