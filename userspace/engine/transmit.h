/* SPDX-License-Identifier: Apache-2.0 */
/* Where frames leave: one interface for every way of sending. Its worker's thread. */
#ifndef SP_ENGINE_TRANSMIT_H
#define SP_ENGINE_TRANSMIT_H

#include <stdbool.h>
#include <stdint.h>

struct sp_transmit;

/* A whole Ethernet frame in one of the worker's frames, for the interface in that slot. */
struct sp_tx {
	uint8_t *data;
	uint32_t bytes;
	uint32_t slot;
	uint32_t udp_off; /* not 0: a tunnel datagram whose UDP checksum is still to be made */
};

/* All mandatory. */
struct sp_transmit_ops {
	/*
	 * True: the frame is the back end's until it is sent, then it goes back to the worker's
	 * stack. False: no room, the frame is still the caller's.
	 */
	bool (*queue)(struct sp_transmit *transmit, const struct sp_tx *tx);
	/* After the last queue of a batch: make the device send. */
	void (*flush)(struct sp_transmit *transmit);
	/* Take back the frames that are sent. */
	void (*reap)(struct sp_transmit *transmit);
	/* Text for the status, e.g. "af_xdp copy". */
	const char *(*name)(const struct sp_transmit *transmit);
};

/* First member of a back end's own struct. */
struct sp_transmit {
	const struct sp_transmit_ops *ops;
	uint32_t lost; /* frames that were queued and could not be sent; the worker counts them */
};

/* The UDP checksum of a tunnel datagram, for a back end whose device does not make it. */
void sp_tx_finish(const struct sp_tx *tx);

#endif
