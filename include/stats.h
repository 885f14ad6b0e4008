/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters as JSON; docs/stats.md describes the schema.
 */
#ifndef LKVM_STATS_H
#define LKVM_STATS_H

#include <stdio.h>

struct drive;

#define STATS_VERSION 2

/* 0, or -ENOMEM or -EIO. */
int stats_write(FILE *file, const struct drive *drives, unsigned int ndrives);

#endif
