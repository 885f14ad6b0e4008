/* SPDX-License-Identifier: GPL-2.0-only */
/* Time as lkvm counts it. */
#ifndef LKVM_CLOCK_H
#define LKVM_CLOCK_H

#include "endian.h"
#include <time.h>

/* CLOCK_MONOTONIC in ns. */
static inline u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static inline struct timespec timespec_of(u64 ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

#endif
