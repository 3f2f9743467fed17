/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket with a real client on the other end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"

static char path[64];
static struct ev_loop *loop;
static struct sp_control *control;
static uint64_t tickets[8];
static unsigned int ticket_count;

/* Rows 0 to ROWS - 1, some turns of which bring none. */
#define ROWS 100000
static int rows_made, rows_open;

static int more_rows(void *arg, json_t *list)
{
	int turn = ++*(int *)arg;

	for (int i = 0; i < turn % 100 && rows_made < ROWS; i++)
		json_array_append_new(list, json_integer(rows_made++));
	return rows_made < ROWS;
}

static int fail_rows(void *arg, json_t *list)
{
	return -EIO;
}

static void end_rows(void *arg)
{
	rows_open--;
	free(arg);
}

static void begin_rows(int (*more)(void *, json_t *))
{
	rows_made = 0;
	rows_open++;
	sp_control_answer_rows(control,
			       &(struct sp_control_rows){more, end_rows, calloc(1, sizeof(int))});
}

static int answer(void *arg, const char *command, const json_t *request, json_t **ret_result,
		  char **ret_error)
{
	if (!strcmp(command, "big")) {
		char *text = malloc(4 << 20);

		memset(text, 'x', (4 << 20) - 1);
		text[(4 << 20) - 1] = '\0';
		*ret_result = json_pack("{s:s}", "text", text);
		free(text);
		return 0;
	}
	if (!strcmp(command, "rows") || !strcmp(command, "broken rows")) {
		begin_rows(command[0] == 'r' ? more_rows : fail_rows);
		return 0;
	}
	if (!strcmp(command, "rows, then no")) {
		begin_rows(more_rows);
		return -EBUSY;
	}
	if (!strcmp(command, "fail")) {
		*ret_error = strdup("do this instead");
		return -EBUSY;
	}
	if (!strcmp(command, "who")) {
		*ret_result = json_pack("{s:i}", "uid", (int)sp_control_asker_uid(control));
		return 0;
	}
	if (!strcmp(command, "later")) {
		tickets[ticket_count++] = sp_control_defer(control);
		return -EINPROGRESS;
	}
	*ret_result = json_pack("{s:s}", "echo", command);
	return 0;
}

static void set_up(void)
{
	snprintf(path, sizeof(path), "/tmp/sp-control-%d.sock", getpid());
	loop = ev_loop_new(EVFLAG_AUTO);
	cr_assert_eq(sp_control_open(loop, path, answer, NULL, &control), 0);
}

static void tear_down(void)
{
	sp_control_close(control);
	ev_loop_destroy(loop);
	cr_assert(access(path, F_OK) < 0, "the socket file stayed behind");
}

static int dial(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Runs the loop until the client has a whole line, or the server hung up (NULL). */
static char *read_line(int fd)
{
	size_t size = 8 << 20, used = 0;
	char *line = malloc(size);

	for (int turns = 0; turns < 100000; turns++) {
		ssize_t n;

		ev_run(loop, EVRUN_NOWAIT);
		n = recv(fd, line + used, size - used, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			free(line);
			return NULL;
		}
		if (n > 0)
			used += (size_t)n;
		if (used && line[used - 1] == '\n') {
			line[used - 1] = '\0';
			return line;
		}
	}
	cr_assert_fail("no answer");
	return NULL;
}

static char *ask(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	return read_line(fd);
}

Test(control_socket, answers_a_request, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char *line = ask(fd, "{\"command\": \"hello\"}\n");

	cr_assert_str_eq(line, "{\"ok\":true,\"result\":{\"echo\":\"hello\"}}");
	free(line);
	close(fd);
}

Test(control_socket, knows_who_asks, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char *line = ask(fd, "{\"command\": \"who\"}\n"), expected[64];

	snprintf(expected, sizeof(expected), "{\"ok\":true,\"result\":{\"uid\":%u}}", getuid());
	cr_assert_str_eq(line, expected);
	free(line);
	close(fd);
}

Test(control_socket, answers_two_requests_in_one_write, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	const char *text = "{\"command\": \"a\"}\n{\"command\": \"b\"}\n";
	char all[256] = "";
	size_t used = 0;

	cr_assert_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	for (int i = 0; i < 1000 && !strstr(all, "\"b\""); i++) {
		ssize_t n;

		ev_run(loop, EVRUN_NOWAIT);
		n = recv(fd, all + used, sizeof(all) - 1 - used, 0);
		if (n > 0)
			used += (size_t)n;
	}
	cr_assert(strstr(all, "\"a\"") && strstr(all, "\"b\""), "%s", all);
	close(fd);
}

Test(control_socket, says_what_to_do_when_it_fails, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char *line = ask(fd, "{\"command\": \"fail\"}\n");

	cr_assert_str_eq(line, "{\"ok\":false,\"error\":\"do this instead\",\"code\":16}");
	free(line);
	close(fd);
}

Test(control_socket, refuses_what_is_no_request, .init = set_up, .fini = tear_down)
{
	static const char *const bad[] = {"nonsense\n", "[]\n", "{}\n", "{\"command\": 3}\n",
					  "{\"command\": \"a\", \"command\": \"b\"}\n"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = dial();
		char *line = ask(fd, bad[i]);

		cr_assert(strstr(line, "\"ok\":false"), "%s -> %s", bad[i], line);
		free(line);
		close(fd);
	}
}

Test(control_socket, sends_answers_larger_than_the_socket_takes, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char *line = ask(fd, "{\"command\": \"big\"}\n");

	cr_assert(strlen(line) > 4 << 20);
	free(line);
	close(fd);
}

Test(control_socket, sends_long_lists_some_rows_at_a_time, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	const char *two = "{\"command\": \"rows\"}\n{\"command\": \"after\"}\n";
	int turns = 0, made = 0;
	char *line, *second;
	json_t *list, *row;
	json_error_t error;
	size_t i;

	cr_assert_eq(send(fd, two, strlen(two), 0), (ssize_t)strlen(two));
	/* Nobody reads: the list waits in the daemon instead of growing there. */
	for (; turns < 1000; turns++)
		ev_run(loop, EVRUN_NOWAIT);
	made = rows_made;
	cr_assert(made > 0 && made < ROWS, "%d rows", made);
	line = read_line(fd);
	second = strchr(line, '\n');
	if (second)
		*second++ = '\0';
	list = json_loads(line, 0, &error);
	cr_assert_not_null(list, "%s at %d", error.text, error.position);
	cr_assert(json_is_true(json_object_get(list, "ok")));
	cr_assert_eq(json_array_size(json_object_get(list, "result")), ROWS);
	json_array_foreach(json_object_get(list, "result"), i, row)
		cr_assert_eq(json_integer_value(row), (json_int_t)i);
	json_decref(list);
	cr_assert_eq(rows_open, 0);
	if (second) {
		cr_assert(strstr(second, "after"), "%s", second);
	} else {
		char *next = read_line(fd);

		cr_assert(strstr(next, "after"), "%s", next);
		free(next);
	}
	free(line);
	close(fd);
}

Test(control_socket, ends_a_list_whose_reader_goes, .init = set_up, .fini = tear_down)
{
	const char *ask_rows = "{\"command\": \"rows\"}\n";
	int fd = dial();

	cr_assert_eq(send(fd, ask_rows, strlen(ask_rows), 0), (ssize_t)strlen(ask_rows));
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	cr_assert_eq(rows_open, 1);
	close(fd);
	for (int i = 0; i < 100; i++)
		ev_run(loop, EVRUN_NOWAIT);
	cr_assert_eq(rows_open, 0);
}

Test(control_socket, hangs_up_where_a_list_cannot_go_on, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char *line;

	cr_assert_null(ask(fd, "{\"command\": \"broken rows\"}\n"));
	cr_assert_eq(rows_open, 0);
	close(fd);
	fd = dial();
	line = ask(fd, "{\"command\": \"rows, then no\"}\n");
	cr_assert(strstr(line, "\"ok\":false"), "%s", line);
	cr_assert_eq(rows_open, 0);
	free(line);
	close(fd);
}

Test(control_socket, hangs_up_on_endless_requests, .init = set_up, .fini = tear_down)
{
	int fd = dial();
	char junk[4096];
	size_t sent = 0;

	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 1000 && sent <= SP_CONTROL_LINE_BYTES; i++) {
		ssize_t n = send(fd, junk, sizeof(junk), MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		ev_run(loop, EVRUN_NOWAIT);
	}
	cr_assert_null(read_line(fd));
	close(fd);
}

Test(control_socket, limits_its_clients, .init = set_up, .fini = tear_down)
{
	int fds[SP_CONTROL_CLIENT_MAX + 1];
	char byte;

	for (int i = 0; i <= SP_CONTROL_CLIENT_MAX; i++) {
		fds[i] = dial();
		ev_run(loop, EVRUN_NOWAIT);
	}
	for (int i = 0; i < 10; i++)
		ev_run(loop, EVRUN_NOWAIT);
	cr_assert_eq(recv(fds[SP_CONTROL_CLIENT_MAX], &byte, 1, 0), 0, "one too many was served");
	for (int i = 0; i <= SP_CONTROL_CLIENT_MAX; i++)
		close(fds[i]);
}

Test(control_socket, is_for_its_owner_and_group_only, .init = set_up, .fini = tear_down)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0660);
}

Test(control_socket, will_not_take_a_living_daemons_place, .init = set_up, .fini = tear_down)
{
	struct sp_control *second = NULL;

	cr_assert_eq(sp_control_open(loop, path, answer, NULL, &second), -EADDRINUSE);
}

static void turn(int times)
{
	for (int i = 0; i < times; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

Test(control_socket, an_answer_may_come_later_and_what_is_behind_it_waits, .init = set_up,
     .fini = tear_down)
{
	static const char asks[] = "{\"command\": \"later\"}\n{\"command\": \"b\"}\n";
	static const char other[] = "{\"command\": \"c\"}\n";
	int fd = dial(), second = dial();
	char byte, *line;

	cr_assert_gt(send(fd, asks, sizeof(asks) - 1, 0), 0);
	cr_assert_gt(send(second, other, sizeof(other) - 1, 0), 0);
	line = read_line(second);
	cr_expect_not_null(strstr(line, "\"echo\":\"c\""), "others do not wait: %s", line);
	free(line);
	turn(20);
	cr_assert_eq(ticket_count, 1);
	cr_assert(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN, "nothing yet");
	sp_control_answer(control, tickets[0], 0, json_pack("{s:i}", "n", 7), NULL);
	turn(20);
	line = read_line(fd);
	cr_expect_str_eq(
		line,
		"{\"ok\":true,\"result\":{\"n\":7}}\n{\"ok\":true,\"result\":{\"echo\":\"b\"}}");
	free(line);
	close(fd);
	close(second);
}

Test(control_socket, an_answer_for_a_client_that_is_gone_is_dropped, .init = set_up,
     .fini = tear_down)
{
	static const char ask[] = "{\"command\": \"later\"}\n";
	int fd = dial();
	char *line;

	cr_assert_gt(send(fd, ask, sizeof(ask) - 1, 0), 0);
	turn(20);
	close(fd);
	turn(20);
	sp_control_answer(control, tickets[0], -EIO, NULL, "too late");
	sp_control_answer(control, 999, 0, json_object(), NULL);
	turn(20);
	fd = dial();
	cr_assert_gt(send(fd, "{\"command\": \"x\"}\n", 17, 0), 0);
	line = read_line(fd);
	cr_expect_not_null(line);
	free(line);
	close(fd);
}
