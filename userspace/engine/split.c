/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/split.h"

#include <string.h>

#include "sallyport/core/checksum.h"

#define OPTION_COPIED 0x80 /* RFC 791 3.1 */
#define OPTION_END    0
#define OPTION_NOP    1
#define MORE	      0x2000

static uint32_t header_bytes(const struct sp_packet *ip)
{
	return (uint32_t)ip->l4_off - ip->l3_off;
}

/* Payload of a piece: whole units of 8 bytes. */
static uint32_t room_for(uint32_t mtu, uint32_t header)
{
	return mtu > header ? (mtu - header) & ~7u : 0;
}

bool sp_split_may(const struct sp_packet *ip, uint32_t mtu)
{
	uint32_t payload = ip->l3_bytes - header_bytes(ip);

	return ip->may_split && payload <= room_for(mtu, header_bytes(ip)) * SP_PIECES_MAX;
}

/* RFC 791 3.2: the header of every piece but the first; its length. */
static uint32_t copy_header(const uint8_t *ip, uint32_t header, uint8_t *out)
{
	uint32_t bytes = SP_IPV4_BYTES, length;

	memcpy(out, ip, SP_IPV4_BYTES);
	for (uint32_t at = SP_IPV4_BYTES; at < header && ip[at] != OPTION_END; at += length) {
		length = 1;
		if (ip[at] != OPTION_NOP) {
			length = at + 1 < header ? ip[at + 1] : 0;
			if (length < 2 || at + length > header)
				break; /* nonsense: what follows it cannot be read */
		}
		if (ip[at] & OPTION_COPIED) {
			memcpy(out + bytes, ip + at, length);
			bytes += length;
		}
	}
	while (bytes % 4)
		out[bytes++] = 0;
	out[0] = (uint8_t)(0x40 | bytes / 4);
	return bytes;
}

static void finish(uint8_t *ip, uint32_t bytes, uint32_t begin, bool more)
{
	sp_store16(ip + 2, sp_swap16((uint16_t)bytes));
	sp_store16(ip + 6, sp_swap16((uint16_t)(begin / 8 | (more ? MORE : 0))));
	sp_store16(ip + 10, 0);
	sp_store16(ip + 10, (uint16_t)~sp_csum_fold(sp_csum_partial(ip, (ip[0] & 15) * 4u, 0)));
}

/* What is left of a packet that is being split. */
struct rest {
	const uint8_t *payload;
	uint32_t bytes;
	uint32_t begin; /* in the datagram, which it may itself be a fragment of */
};

static void put_piece(struct sp_piece *piece, uint32_t header, uint32_t bytes, struct rest *rest,
		      const struct sp_packet *ip)
{
	bool more = bytes < rest->bytes || (ip->fragment && ip->fragment_more);

	finish(piece->data, header + bytes, rest->begin, more);
	piece->bytes = header + bytes;
	rest->payload += bytes;
	rest->bytes -= bytes;
	rest->begin += bytes;
}

/* Every piece after the first into a frame of its own; false: no frame was free. */
static bool copy_rest(struct sp_frames *frames, const uint8_t *data, const struct sp_packet *ip,
		      uint32_t mtu, struct rest *rest, struct sp_pieces *pieces)
{
	while (rest->bytes) {
		struct sp_piece *piece = &pieces->list[pieces->count];
		uint8_t *frame = sp_frame_get(frames);
		uint32_t header, bytes;

		if (!frame)
			return false;
		piece->data = frame + SP_FRAME_HEADROOM;
		pieces->count++;
		header = copy_header(data, header_bytes(ip), piece->data);
		bytes = room_for(mtu, header);
		if (bytes > rest->bytes)
			bytes = rest->bytes;
		memcpy(piece->data + header, rest->payload, bytes);
		put_piece(piece, header, bytes, rest, ip);
	}
	return true;
}

int sp_split(struct sp_frames *frames, uint8_t *data, const struct sp_packet *ip, uint32_t mtu,
	     struct sp_pieces *ret_pieces)
{
	uint32_t header = header_bytes(ip), first = room_for(mtu, header);
	struct sp_pieces pieces = {.count = 1, .list[0].data = data};
	struct rest whole = {.payload = data + header,
			     .bytes = ip->l3_bytes - header,
			     .begin = ip->fragment ? ip->fragment_begin : 0};
	struct rest rest = {whole.payload + first, whole.bytes - first, whole.begin + first};

	if (!copy_rest(frames, data, ip, mtu, &rest, &pieces)) {
		while (--pieces.count)
			sp_frame_put(frames, pieces.list[pieces.count].data);
		return -ENOBUFS;
	}
	put_piece(&pieces.list[0], header, first, &whole, ip);
	*ret_pieces = pieces;
	return 0;
}
