/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "sallyport/core/addr.h"

#define MESSAGE_BYTES	2048 /* longer than any handshake message: a longer one is malformed */
#define RECEIVE_BATCH	32
#define RECEIVE_BATCHES 4   /* then the loop's other watchers get their turn */
#define LOAD_MESSAGES	100 /* in a tenth of a second: from here on cookies are asked for */

/* One socket for both families: IPv4 comes in its mapped form, which is also our own form. */
static int open_socket(uint16_t port, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int off = 0, on = 1, bytes = 1 << 20;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static struct sp_addr local_address(const struct msghdr *msg)
{
	struct sp_addr local = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			memcpy(local.b, &((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr,
			       sizeof(local.b));
	}
	return local;
}

static void consume(struct sp_listener_state *listener, const struct msghdr *msg, size_t len,
		    uint64_t now_ns)
{
	const struct sockaddr_in6 *name = msg->msg_name;
	struct sp_wg_address from = {.local.port_be = htons(listener->port)};
	enum sp_wg_result result;

	memcpy(from.remote.addr.b, &name->sin6_addr, sizeof(from.remote.addr.b));
	from.remote.port_be = name->sin6_port;
	from.local.addr = local_address(msg);
	result = sp_wg_device_consume(listener->device, now_ns, &from, msg->msg_iov->iov_base, len);
	listener->results[result]++;
}

static int receive_batch(struct sp_listener_state *listener, int fd)
{
	static uint8_t bytes[RECEIVE_BATCH][MESSAGE_BYTES];
	uint8_t control[RECEIVE_BATCH][CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_in6 names[RECEIVE_BATCH];
	struct mmsghdr messages[RECEIVE_BATCH];
	struct iovec iov[RECEIVE_BATCH];
	int n;

	for (int i = 0; i < RECEIVE_BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = bytes[i], .iov_len = MESSAGE_BYTES};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
						      .msg_namelen = sizeof(names[i]),
						      .msg_iov = &iov[i],
						      .msg_iovlen = 1,
						      .msg_control = control[i],
						      .msg_controllen = sizeof(control[i])};
	}
	n = recvmmsg(fd, messages, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		consume(listener, &messages[i].msg_hdr, messages[i].msg_len, sp_clock_now_ns());
	return n;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct sp_listener_state *listener = watcher->data;

	for (int i = 0; i < RECEIVE_BATCHES; i++) {
		int n = receive_batch(listener, watcher->fd);

		if (n > 0)
			listener->recent_messages += (uint32_t)n;
		if (n < RECEIVE_BATCH)
			return;
	}
}

void sp_listener_measure(struct sp_listener_state *listener)
{
	bool under_load = listener->recent_messages > LOAD_MESSAGES;

	listener->recent_messages = 0;
	if (under_load == listener->under_load)
		return;
	listener->under_load = under_load;
	sp_wg_device_set_under_load(listener->device, under_load);
	sp_debug("wireguard: %s is %s load", listener->name,
		 under_load ? "under" : "no longer under");
}

void sp_listener_send(struct sp_listener_state *listener, const struct sp_wg_address *to,
		      const void *bytes, size_t len)
{
	struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = to->remote.port_be};
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))] = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr msg = {
		.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &iov, .msg_iovlen = 1};
	static const struct sp_addr anywhere;
	static struct sp_log_limit limit;

	if (!to->remote.port_be)
		return;
	memcpy(&name.sin6_addr, to->remote.addr.b, sizeof(name.sin6_addr));
	if (!sp_addr_equal(&to->local.addr, &anywhere)) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
		memcpy(&((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr, to->local.addr.b,
		       sizeof(to->local.addr.b));
	}
	if (sendmsg(listener->readable.fd, &msg, MSG_DONTWAIT) < 0) {
		char text[SP_ENDPOINT_TEXT];

		sp_log_limited(&limit, SP_LOG_WARNING, "wireguard: failed to send to %s: %s",
			       sp_sockaddr_format(&to->remote, text), strerror(errno));
	}
}

struct sp_listener_state *sp_listener_lookup(struct sp_daemon *daemon, const char *name)
{
	struct sp_listener_state *l = daemon->listeners;

	while (l && strcmp(l->name, name))
		l = l->next;
	return l;
}

static int publish_port(struct sp_listener_state *listener)
{
	struct sp_listener value = {.protocol = SP_TUNNEL_WIREGUARD, .listener_id = listener->id};

	return sp_dataplane_listener_put(listener->daemon->dataplane, htons(listener->port),
					 &value);
}

static uint32_t free_id(const struct sp_daemon *daemon)
{
	uint32_t id = 0;

	for (const struct sp_listener_state *l = daemon->listeners; l; l = l->next)
		id = l->id >= id ? l->id + 1 : id;
	return id;
}

int sp_listener_open(struct sp_daemon *daemon, const struct sp_config_wireguard *config,
		     struct sp_listener_state **ret_listener)
{
	struct sp_listener_state *listener = calloc(1, sizeof(*listener));
	int rc, fd = -1;

	if (!listener)
		return -ENOMEM;
	listener->daemon = daemon;
	listener->id = free_id(daemon);
	listener->port = config->port;
	listener->mtu = config->mtu;
	listener->private_key = config->private_key;
	listener->name = strdup(config->name);
	rc = listener->name ? open_socket(config->port, &fd) : -ENOMEM;
	if (rc)
		goto undo_alloc;
	rc = sp_wg_device_open(&config->private_key, &sp_peer_upcalls, listener, &listener->device);
	if (rc)
		goto undo_socket;
	rc = publish_port(listener);
	if (rc)
		goto undo_device;
	ev_io_init(&listener->readable, on_readable, fd, EV_READ);
	listener->readable.data = listener;
	ev_io_start(daemon->loop, &listener->readable);
	listener->next = daemon->listeners;
	daemon->listeners = listener;
	*ret_listener = listener;
	return 0;

undo_device:
	sp_wg_device_close(listener->device);
undo_socket:
	close(fd);
undo_alloc:
	sp_key_wipe(&listener->private_key);
	free(listener->name);
	free(listener);
	return rc;
}

/* Its peers must be closed before. */
void sp_listener_close(struct sp_listener_state *listener)
{
	struct sp_listener_state **p = &listener->daemon->listeners;

	while (*p != listener)
		p = &(*p)->next;
	*p = listener->next;
	sp_dataplane_listener_remove(listener->daemon->dataplane, htons(listener->port));
	ev_io_stop(listener->daemon->loop, &listener->readable);
	close(listener->readable.fd);
	sp_wg_device_close(listener->device);
	sp_key_wipe(&listener->private_key);
	free(listener->addresses);
	free(listener->name);
	free(listener);
}
