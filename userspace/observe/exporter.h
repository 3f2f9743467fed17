/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on a loopback address that answers GET /metrics and GET /healthz. Daemon thread. */
#ifndef SP_OBSERVE_EXPORTER_H
#define SP_OBSERVE_EXPORTER_H

#include <ev.h>

#include "base/addr.h"

struct sp_exporter;

/* The text of /metrics, made with malloc; NULL answers 503. */
typedef char *(*sp_exporter_text)(void *arg);

/* -EADDRINUSE and the like from bind; -EINVAL unless the address is a loopback one. */
int sp_exporter_open(struct ev_loop *loop, const struct sp_sockaddr *address,
		     sp_exporter_text metrics, void *arg, struct sp_exporter **ret_exporter);
void sp_exporter_close(struct sp_exporter *exporter);

#endif
