// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The gateway's one program: a list of stages (stages.h), and one exit that counts. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "maps.h"
#include "stage_finish.h"
#include "stages.h"

SEC("xdp")
int sp_xdp(struct xdp_md *ctx)
{
	struct sp_xdp x = {
		.ctx = ctx,
		.direction = SP_DIR_HOST,
		.now_ns = bpf_ktime_get_ns(),
	};

	return sp_finish(&x, sp_stages(&x));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
