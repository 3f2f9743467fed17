/* SPDX-License-Identifier: Apache-2.0 */
/* links: base control */
#include <stdint.h>
#include <string.h>

#include "control/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *request;
	const char *command;

	if (sp_control_parse((const char *)data, size, &request, &command))
		return 0;
	if (strlen(command) > 64)
		__builtin_trap();
	json_decref(request);
	return 0;
}
