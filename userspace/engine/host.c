/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pipeline.h"

#include <unistd.h>

#include "sallyport/core/parse.h"

#define READS_MAX 32 /* packets of the gateway itself in one visit */

bool sp_host_write(struct sp_worker *w, const uint8_t *data, uint32_t bytes)
{
	return w->config.tun_fd >= 0 && write(w->config.tun_fd, data, bytes) == (ssize_t)bytes;
}

/* The kernel speaks to a user: from one of the gateway's inner addresses only. */
static enum sp_reason forward(struct sp_worker *w, uint8_t *data, uint32_t bytes)
{
	struct sp_enter enter = {.is_limited = true};
	struct sp_entry *entry = NULL;
	struct sp_flow_name name;
	struct sp_packet ip;
	enum sp_reason r = sp_parse_ip(data, data + bytes, 0, &ip);

	if (!r) {
		sp_flow_name(w, &ip, &name);
		r = sp_packet_admit(w, data, &ip, &name, NULL, &entry);
	}
	if (!r)
		r = sp_judge_limit(w, entry, ip.l3_bytes);
	if (r)
		return r;
	enter.peer = sp_peer_lookup(w->config.sessions, entry->to_peer);
	if (!enter.peer)
		return SP_R_NO_SESSION;
	enter.mtu = enter.peer->mtu;
	sp_flow_touch(w, entry, &ip);
	sp_worker_forward(w, SP_FLOW_HOST, false, ip.l3_bytes);
	r = sp_down_enter(w, data, &ip, &enter);
	if (r)
		return r;
	sp_seal_split(w,
		      &(struct sp_seal){.data = data,
					.bytes = ip.l3_bytes,
					.peer = enter.peer,
					.entry = entry,
					.direction = SP_DIR_HOST,
					.tos = ip.tos},
		      &ip);
	return SP_R_NONE;
}

unsigned int sp_host_run(struct sp_worker *w, uint64_t now_ns)
{
	unsigned int n = 0;

	if (w->config.tun_fd < 0)
		return 0;
	sp_worker_begin(w, now_ns);
	for (; n < READS_MAX; n++) {
		uint8_t *frame = sp_frame_get(&w->frames);
		uint8_t *data = frame + SP_FRAME_HEADROOM;
		enum sp_reason r;
		ssize_t bytes;

		if (!frame)
			break;
		bytes = read(w->config.tun_fd, data, SP_FRAME_BYTES - SP_FRAME_HEADROOM);
		if (bytes <= 0) {
			sp_frame_put(&w->frames, frame);
			break;
		}
		r = forward(w, data, (uint32_t)bytes);
		if (r)
			sp_worker_drop(w, &(struct sp_loss){.data = data,
							    .bytes = (uint32_t)bytes,
							    .direction = SP_DIR_HOST,
							    .reason = r,
							    .user_id = SP_USER_GATEWAY,
							    .is_ip = true});
	}
	if (n)
		sp_worker_finish(w);
	return n;
}
