/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of XDP in this place: frames redirected from one device into another, or dropped.
 * Arguments: IN OUT (redirect), or IN (drop). Runs until it is told to end.
 */
#include <net/if.h>
#include <signal.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/inject.h"
#include "bench/measure.h"

#include "bench/inject.skel.h"

int main(int argc, char **argv)
{
	struct inject_bpf *bpf = inject_bpf__open();
	uint32_t zero = 0, out = argc == 3 ? if_nametoindex(argv[2]) : 0;
	int in = argc > 1 ? (int)if_nametoindex(argv[1]) : 0, got;
	const struct bpf_program *program;
	sigset_t end;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	MUST(in && (argc == 2 || out));
	MUST(bpf && inject_bpf__load(bpf) == 0);
	program = out ? bpf->progs.forward : bpf->progs.drop;
	if (out)
		MUST(bpf_map_update_elem(bpf_map__fd(bpf->maps.port), &zero, &out, 0) == 0);
	MUST(bpf_xdp_attach(in, bpf_program__fd(program), 0, NULL) == 0);
	puts("ready");
	fflush(stdout);
	sigwait(&end, &got);
	bpf_xdp_detach(in, 0, NULL);
	inject_bpf__destroy(bpf);
	return 0;
}
