/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lkvm stat makes of the counters of a guest (docs/stats.md): rates between
 * two samples, as a table; one sample in the text format of Prometheus.
 */
#ifndef LKVM_STAT_VIEW_H
#define LKVM_STAT_VIEW_H

#include <jansson.h>
#include <stdio.h>

#define STAT_LATENCIES 64

/* What happened between two samples, on one queue or on all of a disk. */
struct stat_sum {
	double requests;
	double bytes;
	double kicks;
	double interrupts;
	double latency[STAT_LATENCIES];	/* [i]: of 2^i to 2^(i+1) ns */
	/* Of the threads that serve them. */
	double submits;
	double submitted;
	double poll_ns;
	unsigned int threads;
};

/*
 * Add queue @q of disk @d to @sum: what it counted from sample @from to @to, and
 * its thread, unless a queue from @first to @q has it, too.
 */
void stat_add_queue(struct stat_sum *sum, const json_t *from, const json_t *to,
		    size_t d, size_t q, size_t first);
/* The latency in ns that @share of the requests (0 to 1) do not exceed; 0: none. */
double stat_percentile(const struct stat_sum *sum, double share);

/* A line for each queue, and one for each disk that has several. */
void stat_table(FILE *out, const json_t *from, const json_t *to);
void stat_prometheus(FILE *out, const char *guest, const json_t *sample);

#endif
