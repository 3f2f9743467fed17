/* SPDX-License-Identifier: Apache-2.0 */
/* peer add and peer remove on real files, with the real control socket where a daemon is needed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include <ev.h>

#include "cli/cli.h"
#include "cli/peer.h"
#include "control/control.h"
#include "crypto/dh.h"
#include "unit/config/sandbox.h"

static const char main_conf[] =
	"interfaces = ( { name = \"eth0\"; roles = [\"tunnel\", \"egress\"]; } );\n"
	"wireguard = ( { name = \"wg0\"; port = 51820; private_key_file = \"wg0.key\";\n"
	"	addresses = [\"10.9.0.1/30\", \"fd00:9::1/64\"]; endpoint = \"192.0.2.1:51820\";\n"
	"	dns = [\"10.9.0.1\", \"fd00:9::1\"]; mtu = 1380; } );\n"
	"users = ( { name = \"alice\"; } );\n";

/* A whole answer of "sallyport ..." without the shell: words up to a NULL. */
static enum sp_cli_exit add(const char *name, const char *user, uint32_t given)
{
	char *args[] = {(char *)name, NULL};
	struct sp_cli cli = {.config_file = "main.conf",
			     .socket_path = "c.sock",
			     .json = true,
			     .user = user,
			     .given = given,
			     .args = args,
			     .arg_count = 1};

	return sp_cli_peer_add(&cli, NULL);
}

static enum sp_cli_exit take_away(const char *name)
{
	char *args[] = {(char *)name, NULL};
	struct sp_cli cli = {
		.config_file = "main.conf", .socket_path = "c.sock", .args = args, .arg_count = 1};

	return sp_cli_peer_remove(&cli, NULL);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

static struct sp_config *open_main(void)
{
	struct sp_config *config = NULL;
	struct sp_config_errors errors;

	cr_assert_eq(sp_config_open("main.conf", &config, &errors), 0);
	return config;
}

/* "Key = value" of a file, or an empty string. */
static void read_value(const char *file, const char *key, char value[static 256])
{
	FILE *stream = fopen(file, "r");
	char line[512];
	size_t len = strlen(key);

	cr_assert(stream, "%s", file);
	value[0] = '\0';
	while (fgets(line, sizeof(line), stream)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, key, len) && !strncmp(line + len, " = ", 3))
			snprintf(value, 256, "%s", line + len + 3);
	}
	fclose(stream);
}

Test(cli_peer, add_makes_files_that_fit_each_other)
{
	struct sp_key private_key, public_key, psk;
	struct sp_config *config;
	char value[256];

	sandbox_enter();
	sandbox_text("main.conf", main_conf);
	cr_assert_eq(add("laptop", "alice", SP_CLI_PSK), SP_CLI_OK);
	cr_expect_eq(mode_of("laptop.conf"), 0600);
	cr_expect_eq(mode_of("conf.d/50-peer-laptop.conf"), 0640);
	cr_expect_eq(mode_of("conf.d/50-peer-laptop.psk"), 0600);
	config = open_main();
	cr_assert_eq(config->peer_count, 1);
	read_value("laptop.conf", "PrivateKey", value);
	cr_assert_eq(sp_key_parse(value, &private_key), 0);
	cr_assert_eq(sp_dh_public(&private_key, &public_key), 0);
	cr_expect(sp_secret_equal(&public_key, &config->peers[0].public_key, sizeof(public_key)));
	read_value("laptop.conf", "PresharedKey", value);
	cr_assert_eq(sp_key_parse(value, &psk), 0);
	cr_expect(sp_secret_equal(&psk, &config->peers[0].preshared_key, sizeof(psk)));
	read_value("laptop.conf", "PublicKey", value);
	cr_assert_eq(sp_key_parse(value, &psk), 0);
	cr_assert_eq(sp_dh_public(&config->wireguards[0].private_key, &public_key), 0);
	cr_expect(sp_secret_equal(&psk, &public_key, sizeof(psk)), "not the gateway's key");
	read_value("laptop.conf", "Address", value);
	cr_expect_str_eq(value, "10.9.0.2/32, fd00:9::2/128");
	read_value("laptop.conf", "DNS", value);
	cr_expect_str_eq(value, "10.9.0.1, fd00:9::1");
	read_value("laptop.conf", "MTU", value);
	cr_expect_str_eq(value, "1380");
	read_value("laptop.conf", "AllowedIPs", value);
	cr_expect_str_eq(value, "0.0.0.0/0, ::/0");
	read_value("laptop.conf", "Endpoint", value);
	cr_expect_str_eq(value, "192.0.2.1:51820");
	sp_config_close(config);
	sandbox_leave();
}

Test(cli_peer, add_refuses_and_leaves_nothing_behind)
{
	sandbox_enter();
	sandbox_text("main.conf", main_conf);
	cr_expect_eq(add("laptop", NULL, 0), SP_CLI_USAGE);
	cr_expect_eq(add("laptop", "bob", 0), SP_CLI_FAILED);
	cr_expect_eq(add("../laptop", "alice", 0), SP_CLI_FAILED);
	sandbox_text("laptop.conf", "mine");
	cr_expect_eq(add("laptop", "alice", 0), SP_CLI_FAILED);
	cr_expect_eq(access("conf.d", F_OK), -1, "files of a peer that was refused");
	cr_assert_eq(unlink("laptop.conf"), 0);
	sandbox_text("conf.d", "in the way");
	cr_expect_eq(add("laptop", "alice", 0), SP_CLI_MISTAKES);
	cr_expect_eq(access("laptop.conf", F_OK), -1);
	cr_assert_eq(unlink("conf.d"), 0);
	cr_assert_eq(add("laptop", "alice", 0), SP_CLI_OK);
	cr_expect_eq(add("laptop", "alice", 0), SP_CLI_FAILED, "a second of this name");
	cr_expect_eq(add("phone", "alice", 0), SP_CLI_FAILED, "10.9.0.0/30 has one free address");
	cr_expect_eq(access("phone.conf", F_OK), -1);
	sandbox_leave();
}

Test(cli_peer, remove_takes_only_its_own_files)
{
	struct sp_config *config;

	sandbox_enter();
	sandbox_text("main.conf", main_conf);
	cr_assert_eq(add("laptop", "alice", SP_CLI_PSK), SP_CLI_OK);
	sandbox_text("conf.d/10-hand.conf",
		     "peers = ( { name = \"hand\"; user = \"alice\"; addresses = \"10.10.0.1\";\n"
		     "	public_key = \"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\"; } );\n");
	cr_expect_eq(take_away("hand"), SP_CLI_FAILED);
	cr_expect_eq(access("conf.d/10-hand.conf", F_OK), 0);
	cr_expect_eq(take_away("nobody"), SP_CLI_FAILED);
	cr_expect_eq(take_away("laptop"), SP_CLI_OK);
	cr_expect_eq(access("conf.d/50-peer-laptop.conf", F_OK), -1);
	cr_expect_eq(access("conf.d/50-peer-laptop.psk", F_OK), -1);
	config = open_main();
	cr_expect_eq(config->peer_count, 1);
	sp_config_close(config);
	sandbox_leave();
}

Test(cli_peer, remove_leaves_a_file_that_holds_more)
{
	sandbox_enter();
	sandbox_text("main.conf", main_conf);
	cr_assert_eq(mkdir("conf.d", 0700), 0);
	sandbox_text("conf.d/50-peer-x.conf",
		     "peers = ( { name = \"x\"; user = \"bob\"; addresses = \"10.10.0.1\";\n"
		     "	public_key = \"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\"; } );\n"
		     "users = ( { name = \"bob\"; } );\n");
	cr_expect_eq(take_away("x"), SP_CLI_FAILED);
	cr_expect_eq(access("conf.d/50-peer-x.conf", F_OK), 0);
	sandbox_leave();
}

/* Counts the reloads into a pipe and refuses the second. */
static int on_request(void *arg, const char *command, const json_t *request, json_t **ret_result,
		      char **ret_error)
{
	static int reloads;
	int fd = *(int *)arg;

	if (!strcmp(command, "reload")) {
		if (write(fd, "r", 1) != 1)
			return -EIO;
		if (++reloads == 2) {
			*ret_error = strdup("2 mistakes");
			return -EINVAL;
		}
		*ret_result = json_pack("{s:i}", "generation", 8);
		return 0;
	}
	return -ENOSYS;
}

static pid_t start_daemon(int *ret_fd)
{
	struct sp_control *control;
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		struct ev_loop *loop = ev_default_loop(0);

		if (sp_control_open(loop, "c.sock", on_request, &fds[1], &control) ||
		    write(fds[1], "o", 1) != 1)
			_exit(1);
		ev_run(loop, 0);
		_exit(0);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static char next_event(int fd)
{
	char event = '-';

	cr_assert_eq(read(fd, &event, 1), 1);
	return event;
}

Test(cli_peer, add_and_remove_make_the_daemon_reload)
{
	char *no_args[] = {NULL};
	struct sp_cli cli = {.config_file = "main.conf", .socket_path = "c.sock", .args = no_args};
	struct sp_cli_command status = {.name = "status"};
	pid_t pid;
	int fd;

	sandbox_enter();
	sandbox_text("main.conf", main_conf);
	cr_expect_eq(sp_cli_ask(&cli, &status), SP_CLI_NO_DAEMON);
	pid = start_daemon(&fd);
	cr_assert_eq(next_event(fd), 'o');
	cr_expect_eq(add("laptop", "alice", 0), SP_CLI_OK);
	cr_expect_eq(next_event(fd), 'r');
	cr_expect_eq(take_away("laptop"), SP_CLI_MISTAKES, "the daemon refused");
	cr_expect_eq(next_event(fd), 'r');
	cr_expect_eq(sp_cli_ask(&cli, &status), SP_CLI_FAILED, "status is no command of it");
	kill(pid, SIGTERM);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	close(fd);
	sandbox_leave();
}
