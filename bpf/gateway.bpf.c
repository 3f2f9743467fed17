// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The gateway's one program: a list of stages, and one exit that counts. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "context.h"
#include "maps.h"
#include "stage_admit.h"
#include "stage_deliver.h"
#include "stage_finish.h"
#include "stage_gate.h"
#include "stage_limit.h"
#include "stage_locate.h"
#include "stage_parse.h"
#include "stage_plain.h"
#include "stage_reply.h"
#include "stage_verify.h"

SEC("xdp")
int sp_xdp(struct xdp_md *ctx)
{
	struct sp_xdp x = {
		.ctx = ctx,
		.direction = SP_DIR_HOST,
		.now_ns = bpf_ktime_get_ns(),
	};
	enum sp_verdict v;

	v = sp_parse(&x);
	if (v == SP_V_NEXT)
		v = sp_locate(&x);
	if (v == SP_V_NEXT)
		v = sp_gate(&x);
	if (v == SP_V_NEXT)
		v = sp_admit(&x);
	if (v == SP_V_NEXT)
		v = sp_reply(&x);
	if (v == SP_V_NEXT)
		v = sp_plain(&x);
	if (v == SP_V_NEXT)
		v = sp_limit(&x);
	if (v == SP_V_NEXT)
		v = sp_verify(&x);
	if (v == SP_V_NEXT)
		v = sp_deliver(&x);
	return sp_finish(&x, v);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
