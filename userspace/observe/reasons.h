/* SPDX-License-Identifier: Apache-2.0 */
/* Words for drop reasons and directions: the label, what it means, what to do. Any thread. */
#ifndef SP_OBSERVE_REASONS_H
#define SP_OBSERVE_REASONS_H

#include <stdint.h>

#include "sallyport/abi/verdict.h"

/* Never NULL; of an unknown number "unknown". */
const char *sp_reason_label(uint32_t reason);
const char *sp_reason_text(uint32_t reason);
/* One line: what an administrator can do about it. */
const char *sp_reason_advice(uint32_t reason);
const char *sp_direction_label(uint32_t direction);
/* 0 and the reason, or -ENOENT. */
int sp_reason_parse(const char *label, enum sp_reason *ret_reason);

#endif
