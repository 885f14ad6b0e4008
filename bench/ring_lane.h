/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A lane: an I/O thread, its queues, and the driver of these queues; it has
 * nothing in common with other lanes.
 */
#ifndef LKVM_BENCH_RING_LANE_H
#define LKVM_BENCH_RING_LANE_H

#include "bench/ring.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include <pthread.h>
#include <semaphore.h>

enum lane_state {
	LANE_IDLE,
	LANE_WARM,	/* requests run, nothing is measured */
	LANE_OPEN,	/* from the first sample to the second */
	LANE_DRAIN,	/* no new requests */
};

struct ring_lane {
	/* The last client of the thread: its publish sees what others showed. */
	_Alignas(RING_LINE) struct iothread_client client;
	const struct ring_run *run;
	struct iothread *thread;
	unsigned int index;
	unsigned int nrings;
	struct ring *rings[RING_QUEUES_MAX];
	const struct virtio_blk_stats *stats[RING_QUEUES_MAX];
	u64 driver_ns;
	struct ring_sample samples[2];	/* by the I/O thread */

	/* Of the driver: the I/O thread itself, or a thread beside it. */
	_Alignas(RING_LINE) enum lane_state state;
	u64 done;		/* requests, in this state */
	int call_fd;		/* the interrupt */
	sem_t over;		/* the last request is complete */
	pthread_t driver;

	/* RING_THREADS: the driver asks for a sample, the I/O thread takes it. */
	_Alignas(RING_LINE) unsigned int wanted;
	_Alignas(RING_LINE) unsigned int taken;
};

/* Add the lane to its thread, as the last of its clients. */
void ring_lane_init(struct ring_lane *l, const struct ring_run *run,
		    struct iothread *thread, unsigned int index);
void ring_lane_exit(struct ring_lane *l);
/* The I/O threads run: begin, and wait for the end of the measurement. */
void ring_lane_start(struct ring_lane *l);
void ring_lane_wait(struct ring_lane *l);

#endif
