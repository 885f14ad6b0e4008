/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of a disk's device, steered to CPUs while a guest runs: main thread.
 */
#ifndef LKVM_STEER_H
#define LKVM_STEER_H

#include "topology.h"

struct steer;

/*
 * Have the interrupts of @device come to @cpus, in turn, and say what became of it.  What
 * cannot be steered stays where it is.  NULL, without CPUs or memory: nothing was done.
 */
struct steer *steer_irqs(const char *root,
			 const struct topology_device *device,
			 const struct cpu_list *cpus);
/* Give them back what they had.  @s may be NULL. */
void steer_restore(struct steer *s);

#endif
