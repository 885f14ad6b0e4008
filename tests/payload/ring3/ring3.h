/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that drives virtqueues from ring 3, where even a KVM that emulates
 * kernel mode runs it at native speed.  Kernel mode (main.c, start.S) prepares
 * the machine and reports; user mode (drive.c) does all that is measured.
 * 64-bit code with 32-bit pointers (x32), so that virtio.c serves here as well.
 *
 * On the command line: mode=poll|irq depth=N queues=N seconds=N count=N
 * (requests per queue, instead of a time) verify=1 (write, then read and compare;
 * needs count); one vCPU for each -c.
 */
#ifndef RING3_H
#define RING3_H

#include "../virtio.h"

#define RING_MAX 256		/* lkvm's queue-size */
#define DEPTH_MAX 128
#define QUEUES_MAX 16
#define CPUS_MAX 8
#define BLOCK 4096
#define BLOCK_SECTORS (BLOCK / SECTOR)
#define BUCKETS 512		/* 8 to each power of two */

/* One pass of requests over the disk; ring 3 only reads it. */
struct job {
	bool irq;		/* wait for interrupts; else look at the used ring */
	bool write;		/* else read */
	bool verify;		/* blocks in order, with known contents */
	u32 depth;		/* requests in flight, per queue */
	u64 count;		/* per queue; 0: until the time is over */
	u64 ticks;		/* of the TSC */
	u64 blocks;		/* of the disk */
};

struct big_avail {
	u16 flags, idx, ring[RING_MAX], used_event;
};

struct big_used {
	u16 flags, idx;
	struct {
		u32 id, len;
	} ring[RING_MAX];
	u16 avail_event;
};

struct slot {
	struct desc table[3];
	struct request request;
	u64 started;
};

/* Of one vCPU only; the device reads the rings, the slots' tables and headers. */
struct lane {
	struct desc desc[RING_MAX] __attribute__((aligned(4096)));
	struct big_avail avail __attribute__((aligned(128)));
	volatile struct big_used used __attribute__((aligned(128)));
	struct slot slot[DEPTH_MAX] __attribute__((aligned(128)));
	u8 (*data)[BLOCK];
	const struct job *job;
	volatile u32 *irqs;	/* counted by its interrupt handler */
	u64 random;
	u64 deadline;		/* TSC */
	u32 notify;		/* address */
	u32 irqs_seen;
	u16 index, size;
	u16 submitted, kicked;	/* avail indices */
	u16 reaped;		/* used index */
	u16 in_flight, free[DEPTH_MAX];

	/* what came out */
	u64 begun, finished;	/* TSC */
	u64 requests, completed, kicks, errors, mismatches, latency;
	u32 histogram[BUCKETS];
};

/* What a vCPU stands on; start.S relies on the place of the first two. */
struct cpu {
	u8 stack[4096];		/* of kernel mode, when ring 3 is left */
	u64 kernel_rsp;		/* of who entered ring 3 */
	u64 tss[16];
	u8 user_stack[8192] __attribute__((aligned(16)));
	struct lane *lanes[QUEUES_MAX];
	u32 nr_lanes;
	volatile bool up, done;
} __attribute__((aligned(128)));

/* start.S: run @fn(@cpu) in ring 3, with interrupts on; returns at its end. */
void enter_ring3(struct cpu *cpu, void (*fn)(struct cpu *), void *user_stack_end);

/* drive.c, in ring 3: do the job of all lanes of @cpu. */
void drive(struct cpu *cpu);
u64 bucket_value(u32 bucket);

#endif
