/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring benchmark: drivers' rings in this process against the virtqueue,
 * virtio-blk and disk code on its real I/O threads, without a VM; or, to compare
 * with, a bare libaio loop on the same file.  docs/measuring.md tells how to
 * read it.  One process measures one case once; bench/ring.sh runs them all.
 */
#ifndef LKVM_BENCH_RING_H
#define LKVM_BENCH_RING_H

#include "disk/disk.h"
#include "endian.h"
#include "kvm/iothread.h"
#include "kvm/memory.h"
#include "virtio/virtqueue.h"

#define RING_LINE 128		/* the longest cache line there is */
#define RING_QUEUES_MAX 64
#define RING_QUEUE_SIZE 256	/* lkvm's default */
#define RING_BLOCK 4096u	/* of each request */

enum ring_mode {
	RING_TURNS,	/* driver and device take turns on the I/O thread */
	RING_THREADS,	/* a driver thread beside each I/O thread */
	RING_BARE,	/* no device: io_submit() and io_getevents() */
	RING_LINES,	/* which cache lines two threads both write */
};

/* One case; constant while it runs. */
struct ring_run {
	enum ring_mode mode;
	const char *path;	/* as in --disk */
	unsigned int queues;
	unsigned int threads;	/* I/O threads */
	unsigned int depth;	/* in flight, of each queue */
	bool packed;		/* rings */
	bool limited;		/* but limits are never reached */
	const char *trace;	/* record requests in this file, or NULL */
	u64 begin;		/* when to begin measuring, ring_now() ... */
	u64 ns;			/* ... for how long ... */
	u64 count;		/* ... or, if not 0, how many requests a thread */
	struct iothread_poll poll;
	enum disk_engine engine;
	bool counted;		/* count instructions; times mean nothing then */
};

/* --- ring_count.c: what a thread does, counted ---------------------------- */

/* Calls that lkvm's code, or the bare loop, made on this thread. */
struct ring_counts {
	u64 allocations;	/* malloc(), free() and the like */
	u64 locks;		/* mutexes, conditions, semaphores: futexes */
	u64 submits;		/* io_submit() */
	u64 calls;		/* all system calls, submits among them */
};

extern __thread struct ring_counts ring_counts;

/* Heap blocks of lkvm since the start; returns how many. */
unsigned int ring_blocks(void **start, size_t *size, unsigned int max);

/*
 * Instructions in user space of the calling thread between on and off: by perf
 * where the CPU counts them, else by callgrind, under which the caller runs.
 */
void ring_counter_open(void);
void ring_counter_on(void);
void ring_counter_off(void);
void ring_counter_close(void);
/* Of all threads that closed; 0: callgrind writes it to its own file. */
u64 ring_counter_total(void);
/* "perf", or "callgrind" if the CPU does not count. */
const char *ring_counter_name(void);

u64 ring_now(void);
/* A message, and the end with status 1: the benchmark cannot run. */
void ring_die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* One moment of an I/O thread; the difference of two is a measurement. */
struct ring_sample {
	u64 ns;
	u64 cpu_ns;
	u64 driver_ns;		/* of which the driver's part */
	u64 requests;
	u64 batches;
	u64 interrupts;
	u64 sleeps;		/* voluntary context switches */
	struct ring_counts counts;
};

/* All that is the calling thread's own; the caller adds the rest. */
void ring_sample_thread(struct ring_sample *s);
void ring_sample_add(struct ring_sample *sum, const struct ring_sample *from,
		     const struct ring_sample *to);

/* --- ring_driver.c: the driver's side of a queue --------------------------- */

struct ring_slot;

struct ring {
	_Alignas(RING_LINE) struct virtqueue_config config;
	struct virtq_avail *avail;
	struct virtq_used *used;
	struct packed_desc *packed;	/* if not NULL, in place of both */
	struct ring_slot *slots;
	u64 tables;		/* where slots are for the device */
	unsigned int depth;
	unsigned int inflight;
	u16 avail_idx;		/* entries written: one for each request */
	u16 exposed;		/* entries the device can see */
	u16 last_used;		/* entries taken */
	bool calls;		/* an interrupt is wanted for each batch */
	u64 random;
	u64 blocks;		/* of the disk */
	int kick_fd;
};

/*
 * Guest memory for @run's rings, which have their queues' configurations then.
 */
void ring_memory_new(struct guest_memory *mem, struct ring *rings,
		     const struct ring_run *run, u64 disk_size);
/* Put @depth random reads into an empty ring, and kick if it is wanted. */
void ring_fill(struct ring *r);
/*
 * Take what is complete, and put as many new reads in its place if @refill.
 * Returns how many were complete.  Ends the process if one has failed.
 */
unsigned int ring_turn(struct ring *r, bool refill);
/* Ask for interrupts.  Returns whether something is complete already. */
bool ring_calls_on(struct ring *r);

u64 ring_random(u64 *state);

/* --- ring_device.c, ring_lane.c, ring_lines.c, ring_bare.c ------------------ */

struct ring_result {
	struct ring_sample sum;		/* of all I/O threads */
	u64 ns;				/* of the longest measurement */
	bool direct;			/* O_DIRECT */
	const char *engine;		/* that served, as in aio= */
	unsigned int lines_written;	/* RING_LINES: by I/O threads */
	unsigned int lines_shared;	/* and those of them by more than one */
};

void ring_result_add(struct ring_result *result, const struct ring_sample *from,
		     const struct ring_sample *to);

/* Requests per second of all @threads together. */
double ring_result_rate(const struct ring_result *result, unsigned int threads);

void ring_bare_run(const struct ring_run *run, struct ring_result *result);
void ring_device_run(const struct ring_run *run, struct ring_result *result);

struct ring_lane;
void ring_lines_run(struct ring_lane *lanes, unsigned int n,
		    struct ring_result *result);

#endif
