/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define ROWS_HEAD "{\"ok\":true,\"result\":["
#define ROWS_TAIL "]}\n"
#define IDLE_S	  30.0 /* a client that neither asks nor reads for so long is dropped */

struct client {
	struct sp_control *control;
	struct client *next;
	ev_io readable, writable;
	ev_timer idle;
	char *line; /* SP_CONTROL_LINE_BYTES */
	size_t line_bytes;
	char *answer;
	size_t answer_bytes, answer_sent;
	struct sp_control_rows rows; /* more: of an answer that is not whole yet */
	bool has_rows;		     /* some of them are sent */
	uint64_t ticket;	     /* its answer comes later; 0: nothing is owed */
};

struct sp_control {
	struct ev_loop *loop;
	sp_control_handler handler;
	void *arg;
	ev_io acceptable;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client *clients;
	unsigned int client_count;
	uint32_t asker_uid;
	struct sp_control_rows rows; /* what the handler answered with */
	struct client *asker;	     /* inside the handler */
	uint64_t last_ticket;
};

static void rows_end(struct sp_control_rows *rows)
{
	if (rows->more)
		rows->done(rows->arg);
	*rows = (struct sp_control_rows){0};
}

/* One answer at a time. */
static bool client_is_busy(const struct client *c)
{
	return c->answer || c->ticket || c->rows.more;
}

static void client_close(struct client *c)
{
	struct sp_control *control = c->control;
	struct client **p = &control->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	control->client_count--;
	ev_io_stop(control->loop, &c->readable);
	ev_io_stop(control->loop, &c->writable);
	ev_timer_stop(control->loop, &c->idle);
	close(c->readable.fd);
	rows_end(&c->rows);
	free(c->line);
	free(c->answer);
	free(c);
}

static char *answer_text(int rc, json_t *result, const char *error)
{
	json_t *answer;
	char *text;

	if (rc == 0)
		answer =
			json_pack("{s:b, s:o}", "ok", 1, "result", result ? result : json_object());
	else
		answer = json_pack("{s:b, s:s, s:i}", "ok", 0, "error",
				   error ? error : strerror(-rc), "code", -rc);
	text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	return text;
}

static uint32_t uid_of(int fd)
{
	struct ucred ucred;
	socklen_t len = sizeof(ucred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0 ? UINT32_MAX : ucred.uid;
}

uint32_t sp_control_asker_uid(const struct sp_control *control)
{
	return control->asker_uid;
}

void sp_control_answer_rows(struct sp_control *control, const struct sp_control_rows *rows)
{
	rows_end(&control->rows);
	control->rows = *rows;
}

uint64_t sp_control_defer(struct sp_control *control)
{
	return control->asker->ticket = ++control->last_ticket;
}

/*
 * The answer, or its beginning when rows are to follow (control->rows). NULL: no memory, or the
 * answer comes later.
 */
static char *answer_line(struct sp_control *control, const char *line, size_t bytes)
{
	_cleanup_free_ char *error = NULL;
	const char *command;
	json_t *request, *result = NULL;
	int rc;

	rc = sp_control_parse(line, bytes, &request, &command);
	if (rc)
		return answer_text(rc, NULL, "a request is one JSON object with a \"command\"");
	rc = control->handler(control->arg, command, request, &result, &error);
	json_decref(request);
	if (rc || result || control->asker->ticket)
		rows_end(&control->rows);
	if (control->asker->ticket)
		return NULL;
	return control->rows.more ? strdup(ROWS_HEAD) : answer_text(rc, result, error);
}

/* The next rows into c->answer, which may stay empty. -errno: there is no answer to go on with. */
static int client_refill(struct client *c)
{
	_cleanup_free_ char *rows = NULL;
	json_t *list = json_array();
	int more = list ? c->rows.more(c->rows.arg, list) : -ENOMEM, n;
	bool is_empty = json_array_size(list) == 0;

	if (more >= 0)
		rows = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	if (!rows)
		return more < 0 ? more : -ENOMEM;
	/* Without the list's own brackets. */
	n = asprintf(&c->answer, "%s%.*s%s", c->has_rows && !is_empty ? "," : "",
		     (int)strlen(rows) - 2, rows + 1, more ? "" : ROWS_TAIL);
	if (n < 0) {
		c->answer = NULL;
		return -ENOMEM;
	}
	c->answer_bytes = (size_t)n;
	c->answer_sent = 0;
	c->has_rows = c->has_rows || !is_empty;
	if (!more)
		rows_end(&c->rows);
	return 0;
}

/*
 * Sends what the socket takes; the rest, and further rows, when it is writable and the loop has
 * come round. False: the client is gone.
 */
static bool client_flush(struct client *c)
{
	if (!c->answer && c->rows.more && client_refill(c)) {
		client_close(c);
		return false;
	}
	while (c->answer_sent < c->answer_bytes) {
		ssize_t n = send(c->writable.fd, c->answer + c->answer_sent,
				 c->answer_bytes - c->answer_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			ev_io_start(c->control->loop, &c->writable);
			return true;
		}
		if (n <= 0) {
			client_close(c);
			return false;
		}
		c->answer_sent += (size_t)n;
	}
	free(TAKE_PTR(c->answer));
	c->answer_bytes = c->answer_sent = 0;
	if (c->rows.more) {
		ev_io_start(c->control->loop, &c->writable);
		return true;
	}
	ev_io_stop(c->control->loop, &c->writable);
	ev_io_start(c->control->loop, &c->readable);
	return true;
}

/* Takes over text; NULL: no memory. False: the client is gone. */
static bool client_send(struct client *c, char *text)
{
	if (!text) {
		client_close(c);
		return false;
	}
	c->answer = text;
	c->answer_bytes = strlen(text);
	c->answer_sent = 0;
	if (!c->rows.more)
		text[c->answer_bytes++] = '\n'; /* the terminator's place: sent by length */
	return client_flush(c);
}

/* Answers the first whole line, if there is one. False: the client is gone. */
static bool client_serve(struct client *c)
{
	char *end = memchr(c->line, '\n', c->line_bytes);
	size_t used;
	char *text;

	if (!end) {
		if (c->line_bytes < SP_CONTROL_LINE_BYTES)
			return true;
		client_close(c); /* longer than any request */
		return false;
	}
	used = (size_t)(end - c->line) + 1;
	c->control->asker_uid = uid_of(c->readable.fd);
	c->control->asker = c;
	text = answer_line(c->control, c->line, used - 1);
	c->line_bytes -= used;
	memmove(c->line, c->line + used, c->line_bytes);
	ev_io_stop(c->control->loop, &c->readable); /* one answer at a time */
	if (c->ticket) {
		ev_timer_stop(c->control->loop, &c->idle);
		return true;
	}
	c->rows = c->control->rows;
	c->control->rows = (struct sp_control_rows){0};
	c->has_rows = false;
	return client_send(c, text);
}

/* Whole lines that wait behind the one just answered. False: the client is gone. */
static bool client_go_on(struct client *c)
{
	while (!client_is_busy(c) && memchr(c->line, '\n', c->line_bytes)) {
		if (!client_serve(c))
			return false;
	}
	return true;
}

void sp_control_answer(struct sp_control *control, uint64_t ticket, int rc, json_t *result,
		       const char *error)
{
	char *text = answer_text(rc, result, error);
	struct client *c = control->clients;

	while (c && c->ticket != ticket)
		c = c->next;
	if (!c) {
		free(text);
		return;
	}
	c->ticket = 0;
	ev_timer_again(control->loop, &c->idle);
	if (client_send(c, text))
		client_go_on(c);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct client *c = watcher->data;
	ssize_t n = recv(watcher->fd, c->line + c->line_bytes,
			 SP_CONTROL_LINE_BYTES - c->line_bytes, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->line_bytes += (size_t)n;
	ev_timer_again(loop, &c->idle);
	if (client_go_on(c) && !client_is_busy(c) && c->line_bytes == SP_CONTROL_LINE_BYTES)
		client_serve(c);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct client *c = watcher->data;

	ev_timer_again(loop, &c->idle);
	if (client_flush(c))
		client_go_on(c);
}

static void on_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
	client_close(timer->data);
}

static void on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_control *control = watcher->data;
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	c = control->client_count < SP_CONTROL_CLIENT_MAX ? calloc(1, sizeof(*c)) : NULL;
	if (c)
		c->line = malloc(SP_CONTROL_LINE_BYTES);
	if (!c || !c->line) {
		free(c);
		close(fd);
		return;
	}
	c->control = control;
	c->next = control->clients;
	control->clients = c;
	control->client_count++;
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	ev_init(&c->idle, on_idle);
	c->idle.repeat = IDLE_S;
	c->readable.data = c->writable.data = c->idle.data = c;
	ev_io_start(loop, &c->readable);
	ev_timer_again(loop, &c->idle);
}

/* A socket file that nobody answers is a leftover of a crash. */
static int remove_dead_socket(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(addr->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return -EADDRINUSE;
	return unlink(addr->sun_path) < 0 ? -errno : 0;
}

static int listen_on(const char *path, int *ret_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t old;
	int rc;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	rc = remove_dead_socket(&addr);
	if (rc)
		return rc;
	old = umask(0117); /* 0660 from the first moment */
	rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(old);
	if (rc)
		return rc;
	if (listen(fd, SP_CONTROL_CLIENT_MAX) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int sp_control_open(struct ev_loop *loop, const char *path, sp_control_handler handler, void *arg,
		    struct sp_control **ret_control)
{
	struct sp_control *control = calloc(1, sizeof(*control));
	int fd, rc;

	if (!control)
		return -ENOMEM;
	rc = listen_on(path, &fd);
	if (rc) {
		free(control);
		return rc;
	}
	control->loop = loop;
	control->handler = handler;
	control->arg = arg;
	memcpy(control->path, path, strlen(path) + 1);
	ev_io_init(&control->acceptable, on_acceptable, fd, EV_READ);
	control->acceptable.data = control;
	ev_io_start(loop, &control->acceptable);
	*ret_control = control;
	return 0;
}

void sp_control_close(struct sp_control *control)
{
	if (!control)
		return;
	while (control->clients)
		client_close(control->clients);
	ev_io_stop(control->loop, &control->acceptable);
	close(control->acceptable.fd);
	unlink(control->path);
	free(control);
}
