/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The machines of tests/topology/, read by lkvm.
 */
#ifndef LKVM_TESTS_TOPOLOGY_RIG_H
#define LKVM_TESTS_TOPOLOGY_RIG_H

#include "topology.h"

#define RIG_MACHINES 10
extern const char *const rig_machines[RIG_MACHINES];

/* Its tree is in rig_root until rig_end(): one for all, to be read only. */
struct topology *rig_begin(const char *machine);
/* The same with a copy of the tree, which may be changed. */
struct topology *rig_begin_own(const char *machine);
extern char rig_root[64];
void rig_end(struct topology *t);

/* Write @text to a file of one's own tree, which is made if need be. */
void rig_write(const char *path, const char *text);
/* Read the tree again. */
struct topology *rig_again(struct topology *t);

#endif
