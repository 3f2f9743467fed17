/* SPDX-License-Identifier: Apache-2.0 */
/* What the model knows of the lab beside the maps: addresses, flows, records of fragments. Tests only. */
#ifndef SP_TESTS_PROGRUN_MODEL_WORLD_H
#define SP_TESTS_PROGRUN_MODEL_WORLD_H

#include "progrun/model_transport.h"
#include "progrun/plain_lab.h"

enum whose {
	NOBODYS,
	HOSTS,
	SHARED,
	POOLS,
	SUBNET,
	INNER
};

/* A flow as its answers come: from remote:rport to nat:nport, meant for inside:iport. */
struct model_flow {
	struct sp_flow_key answer, request;
	bool plain, translated;
	uint8_t inside[16];
	uint16_t iport;
};

struct model_record {
	uint8_t src[16], dst[16];
	uint32_t id, first, passed, total;
	int proto, of; /* of: IPv4 keeps datagrams of each protocol apart */
	uint16_t sport, dport;
};

#define MODEL_FLOWS   64
#define MODEL_RECORDS 8192

static struct {
	uint32_t roles;
	bool open;
	struct model_flow flows[MODEL_FLOWS];
	uint32_t flow_count;
	struct model_record records[MODEL_RECORDS];
	uint32_t record_count;
} lab;

static inline bool is_text(const uint8_t *addr, const char *text)
{
	static struct {
		const char *text;
		struct sp_addr addr;
	} known[32];
	int i = 0;

	while (known[i].text && known[i].text != text)
		i++;
	if (!known[i].text) {
		known[i].addr = addr_of(text);
		known[i].text = text;
	}
	return !memcmp(addr, known[i].addr.b, 16);
}

static inline bool is_v4(const uint8_t *a)
{
	return !memcmp(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}

static inline enum whose whose(const uint8_t *a)
{
	for (const struct family *f = families; f < families + 2; f++) {
		if (is_text(a, f->host))
			return HOSTS;
		if (is_text(a, f->shared))
			return SHARED;
		if (is_text(a, f->pool))
			return POOLS;
		if (is_text(a, f->gateway))
			return INNER;
	}
	return is_text(a, "198.51.100.255") ? SUBNET : NOBODYS;
}

static inline bool is_inner_of_tunnels(const uint8_t *a)
{
	for (const struct family *f = families; f < families + 2; f++)
		if (is_text(a, f->gateway) || is_text(a, f->client))
			return true;
	return false;
}

static inline bool is_peer(const uint8_t *a)
{
	return is_text(a, families[0].client) || is_text(a, families[1].client);
}

/* 10.50.0.0/24 and fd00:50::/64 */
static inline bool is_zone(const uint8_t *a)
{
	if (is_v4(a))
		return a[12] == 10 && a[13] == 50 && a[14] == 0;
	return !memcmp(a, "\xfd\0\0\x50\0\0\0\0", 8);
}

static inline bool is_multicast(const uint8_t *a)
{
	return is_v4(a) ? a[12] >> 4 == 14 || !memcmp(a + 12, "\xff\xff\xff\xff", 4) : a[0] == 0xff;
}

static inline bool is_empty(const uint8_t *a)
{
	static const uint8_t zero[16];

	return is_v4(a) ? a[12] == 0 : !memcmp(a, zero, 16);
}

static inline bool is_own(const uint8_t *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return is_v4(a) ? a[12] == 127 : !memcmp(a, one, 16);
}

static inline bool is_fe80(const uint8_t *a)
{
	return a[0] == 0xfe && a[1] >> 6 == 2;
}

static inline const struct model_flow *model_flow(const struct sp_flow_key *k, bool answer)
{
	for (uint32_t i = 0; i < lab.flow_count; i++) {
		const struct model_flow *f = &lab.flows[i];

		if (!memcmp(k, answer ? &f->answer : &f->request, sizeof(*k)))
			return f;
	}
	return NULL;
}

static inline struct model_record *model_record(const struct seen *s)
{
	for (uint32_t i = 0; i < lab.record_count; i++) {
		struct model_record *r = &lab.records[i];

		if (r->id == s->id && !memcmp(r->src, s->src, 16) && !memcmp(r->dst, s->dst, 16) &&
		    r->of == (s->version == 4 ? s->proto : 0))
			return r;
	}
	return NULL;
}

#endif
