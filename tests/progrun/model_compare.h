/* SPDX-License-Identifier: Apache-2.0 */
/* A frame through the loaded program beside the model: verdict, reason, bytes, metadata. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_COMPARE_H
#define SP_TESTS_PROGRUN_MODEL_COMPARE_H

#include "progrun/model_bytes.h"

static struct {
	uint64_t frames, told, passed, workers, carried, forwarded, reasons[SP_R_COUNT];
} met;

static inline void tell(const struct frame *f, const struct outcome *o, const struct fate *fate,
			const char *what)
{
	char text[3 * 160 + 1] = "";

	for (uint32_t i = 0; i < f->n && i < 160; i++)
		snprintf(text + 3 * i, 4, "%02x%s", f->b[i], i % 16 == 15 ? "\n" : " ");
	cr_assert(
		false,
		"%s: frame %lu of %u bytes: action %u, the model says %d, direction %d, reason %d, "
		"how %d (roles %x, open %d)\n%s",
		what, met.frames, f->n, o->action, fate->action, fate->direction, fate->reason,
		fate->how, lab.roles, lab.open, text);
}

static inline bool same_but(const uint8_t *a, const uint8_t *b, uint32_t n, const uint32_t *holes,
			    int count)
{
	for (uint32_t i = 0; i < n; i++) {
		bool hole = false;

		if (a[i] == b[i])
			continue;
		for (int k = 0; k < count; k++)
			hole |= i == holes[k] || i == holes[k] + 1;
		if (!hole)
			return false;
	}
	return true;
}

static inline void compare_bytes(const struct frame *f, const struct outcome *o,
				 const struct fate *fate)
{
	const struct seen *s = &fate->seen, *q = &fate->quoted;
	uint8_t want[FRAME_MAX];
	uint32_t holes[4];
	int count = 0;

	memcpy(want, f->b, f->n);
	model_bytes(fate, want);
	if (fate->how != UNTOUCHED && fate->how != TO_WORKER) {
		for (int i = 0; i < 2; i++) {
			const struct seen *at = i ? q : s;

			if (i && !s->error)
				break;
			if (at->version == 4)
				holes[count++] = at->l3 + 10;
			if (has_l4(at))
				holes[count++] = check_at(at);
		}
	}
	if (o->n != f->n || !same_but(o->b, want, f->n, holes, count))
		tell(f, o, fate, "bytes");
	if (count &&
	    (!same_sums(f->b, o->b, s, false) || (s->error && !same_sums(f->b, o->b, q, true))))
		tell(f, o, fate, "checksum");
}

static inline void compare_meta(const struct frame *f, const struct outcome *o,
				const struct fate *fate)
{
	const struct sp_meta *m = &o->meta;
	bool tunnel = fate->how == TO_WORKER;

	if (fate->how == FORTH || fate->how == BACK ? m->magic != 0 : m->magic != SP_META_MAGIC)
		tell(f, o, fate, "where to");
	if (!m->magic)
		return;
	if (m->kind != (tunnel ? SP_META_TUNNEL : SP_META_REPLY) || m->peer_id != PEER ||
	    m->user_id != USER || m->ifindex != LOOPBACK)
		tell(f, o, fate, "metadata");
	if (!tunnel && (m->l3_off != fate->seen.l3 || m->l4_off != fate->seen.l4 ||
			m->sport_be != fate->flow->answer.sport_be ||
			ntohs(m->dport_be) != fate->flow->iport || m->rule_id != RULE ||
			m->flags != (fate->seen.error ? SP_META_ICMP_ERROR : 0)))
		tell(f, o, fate, "metadata of an answer");
}

/* Back to where it came from, as an ICMP error about it. */
static inline void compare_told(const struct frame *f, const struct outcome *o,
				const struct fate *fate)
{
	const struct seen *s = &fate->seen;
	struct seen back = read_frame(o->b, o->n), quoted;

	met.told++;
	if (fate->how != ANSWERED_BACK || !may_be_told(f, s) || o->meta.magic ||
	    memcmp(o->b, f->b + 6, 6) || memcmp(o->b + 6, f->b, 6))
		tell(f, o, fate, "an answer");
	if (back.wrong || !back.error || memcmp(back.dst, s->src, 16))
		tell(f, o, fate, "answered to another");
	quoted = read_quoted(o->b, &back);
	if (quoted.wrong || memcmp(quoted.src, s->src, 16) || memcmp(quoted.dst, s->dst, 16))
		tell(f, o, fate, "answered about another");
}

static inline void compare_frame(const struct frame *f)
{
	struct fate fate = model_frame(f->b, f->n);
	const struct sp_drop_cell *cell =
		&lanes[sched_getcpu() * SP_DROP_STRIDE + fate.direction * (SP_DROP_STRIDE / 4) +
		       fate.reason];
	uint64_t before = cell->packets;
	struct outcome o = progrun(f);

	met.frames++;
	if (fate.action == XDP_DROP && o.action == XDP_REDIRECT)
		compare_told(f, &o, &fate);
	else if (o.action != (uint32_t)fate.action)
		tell(f, &o, &fate, "verdict");
	if (fate.action == XDP_DROP) {
		met.reasons[fate.reason]++;
		if (cell->packets != before + 1)
			tell(f, &o, &fate, "reason");
		return;
	}
	met.passed += fate.action == XDP_PASS;
	met.workers += fate.how == TO_WORKER;
	met.carried += fate.how == CARRIED;
	met.forwarded += fate.how == FORTH || fate.how == BACK;
	compare_bytes(f, &o, &fate);
	if (fate.action == XDP_REDIRECT)
		compare_meta(f, &o, &fate);
}

#endif
