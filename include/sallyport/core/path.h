/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* Up to four paths in one word, the first to be tried in the lowest byte. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_PATH_H
#define SALLYPORT_CORE_PATH_H

#include "sallyport/abi/path.h"
#include "sallyport/core/addr.h"

#define SP_PATH_CHOICES 4

/* The path of a flow, or the first choice of a rule; 0: none. */
SP_INLINE __u32 sp_path_first(__u32 paths)
{
	return paths & 0xff;
}

/* The same paths with choice i of them first. */
SP_INLINE __u32 sp_path_lead(__u32 paths, __u32 i)
{
	__u32 bits = (i & 3) * 8;

	return bits ? paths >> bits | paths << (32 - bits) : paths;
}

SP_INLINE bool sp_path_has(__u32 paths, __u32 id)
{
	__u32 i;

	for (i = 0; i < SP_PATH_CHOICES; i++)
		if ((paths >> (i * 8) & 0xff) == id)
			return true;
	return false;
}

/* May a flow of this path live on under a rule that names these? Both may be the routing table. */
SP_INLINE bool sp_path_allows(__u32 rule_paths, __u32 flow_paths)
{
	if (!rule_paths)
		return !flow_paths;
	return flow_paths && sp_path_has(rule_paths, sp_path_first(flow_paths));
}

#endif
