/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/exporter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "base/cleanup.h"
#include "sallyport/core/addr.h"

#define CONNECTION_MAX 16
#define CONNECTION_S   10

struct sp_exporter {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	sp_exporter_text metrics;
	void *arg;
	ev_io readable;
	ev_timer tick; /* the library's own time-outs */
};

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
			       const char *type, char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_bytes, void **state)
{
	static const char plain[] = "text/plain; charset=utf-8";
	struct sp_exporter *exporter = arg;
	char *text;

	if (strcmp(method, MHD_HTTP_METHOD_GET))
		return respond(connection, MHD_HTTP_METHOD_NOT_ALLOWED, plain,
			       strdup("GET only\n"));
	if (!strcmp(url, "/healthz"))
		return respond(connection, MHD_HTTP_OK, plain, strdup("ok\n"));
	if (strcmp(url, "/metrics"))
		return respond(connection, MHD_HTTP_NOT_FOUND, plain,
			       strdup("/metrics and /healthz are here\n"));
	text = exporter->metrics(exporter->arg);
	if (!text)
		return respond(connection, MHD_HTTP_SERVICE_UNAVAILABLE, plain,
			       strdup("no metrics now\n"));
	return respond(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_exporter *exporter = watcher->data;

	MHD_run(exporter->daemon);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct sp_exporter *exporter = timer->data;

	MHD_run(exporter->daemon);
}

static bool is_loopback(const struct sp_addr *addr)
{
	static const struct sp_addr v6 = {.b = {[15] = 1}};

	return sp_addr_equal(addr, &v6) || (sp_addr_is_v4(addr) && addr->b[12] == 127);
}

int sp_exporter_open(struct ev_loop *loop, const struct sp_sockaddr *address,
		     sp_exporter_text metrics, void *arg, struct sp_exporter **ret_exporter)
{
	_cleanup_free_ struct sp_exporter *exporter = calloc(1, sizeof(*exporter));
	unsigned int flags = MHD_USE_EPOLL;
	const union MHD_DaemonInfo *info;
	struct sockaddr_storage bind_to;

	if (!exporter)
		return -ENOMEM;
	if (!is_loopback(&address->addr))
		return -EINVAL;
	sp_sockaddr_to_kernel(address, &bind_to);
	if (bind_to.ss_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	exporter->loop = loop;
	exporter->metrics = metrics;
	exporter->arg = arg;
	errno = 0;
	exporter->daemon =
		MHD_start_daemon(flags, 0, NULL, NULL, on_request, exporter, MHD_OPTION_SOCK_ADDR,
				 (struct sockaddr *)&bind_to, MHD_OPTION_CONNECTION_LIMIT,
				 (unsigned int)CONNECTION_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				 (unsigned int)CONNECTION_S, MHD_OPTION_END);
	if (!exporter->daemon)
		return errno ? -errno : -EADDRINUSE;
	info = MHD_get_daemon_info(exporter->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	ev_io_init(&exporter->readable, on_readable, info->epoll_fd, EV_READ);
	ev_timer_init(&exporter->tick, on_tick, 1.0, 1.0);
	exporter->readable.data = exporter->tick.data = exporter;
	ev_io_start(loop, &exporter->readable);
	ev_timer_start(loop, &exporter->tick);
	*ret_exporter = TAKE_PTR(exporter);
	return 0;
}

void sp_exporter_close(struct sp_exporter *exporter)
{
	if (!exporter)
		return;
	ev_io_stop(exporter->loop, &exporter->readable);
	ev_timer_stop(exporter->loop, &exporter->tick);
	MHD_stop_daemon(exporter->daemon);
	free(exporter);
}
