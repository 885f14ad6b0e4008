/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs here to wake a thread, and how many may run at once.
 */
#ifndef LKVM_KVM_WAKEUP_H
#define LKVM_KVM_WAKEUP_H

#include "endian.h"

/*
 * From the call that wakes a thread until that runs, in ns: the median of a few,
 * measured now, which takes a dozen of them.  0 if that was not possible.
 * Any thread.
 */
u64 wakeup_cost(void);

/* How many CPUs this thread, and those that it creates, may run on. */
unsigned int cpus_allowed(void);

#endif
