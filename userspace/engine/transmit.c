/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/transmit.h"

#include "base/sum.h"
#include "sallyport/core/checksum.h"

/*
 * Sent over IPv4 too, where it is optional: without it a receiver's kernel does not put datagrams
 * together, and each costs the client many times as much. RFC 768: 0 is sent as all ones.
 */
void sp_tx_finish(const struct sp_tx *tx)
{
	uint8_t *udp = tx->data + tx->udp_off, *ip = tx->data + SP_ETH_BYTES;
	uint32_t addr_off = ip[0] >> 4 == 4 ? 12 : 8;
	uint32_t bytes = tx->bytes - tx->udp_off;
	uint64_t sum = (uint64_t)sp_swap16((uint16_t)bytes) + sp_swap16(SP_PROTO_UDP);
	uint16_t check;

	if (!tx->udp_off)
		return;
	sum = sp_csum_partial(ip + addr_off, addr_off == 12 ? 8 : 32, sum);
	sp_store16(udp + 6, 0);
	check = (uint16_t)~sp_csum_fold(sp_sum(udp, bytes, sum));
	sp_store16(udp + 6, check ? check : 0xffff);
}
