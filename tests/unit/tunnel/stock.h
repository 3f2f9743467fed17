/* SPDX-License-Identifier: Apache-2.0 */
/* A stock peer: wireguard-go on a TUN device in a network namespace of this process. One thread. */
#ifndef SP_TESTS_TUNNEL_STOCK_H
#define SP_TESTS_TUNNEL_STOCK_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "crypto/dh.h"

#define STOCK_PORT 51001
#define OUR_PORT   51002

struct stock {
	pid_t pid;
	char name[16]; /* of the TUN device; its control socket is not in the namespace */
	char dir[64];
	struct sp_key private_key, public_key;
};

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static void write_key(const struct stock *stock, const char *file, const struct sp_key *key)
{
	char path[128], text[SP_KEY_TEXT];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", stock->dir, file);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fprintf(f, "%s\n", sp_key_format(key, text));
	fclose(f);
}

/* What is missing, or NULL. Enters a fresh network namespace, which ends with the process. */
static const char *stock_missing(void)
{
	if (shell("command -v wireguard-go wg ip >/dev/null 2>&1"))
		return "wireguard-go, wg or ip is not installed";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (unshare(CLONE_NEWNET))
		return "no right to make a network namespace";
	return shell("ip link set lo up") ? "the loopback device does not come up" : NULL;
}

static void stock_start(struct stock *s, const struct sp_key *our_public, const struct sp_key *psk,
			const char *peer_options)
{
	char text[SP_KEY_TEXT];

	snprintf(s->name, sizeof(s->name), "sptw%d", getpid() % 1000000);
	snprintf(s->dir, sizeof(s->dir), "/tmp/sp-stock-XXXXXX");
	cr_assert_not_null(mkdtemp(s->dir));
	memset(s->private_key.b, 0x42, SP_KEY_BYTES);
	cr_assert_eq(sp_dh_public(&s->private_key, &s->public_key), 0);
	write_key(s, "key", &s->private_key);
	write_key(s, "psk", psk);
	s->pid = fork();
	if (s->pid == 0) {
		setenv("WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD", "1", 1);
		setenv("LOG_LEVEL", getenv("STOCK_LOG") ? "verbose" : "silent", 1);
		execlp("wireguard-go", "wireguard-go", "-f", s->name, NULL);
		_exit(127);
	}
	for (int i = 0; i < 100 && shell("wg show %s >/dev/null 2>&1", s->name); i++)
		usleep(50000);
	cr_assert_eq(
		shell("ip addr add 10.77.0.1/24 dev %s && ip link set %s up", s->name, s->name), 0);
	cr_assert_eq(shell("wg set %s listen-port %d private-key %s/key peer '%s' "
			   "preshared-key %s/psk allowed-ips 10.77.0.2/32 %s",
			   s->name, STOCK_PORT, s->dir, sp_key_format(our_public, text), s->dir,
			   peer_options),
		     0);
}

static void stock_stop(struct stock *s)
{
	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	shell("rm -rf %s", s->dir);
}

#endif
