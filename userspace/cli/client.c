/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define ANSWER_MAX_BYTES (256u << 20)
#define WAIT_NS		 (60 * SP_NS_PER_S)

static int connect_to(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int send_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, text, bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int wait_readable(int fd, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now_ns = sp_clock_now_ns();
	int n;

	if (now_ns >= deadline_ns)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)((deadline_ns - now_ns) / SP_NS_PER_MS) + 1);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* Up to the first newline, which is cut off. */
static int receive_line(int fd, char **ret_line)
{
	uint64_t deadline_ns = sp_clock_now_ns() + WAIT_NS;
	_cleanup_free_ char *line = NULL;
	size_t size = 0, used = 0;

	for (;;) {
		char *end;
		ssize_t n;
		int rc;

		if (used + 1 >= size) {
			char *more = realloc(line, size = size ? size * 2 : 65536);

			if (!more)
				return -ENOMEM;
			line = more;
		}
		rc = wait_readable(fd, deadline_ns);
		if (rc)
			return rc;
		n = recv(fd, line + used, size - used - 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		end = memchr(line + used, '\n', (size_t)n);
		used += (size_t)n;
		if (end) {
			*end = '\0';
			*ret_line = TAKE_PTR(line);
			return 0;
		}
		if (used > ANSWER_MAX_BYTES)
			return -EFBIG;
	}
}

int sp_client_request(const char *socket_path, const json_t *request, json_t **ret_answer)
{
	_cleanup_free_ char *text = json_dumps(request, JSON_COMPACT);
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -1;
	json_t *answer;
	int rc;

	if (!text)
		return -ENOMEM;
	rc = connect_to(socket_path, &fd);
	if (!rc)
		rc = send_all(fd, text, strlen(text));
	if (!rc)
		rc = send_all(fd, "\n", 1);
	if (!rc)
		rc = receive_line(fd, &line);
	if (rc)
		return rc;
	answer = json_loads(line, 0, NULL);
	if (!json_is_boolean(json_object_get(answer, "ok"))) {
		json_decref(answer);
		return -EBADMSG;
	}
	*ret_answer = answer;
	return 0;
}
