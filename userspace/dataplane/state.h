/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of dataplane/ share and nobody else sees. Daemon thread. */
#ifndef SP_DATAPLANE_STATE_H
#define SP_DATAPLANE_STATE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <limits.h>
#include <net/if.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "dataplane/dataplane.h"
#include "dataplane/drops.h"
#include "dataplane/plain.h"
#include "sallyport/abi/record.h"

enum sp_map_id {
	SP_MAP_GATEWAY,
	SP_MAP_IFACES,
	SP_MAP_LOCALS,
	SP_MAP_LISTENERS,
	SP_MAP_SESSIONS,
	SP_MAP_USERS,
	SP_MAP_BUCKETS,
	SP_MAP_FLOWS,
	SP_MAP_FRAGMENTS,
	SP_MAP_INNER,
	SP_MAP_ROUTES,
	SP_MAP_NEXTHOPS,
	SP_MAP_PATHS,
	SP_MAP_NEIGHBOURS,
	SP_MAP_SOURCES,
	SP_MAP_XSKS,
	SP_MAP_DROP_LANES,
	SP_MAP_DROPS,
	SP_MAP_POLICY,
	SP_MAP_RULE_HITS,
	SP_MAP_DEVS,
	SP_MAP_ZONES,
	SP_MAP_EGRESS,
	SP_MAP_EGRESS_USE,
	SP_MAP_BINDINGS,
	SP_MAP_PORTS,
	SP_MAP_ROUTE_LPM,
	SP_MAP_EVENTS,
	SP_MAP_DECISIONS,
	SP_MAP_PLAIN_PACE,
	SP_MAP_RECORDS,
	SP_MAP_DROP_EVENTS,
	SP_MAP_DROP_PACES,
	SP_MAP_FORWARD_LANES,
	SP_MAP_COUNT,
};

/* One interface the program stands on. A free slot has ifindex 0. */
struct sp_attachment {
	uint32_t ifindex;
	int link_fd;		     /* plain link; -1 behind libxdp's dispatcher */
	struct xdp_program *program; /* behind libxdp's dispatcher */
	char name[IF_NAMESIZE];
};

/* Whom the events of sp_drop_events go to, and how many more at this time. */
struct sp_drop_reader {
	void (*cb)(const struct sp_drop_event *event, void *arg);
	void *arg;
	uint32_t left;
};

struct sp_dataplane {
	struct sp_dataplane_config config; /* pin_dir points into the next member */
	char pin_dir[PATH_MAX];
	int lock_fd; /* the pin directory, locked: one process owns the maps */
	bool adopted;
	struct bpf_object *object;
	struct bpf_object *trace;  /* NULL: the kernel refused it */
	int trace_fds[2];	   /* by enum sp_trace_as, borrowed from trace */
	int map_fds[SP_MAP_COUNT]; /* borrowed from object */
	void *mapped[SP_MAP_COUNT];
	size_t mapped_bytes[SP_MAP_COUNT];
	struct sp_shared shared;
	_Atomic uint64_t inner_seq; /* changes of sp_inner */
	struct sp_attachment attachments[SP_IFACE_MAX];
	struct sp_drop_totals drops_published;
	struct ring_buffer *events; /* sp_events and sp_decisions */
	struct sp_plain_upcalls plain_upcalls;
	void *plain_arg;
	struct ring_buffer *records; /* sp_records */
	void (*on_record)(const struct sp_record *record, void *arg);
	void *on_record_arg;
	uint32_t records_left;		 /* of this look */
	struct ring_buffer *drop_events; /* sp_drop_events */
	struct sp_drop_reader drop_reader;
	_Atomic bool batch_refused; /* the kernel knows no batches on hash maps (before 5.6) */
};

static inline void sp_bpf_object_closep(struct bpf_object **object)
{
	bpf_object__close(*object); /* takes NULL */
}
#define _cleanup_bpf_object_ _cleanup_(sp_bpf_object_closep)

/* program.c: the object embedded in the skeleton, its maps sized by the configuration. */
int sp_program_open(const struct sp_dataplane_config *config, struct bpf_object **ret_object);
/* Names and sizes of every map as this build knows them. -EPROTO. */
int sp_program_find_maps(struct bpf_object *object, int ret_fds[static SP_MAP_COUNT]);
const char *sp_program_map_name(enum sp_map_id id);
struct bpf_program *sp_program_xdp(struct bpf_object *object);

/* pins.c. */
int sp_pins_open(struct sp_dataplane *dp);    /* directories, lock, adoption into dp->object */
int sp_pins_commit(struct sp_dataplane *dp);  /* pin what is new, the mark of completeness last */
int sp_pins_remove(const char *pin_dir);      /* every file, then the directories */
bool sp_pins_fd_is(int fd, const char *kind); /* "map", "prog", "link" */

/* trace.c. */
void sp_trace_open(struct sp_dataplane *dp); /* says why when it cannot */
void sp_trace_close(struct sp_dataplane *dp);

/* attach.c. */
void sp_attachments_close(struct sp_dataplane *dp); /* lets go; what is pinned goes on */
int sp_attachments_detach_pinned(const char *pin_dir);

#endif
