/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The list of stages, read top to bottom; the program and its trace run the same one. XDP only. */
#ifndef SP_BPF_STAGES_H
#define SP_BPF_STAGES_H

#include "context.h"
#include "stage_admit.h"
#include "stage_deliver.h"
#include "stage_gate.h"
#include "stage_limit.h"
#include "stage_locate.h"
#include "stage_parse.h"
#include "stage_plain.h"
#include "stage_reply.h"
#include "stage_verify.h"

SP_INLINE enum sp_verdict sp_stages(struct sp_xdp *x)
{
	enum sp_verdict v;

	v = sp_parse(x);
	if (v == SP_V_NEXT)
		v = sp_locate(x);
	if (v == SP_V_NEXT)
		v = sp_gate(x);
	if (v == SP_V_NEXT)
		v = sp_admit(x);
	if (v == SP_V_NEXT)
		v = sp_reply(x);
	if (v == SP_V_NEXT)
		v = sp_plain(x);
	if (v == SP_V_NEXT)
		v = sp_limit(x);
	if (v == SP_V_NEXT)
		v = sp_verify(x);
	if (v == SP_V_NEXT)
		v = sp_deliver(x);
	return v;
}

#endif
