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

#define IDLE_S 30.0 /* a client that neither asks nor reads for so long is dropped */

struct client {
	struct sp_control *control;
	struct client *next;
	ev_io readable, writable;
	ev_timer idle;
	char *line; /* SP_CONTROL_LINE_BYTES */
	size_t line_bytes;
	char *answer;
	size_t answer_bytes, answer_sent;
	uint64_t ticket; /* its answer comes later; 0: nothing is owed */
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
	struct client *asker; /* inside the handler */
	uint64_t last_ticket;
};

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

uint64_t sp_control_defer(struct sp_control *control)
{
	return control->asker->ticket = ++control->last_ticket;
}

/* NULL: no memory, or the answer comes later. */
static char *answer_line(struct sp_control *control, const char *line, size_t bytes)
{
	_cleanup_free_ char *error = NULL;
	const char *command;
	json_t *request, *result = NULL;
	char *text;
	int rc;

	rc = sp_control_parse(line, bytes, &request, &command);
	if (rc)
		return answer_text(rc, NULL, "a request is one JSON object with a \"command\"");
	rc = control->handler(control->arg, command, request, &result, &error);
	text = control->asker->ticket ? NULL : answer_text(rc, result, error);
	json_decref(request);
	return text;
}

/* Sends what the socket takes; the rest when it is writable. False: the client is gone. */
static bool client_flush(struct client *c)
{
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
	ev_io_stop(c->control->loop, &c->writable);
	free(TAKE_PTR(c->answer));
	c->answer_bytes = c->answer_sent = 0;
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
	c->answer_bytes = strlen(text) + 1;
	c->answer = text;
	text[c->answer_bytes - 1] = '\n'; /* the terminator's place: sent by length */
	c->answer_sent = 0;
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
	return client_send(c, text);
}

/* Whole lines that wait behind the one just answered. */
static void client_go_on(struct client *c)
{
	while (!c->answer && !c->ticket && memchr(c->line, '\n', c->line_bytes)) {
		if (!client_serve(c))
			return;
	}
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
	while (!c->answer && !c->ticket && memchr(c->line, '\n', c->line_bytes)) {
		if (!client_serve(c))
			return;
	}
	if (!c->answer && !c->ticket && c->line_bytes == SP_CONTROL_LINE_BYTES)
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
