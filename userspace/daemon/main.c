/* SPDX-License-Identifier: Apache-2.0 */
/* sallyportd(8): options, then open, run, close. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "daemon/daemon.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2
#define EXIT_CONFIG 3

static const char default_config[] = "/etc/sallyport/sallyport.conf";
static const char default_pins[] = "/sys/fs/bpf/sallyport/v2";

static void print_usage(FILE *to)
{
	fprintf(to,
		"usage: sallyportd [-dhuV] [-c FILE] [-p DIR]\n"
		"  -c FILE  configuration (default %s)\n"
		"  -p DIR   where maps and links are pinned (default %s)\n"
		"  -d       log debug messages\n"
		"  -h       this text\n"
		"  -u       detach, remove every pin that a crash left, and exit\n"
		"  -V       version\n"
		"Runs in the foreground and logs to standard error; SIGHUP reloads, SIGTERM stops.\n",
		default_config, default_pins);
}

/* Keys live in this process: no core file, no ptrace by others. */
static void forbid_dumps(void)
{
	const struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_MEMLOCK, &all); /* UMEM, and maps on kernels before 5.11 */
}

static int remove_pins(const char *pin_dir)
{
	int rc = sp_dataplane_unpin(pin_dir);

	if (!rc)
		return 0;
	sp_error("sallyportd: failed to remove the pins in %s: %s%s", pin_dir, strerror(-rc),
		 rc == -EBUSY ? " (stop the running sallyportd first)" : "");
	return EXIT_FAILED;
}

static int run(const char *config_path, const char *pin_dir)
{
	static struct sp_daemon daemon;
	int rc = sp_daemon_open(&daemon, config_path, pin_dir);

	if (!rc) {
		sp_info("sallyportd: %s is open, %u interface(s), %u worker(s)",
			daemon.config->gateway.name, daemon.iface_count, daemon.workers);
		sd_notify(0, "READY=1");
		ev_run(daemon.loop, 0);
		sd_notify(0, "STOPPING=1");
	}
	sp_daemon_close(&daemon);
	if (!rc)
		return 0;
	return daemon.config || rc != -EINVAL ? EXIT_FAILED : EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	const char *config_path = default_config, *pin_dir = default_pins;
	bool unpin = false;
	int opt;

	while ((opt = getopt(argc, argv, "c:p:dhuV")) != -1) {
		switch (opt) {
		case 'c':
			config_path = optarg;
			break;
		case 'p':
			pin_dir = optarg;
			break;
		case 'd':
			sp_log_set_level(SP_LOG_DEBUG);
			break;
		case 'h':
			print_usage(stdout);
			return 0;
		case 'u':
			unpin = true;
			break;
		case 'V':
			printf("sallyportd %s\n", SP_VERSION);
			return 0;
		default:
			print_usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (unpin)
		return remove_pins(pin_dir);
	forbid_dumps();
	return run(config_path, pin_dir);
}
