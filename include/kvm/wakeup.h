/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs here to wake a thread that sleeps.
 */
#ifndef LKVM_KVM_WAKEUP_H
#define LKVM_KVM_WAKEUP_H

#include "endian.h"

/*
 * From the call that wakes a thread until that runs, in ns: the median of a few,
 * measured now, which takes some dozens of them.  0 if that was not possible.
 * Any thread.
 */
u64 wakeup_cost(void);

#endif
