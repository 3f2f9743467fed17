/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
/* ECN across a tunnel, RFC 6040. Pure; XDP and workers. */
#ifndef SALLYPORT_CORE_ECN_H
#define SALLYPORT_CORE_ECN_H

#include "sallyport/core/addr.h"

#define SP_ECN_NOT_ECT 0
#define SP_ECN_ECT1    1
#define SP_ECN_ECT0    2
#define SP_ECN_CE      3

/* RFC 6040 4.1, normal mode: the outer TOS. DSCP 0, so that it tells nothing of the inside. */
SP_INLINE __u8 sp_ecn_encapsulate(__u8 inner_tos)
{
	return inner_tos & 0x3;
}

/* RFC 6040 4.2, figure 4: the ECN field that leaves the tunnel. False: drop. */
SP_INLINE bool sp_ecn_decapsulate(__u8 outer_ecn, __u8 inner_ecn, __u8 *ret_ecn)
{
	__u8 outer = outer_ecn & 0x3;
	__u8 inner = inner_ecn & 0x3;

	if (inner == SP_ECN_NOT_ECT && outer == SP_ECN_CE)
		return false;
	if (inner == SP_ECN_NOT_ECT || inner == SP_ECN_CE)
		*ret_ecn = inner;
	else if (outer == SP_ECN_CE || outer == SP_ECN_ECT1)
		*ret_ecn = outer;
	else
		*ret_ecn = inner;
	return true;
}

#endif
