/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "control/control.h"

#define COMMAND_BYTES 64

int sp_control_parse(const char *line, size_t bytes, json_t **ret_request, const char **ret_command)
{
	json_t *request, *command;

	if (bytes > SP_CONTROL_LINE_BYTES)
		return -EBADMSG;
	request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	command = json_object_get(request, "command");
	if (!json_is_string(command) || json_string_length(command) > COMMAND_BYTES) {
		json_decref(request);
		return -EBADMSG;
	}
	*ret_request = request;
	*ret_command = json_string_value(command);
	return 0;
}
