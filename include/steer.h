/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of disks' devices, steered to CPUs while a guest runs: main thread.
 */
#ifndef LKVM_STEER_H
#define LKVM_STEER_H

#include "topology.h"

struct steer;

/*
 * For all disks of a guest; @root and @claims, of claims_open() or negative, must outlive
 * it.  NULL: no memory.
 */
struct steer *steer_new(const char *root, int claims);
/*
 * Have the interrupts of @device come to @cpus, in turn, and say what became of it.  What
 * cannot be steered stays where it is, and so does what came to an earlier disk's CPUs or to another
 * guest's.  0, or -ENOMEM with a message: nothing was done.
 */
int steer_irqs(struct steer *s, const struct topology_device *device,
	       const struct cpu_list *cpus);
/*
 * Give them back what they had, but for those that somebody else has moved since, and free
 * @s, which may be NULL.
 */
void steer_restore(struct steer *s);

#endif
