/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A host and a placement on it, for people and for programs.  Nothing is placed yet.
 */
#ifndef LKVM_TOPOLOGY_REPORT_H
#define LKVM_TOPOLOGY_REPORT_H

#include "placement.h"

/* A table of nodes, one of disks' devices, and a line for each thread. */
void topology_print(const struct placement *p, FILE *out);
/* The same as JSON (docs/affinity.md).  0, -ENOMEM or -EIO, without a message. */
int topology_json(const struct placement *p, FILE *out);
/* A drawing: nodes, cores and their threads, devices, what was chosen. */
void topology_svg(const struct placement *p, FILE *out);

#endif
