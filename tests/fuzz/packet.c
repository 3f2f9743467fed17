/* SPDX-License-Identifier: Apache-2.0 */
/* links: base */
/* Any bytes as a packet: parse, then everything that the data path does to what was parsed. */
#include <stdlib.h>
#include <string.h>

#include "sallyport/core/fragment.h"
#include "sallyport/core/icmp.h"
#include "sallyport/core/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What parse promises about a packet, whatever the bytes were. */
static void expect_sane(const struct sp_packet *p, size_t bytes)
{
	size_t stop = (size_t)p->l3_off + p->l3_bytes;

	if (p->version != 4 && p->version != 6)
		abort();
	if (stop > bytes || p->l4_off < p->l3_off + 20 || p->payload_off < p->l4_off)
		abort();
	if (p->payload_off > stop || p->vlan_tags > SP_VLAN_MAX)
		abort();
	if ((p->version == 4) != sp_addr_is_v4(&p->src) ||
	    (p->version == 4) != sp_addr_is_v4(&p->dst))
		abort();
	if (p->fragment == SP_FRAGMENT_LATER && (p->sport_be || p->dport_be || p->icmp))
		abort();
	if (p->fragment && (sp_fragment_end(p) > 0xffff || sp_fragment_end(p) < p->fragment_begin))
		abort();
}

static void change(uint8_t *data, size_t bytes, const struct sp_packet *p)
{
	static const struct sp_addr v4 = {{[10] = 0xff, 0xff, 203, 0, 113, 7}};
	static const struct sp_addr v6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 9}};
	const struct sp_addr *to = p->version == 4 ? &v4 : &v6;
	const uint8_t *end = data + bytes;
	struct sp_packet inner, again;

	if (p->icmp_error && sp_parse_embedded(data, end, p, &inner) == SP_R_NONE) {
		if (inner.version != p->version)
			abort();
		sp_rewrite_embedded(data, end, p, &inner, SP_REWRITE_SRC, to, 0x1234);
	}
	if (sp_rewrite(data, end, p, SP_REWRITE_SRC, to, 0x3412) ||
	    sp_rewrite(data, end, p, SP_REWRITE_DST, to, 0x7856))
		abort(); /* what was parsed can be rewritten */
	sp_clamp_mss(data, end, p, 1200);
	sp_set_ecn(data, end, p, 3);
	sp_decrement_ttl(data, end, p);
	/* A rewritten packet is still the same kind of packet. */
	if (sp_parse_ip(data, end, p->l3_off, &again) || again.l4_off != p->l4_off ||
	    again.payload_off != p->payload_off || !sp_addr_equal(&again.src, to) ||
	    !sp_addr_equal(&again.dst, to) || (again.tos & 3) != 3)
		abort();
}

static void answer(const uint8_t *data, const struct sp_packet *p)
{
	static const struct sp_addr v4 = {{[10] = 0xff, 0xff, 192, 0, 2, 1}};
	static const struct sp_addr v6 = {{0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
	struct sp_packet reply, quoted;
	uint8_t buf[1280];
	uint32_t n;

	n = sp_icmp_build_too_big(data + p->l3_off, p->l3_bytes, p->version == 4 ? &v4 : &v6, 1280,
				  buf, sizeof(buf));
	if (n == 0)
		return;
	/* What is sent can be read, and read again by whoever is told. */
	if (sp_parse_ip(buf, buf + n, 0, &reply) || reply.l3_bytes != n || !reply.icmp_error ||
	    sp_parse_embedded(buf, buf + n, &reply, &quoted))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes + !bytes);
	struct sp_packet p;

	if (!copy)
		return 0;
	if (bytes)
		memcpy(copy, data, bytes);
	if (sp_parse_ethernet(copy, copy + bytes, &p) == SP_R_NONE && p.version) {
		expect_sane(&p, bytes);
		answer(copy, &p);
		change(copy, bytes, &p);
	}
	if (sp_parse_ip(copy, copy + bytes, 0, &p) == SP_R_NONE) {
		expect_sane(&p, bytes);
		answer(copy, &p);
		change(copy, bytes, &p);
	}
	free(copy);
	return 0;
}
