/* SPDX-License-Identifier: Apache-2.0 */
/* Owning locals that free themselves. Any thread. */
#ifndef SP_BASE_CLEANUP_H
#define SP_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define SP_DEFINE_CLEANUP(type, func)        \
	static inline void func##_p(type *p) \
	{                                    \
		if (*p)                      \
			func(*p);            \
	}

static inline void sp_freep(void *p)
{
	free(*(void **)p);
}
static inline void sp_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}
static inline void sp_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_free_	 _cleanup_(sp_freep)
#define _cleanup_fclose_ _cleanup_(sp_fclosep)
#define _cleanup_close_	 _cleanup_(sp_closep)

#define TAKE_PTR(p)                     \
	({                              \
		typeof(p) taken_ = (p); \
		(p) = NULL;             \
		taken_;                 \
	})
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#endif
