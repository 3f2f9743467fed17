/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the control socket: one JSON line out, one in (docs/control.md). Any thread. */
#ifndef SP_CLI_CLIENT_H
#define SP_CLI_CLIENT_H

#include <jansson.h>

/*
 * Send request (borrowed) and wait for the answer, a JSON object with "ok". -errno of the socket
 * means that there is no daemon; -EBADMSG: an answer that is none, -ETIMEDOUT: none in a minute,
 * -EFBIG: one beyond 256 MiB.
 */
int sp_client_request(const char *socket_path, const json_t *request, json_t **ret_answer);

#endif
