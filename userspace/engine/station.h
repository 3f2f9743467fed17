/* SPDX-License-Identifier: Apache-2.0 */
/* A worker with its thread and its sockets. Opened by the daemon's thread, run by its own. */
#ifndef SP_ENGINE_STATION_H
#define SP_ENGINE_STATION_H

#include <poll.h>
#include <pthread.h>

#include "engine/transmit_gso.h"

struct sp_station {
	struct sp_worker *worker;
	_Atomic(struct sp_published *) *published; /* the engine's */
	struct sp_xsk_area area;
	struct sp_xsk *xsks;
	uint32_t xsk_count;
	struct sp_transmit_xdp transmit;
	struct sp_transmit_gso *gso; /* NULL: transmit alone */
	struct pollfd *polls;	     /* sockets, then the wake-up, then the TUN device */
	uint32_t poll_count;
	bool is_tun_ready;
	bool is_muted; /* some descriptors are left out, since they are broken */
	uint64_t muted_ns;
	int wake_fd;
	int cpu; /* -1: not pinned */
	pthread_t thread;
	bool is_running;
	_Atomic bool stop;
};

/* Sockets on queues index, index + workers, ... of every interface, into sp_xsks. */
int sp_station_open(struct sp_station *station, const struct sp_engine_config *config);
void sp_station_close(struct sp_station *station);
int sp_station_start(struct sp_station *station);
void sp_station_stop(struct sp_station *station);
void sp_station_wake(struct sp_station *station);

#endif
