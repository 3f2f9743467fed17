/* SPDX-License-Identifier: Apache-2.0 */
/* links: base crypto history */
/* Any bytes as an entry of the history: as they are, and with a hash that agrees with them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *bytes, size_t len)
{
	struct sp_history_texts texts = {0};
	struct sp_history_entry entry;

	if (sp_history_parse(bytes, len, &entry, &texts)) {
		if (texts.count)
			abort();
		return;
	}
	if (!texts.count || strlen(entry.summary) >= sizeof(entry.summary))
		abort();
	sp_history_texts_fini(&texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = malloc(size + 100);
	struct sp_hash hash;
	size_t len = size;

	if (!bytes || sp_hash_probe())
		abort();
	memcpy(bytes, data, size);
	parse(bytes, size);
	sp_hash(data, size, "", 0, &hash);
	len += (size_t)snprintf(bytes + len, 5, "end ");
	for (int i = 0; i < SP_HASH_BYTES; i++)
		len += (size_t)snprintf(bytes + len, 3, "%02x", hash.b[i]);
	bytes[len++] = '\n';
	parse(bytes, len);
	free(bytes);
	return 0;
}
