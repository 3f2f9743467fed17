/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: one JSON object a line in, one out (docs/control.md). Daemon thread. */
#ifndef SP_CONTROL_CONTROL_H
#define SP_CONTROL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <ev.h>
#include <jansson.h>

#define SP_CONTROL_LINE_BYTES 65536 /* longest request */
#define SP_CONTROL_CLIENT_MAX 32

struct sp_control;

/*
 * Answer one request. Either 0 and a result (a new reference; NULL means {}), or -errno and a
 * message of what to do next, made with malloc.
 */
typedef int (*sp_control_handler)(void *arg, const char *command, const json_t *request,
				  json_t **ret_result, char **ret_error);

/* Binds path (replacing a dead socket; -EADDRINUSE when somebody answers there), mode 0660. */
int sp_control_open(struct ev_loop *loop, const char *path, sp_control_handler handler, void *arg,
		    struct sp_control **ret_control);
void sp_control_close(struct sp_control *control);
/*
 * A long list, some rows at a time, so that the loop goes on in between. more appends rows: 1 there may
 * be more, 0 that was all, -errno hangs up; it should take no longer than a millisecond or two. done
 * gets arg when the list is whole or the client is gone.
 */
struct sp_control_rows {
	int (*more)(void *arg, json_t *list);
	void (*done)(void *arg);
	void *arg;
};
/* Only inside the handler, which then returns 0 without a result: the rows are the result. */
void sp_control_answer_rows(struct sp_control *control, const struct sp_control_rows *rows);
/*
 * For what takes longer than the loop may: the handler defers, answers -EINPROGRESS, and somebody
 * calls answer with the ticket later, on the loop. A client that is gone by then is no error. Takes
 * over result.
 */
uint64_t sp_control_defer(struct sp_control *control);
void sp_control_answer(struct sp_control *control, uint64_t ticket, int rc, json_t *result,
		       const char *error);
/* Who asked (SO_PEERCRED); UINT32_MAX: not known. Only inside the handler. */
uint32_t sp_control_asker_uid(const struct sp_control *control);

/*
 * One request line to its object and command (borrowed from the object). -EBADMSG: not a JSON
 * object with a string "command" of at most 64 characters. Pure: the fuzzer's entry.
 */
int sp_control_parse(const char *line, size_t bytes, json_t **ret_request,
		     const char **ret_command);

#endif
