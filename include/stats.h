/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters as JSON; docs/stats.md describes the schema.
 */
#ifndef LKVM_STATS_H
#define LKVM_STATS_H

#include <jansson.h>
#include <stdio.h>

struct drive;

#define STATS_VERSION 2

/*
 * All counters as of now, by CLOCK_MONOTONIC.  Main thread; those who count may go
 * on, and each counter is one of its values.  NULL: out of memory.
 */
json_t *stats_sample(const struct drive *drives, unsigned int ndrives);

/* The same into @file.  0, or -ENOMEM or -EIO. */
int stats_write(FILE *file, const struct drive *drives, unsigned int ndrives);

#endif
