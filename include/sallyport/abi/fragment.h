/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* What the first fragment of a datagram tells about its later ones (sp_fragments). Any thread. */
#ifndef SALLYPORT_ABI_FRAGMENT_H
#define SALLYPORT_ABI_FRAGMENT_H

#include "sallyport/abi/addr.h"

#define SP_FRAGMENT_MAX 16384 /* datagrams in sp_fragments; the least recently used goes first */

/* Which datagram a fragment is of (RFC 791 3.2, RFC 8200 4.5), addresses as they arrive. */
struct sp_fragment_key {
	struct sp_addr src;
	struct sp_addr dst;
	__u32 id;   /* as it lies in the packet */
	__u8 proto; /* IPv6: 0, since only the first fragment's next header counts */
	__u8 pad[3];
};
SP_ABI_SIZE(struct sp_fragment_key, 40);

/*
 * A datagram of which the first fragment has passed. Bytes count in its fragmentable part. Made
 * and used by XDP, and by a worker in a table of its own.
 */
struct sp_fragment {
	__be16 sport_be; /* as the first fragment is known in sp_flows */
	__be16 dport_be;
	__u8 proto; /* what follows the extension headers */
	__u8 pad[3];
	__u32 first_bytes;  /* up to here the first one reaches, and no other may begin */
	__u32 passed_bytes; /* of all */
	__u32 total_bytes;  /* 0: the last one has not come yet */
	__u32 pad2;
	__u64 since_ns;
};
SP_ABI_SIZE(struct sp_fragment, 32);

#endif
