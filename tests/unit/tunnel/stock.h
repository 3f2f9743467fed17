/* SPDX-License-Identifier: Apache-2.0 */
/* A stock peer: wireguard-go on a TUN device in a network namespace of this process. One thread. */
#ifndef SP_TESTS_TUNNEL_STOCK_H
#define SP_TESTS_TUNNEL_STOCK_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

/* Runs a command of words between single spaces; what it prints goes to text. Its exit code. */
static int run(char text[static 256], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int run(char text[static 256], const char *format, ...)
{
	char command[512], *words[32] = {NULL}, *rest = command;
	posix_spawn_file_actions_t actions;
	int out[2], status = -1, n = 0;
	size_t done = 0;
	ssize_t got;
	va_list args;
	pid_t pid;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	while (n < 31 && (words[n] = strsep(&rest, " ")))
		n++;
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, words[0], &actions, NULL, words, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	while (done < 255 && (got = read(out[0], text + done, 255 - done)) > 0)
		done += (size_t)got;
	text[done] = '\0';
	close(out[0]);
	return pid < 0 || waitpid(pid, &status, 0) < 0 ? -1 : status;
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
	char text[256];

	if (run(text, "wireguard-go --version") || run(text, "wg --version") || run(text, "ip -V"))
		return "wireguard-go, wg or ip is not installed";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (unshare(CLONE_NEWNET))
		return "no right to make a network namespace";
	return run(text, "ip link set lo up") ? "the loopback device does not come up" : NULL;
}

static void stock_start(struct stock *s, const struct sp_key *our_public, const struct sp_key *psk,
			const char *peer_options)
{
	char text[256], key[SP_KEY_TEXT];

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
		prctl(PR_SET_PDEATHSIG, SIGTERM);	  /* also when an assertion ends the test */
		(void)!freopen("/dev/null", "w", stderr); /* a banner */
		execlp("wireguard-go", "wireguard-go", "-f", s->name, NULL);
		_exit(127);
	}
	for (int i = 0; i < 100 && run(text, "wg show %s", s->name); i++)
		usleep(50000);
	cr_assert_eq(run(text, "ip addr add 10.77.0.1/24 dev %s", s->name), 0);
	cr_assert_eq(run(text, "ip link set %s up", s->name), 0);
	cr_assert_eq(run(text,
			 "wg set %s listen-port %d private-key %s/key peer %s preshared-key %s/psk "
			 "allowed-ips 10.77.0.2/32%s",
			 s->name, STOCK_PORT, s->dir, sp_key_format(our_public, key), s->dir,
			 peer_options),
		     0);
}

/* Seconds since 1970 at which the stock peer completed its last handshake; 0 = never. */
static long stock_handshake_s(const struct stock *s)
{
	char text[256];

	cr_assert_eq(run(text, "wg show %s latest-handshakes", s->name), 0);
	return strchr(text, '\t') ? strtol(strchr(text, '\t'), NULL, 10) : 0;
}

static void stock_stop(struct stock *s)
{
	static const char *const files[] = {"key", "psk"};
	char path[128];

	kill(s->pid, SIGTERM);
	waitpid(s->pid, NULL, 0);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, files[i]);
		unlink(path);
	}
	rmdir(s->dir);
}

#endif
