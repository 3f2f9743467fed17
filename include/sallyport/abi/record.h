/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What becomes a flow record: XDP (sp_records, a ring buffer) and workers -> daemon. */
#ifndef SALLYPORT_ABI_RECORD_H
#define SALLYPORT_ABI_RECORD_H

#include "sallyport/abi/flow.h"

#define SP_RECORD_BYTES	  (1 << 20)  /* of the ring buffer */
#define SP_RECORD_PACE_NS 1000000ull /* denials: at most one in so long, each CPU or worker */

enum sp_record_what {
	SP_RECORD_BEGUN = 1,
	SP_RECORD_ENDED = 2,
	SP_RECORD_DENIED = 3, /* by the policy; nothing came of it */
};

struct sp_record {
	struct sp_flow_key key; /* original direction */
	struct sp_addr egress;	/* as what it leaves; untranslated: key.src */
	__u64 begun_ns;		/* denied: when */
	__u64 seen_ns;		/* last packet of either direction */
	__u64 ended_ns;
	__u64 packets;
	__u64 bytes; /* IP packet lengths */
	__u64 back_packets;
	__u64 back_bytes;
	__u32 user_id;
	__u32 peer_id; /* 0 = none */
	__u32 rule_id;
	__u32 hit_id;
	__be16 egress_port_be;
	__u8 what;   /* enum sp_record_what */
	__u8 kind;   /* enum sp_flow_kind */
	__u8 reason; /* enum sp_reason, of a denial */
	__u8 pad[3];
};
SP_ABI_SIZE(struct sp_record, 136);

#endif
