/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio block device (virtio 1.2, 5.2) on a disk.
 *
 * Each of its queues belongs to one I/O thread, which pops requests, stages
 * them on the queue's own disk_queue, and completes each of them once.
 */
#ifndef LKVM_VIRTIO_BLK_H
#define LKVM_VIRTIO_BLK_H

#include "endian.h"
#include "virtio/limit.h"

struct disk;
struct disk_queue;
struct guest_memory;
struct inspector;
struct iothread;
struct trace;
struct virtio_blk;
struct virtio_device;

#define VIRTIO_BLK_QUEUE_SIZE_MIN 4	/* seg_max is the size less 2 */

/* What a failure of the host becomes (rerror=, werror=). */
enum virtio_blk_policy {
	VIRTIO_BLK_REPORT,	/* IOERR for the guest */
	VIRTIO_BLK_STOP,	/* the request is kept, and the guest paused */
	VIRTIO_BLK_IGNORE,	/* OK for the guest; unread data are zeroes */
	VIRTIO_BLK_ENOSPC,	/* without space, or quota, STOP; else REPORT */
};

struct virtio_blk_on_error {
	enum virtio_blk_policy read;
	enum virtio_blk_policy write;	/* and all else that changes the disk */
	/* For STOP, on an I/O thread; virtio_blk_retry() is the way back. */
	void (*pause)(void *ctx, const char *why);
	void *ctx;
};

struct virtio_blk_params {
	const char *name;		/* "vda" */
	const char *serial;		/* up to 20 bytes, GET_ID */
	unsigned int nqueues;
	u16 queue_size;			/* a power of two */
	bool packed;			/* the driver may choose packed rings */
	unsigned int nthreads;
	struct iothread **threads;	/* queue q runs on q modulo nthreads */
	u64 irq_delay_ns;		/* longest wait before an interrupt */
	bool irq_delay_auto;		/* the wait is learnt, up to irq_delay_ns */
	struct limit_params limits;
	struct virtio_blk_on_error on_error;
	struct trace *trace;		/* that records its requests, or NULL */
};

#define VIRTIO_BLK_LATENCIES 36		/* powers of two of ns: up to a minute */

/* Written by the owning I/O thread alone; others may read (read_once()). */
struct virtio_blk_stats {
	u64 reads;
	u64 writes;
	u64 flushes;
	u64 discards;
	u64 write_zeroes;
	u64 secure_erases;
	u64 others;		/* GET_ID and unknown types */
	u64 read_bytes;
	u64 written_bytes;
	u64 discarded_bytes;	/* erased securely, too */
	u64 zeroed_bytes;
	u64 errors;		/* completed with IOERR or UNSUPP */
	u64 kept;		/* failures that paused the guest */
	u64 ignored;		/* failures that it was not told of */
	u64 batches;		/* looks at the avail ring that found requests */
	u64 publications;	/* of the used index */
	u64 interrupts;		/* sent */
	u64 suppressed;		/* publications without one of their own */
	u64 kicks_suppressed;	/* batches that were found without a kick */
	u64 delayed;		/* interrupts that waited for more completions */
	u64 held;		/* batches for which more were waited for */
	u64 held_in_vain;	/* and fewer came */
	u64 throttled;		/* times that requests were left for a limit */
	u64 throttled_ns;	/* and how long */
	/* [i]: requests that took 2^i to 2^(i+1) ns, from pop to completion */
	u64 latency[VIRTIO_BLK_LATENCIES];
};

/* The configuration space, and the class of a PCI function. */
#define VIRTIO_BLK_CONFIG_LEN 72	/* 5.2.4, up to secure_erase */
#define VIRTIO_BLK_CLASS_CODE 0x018000	/* mass storage, other */

/* The threads must not run yet.  0 or -errno. */
int virtio_blk_new(struct virtio_blk **bp, const struct guest_memory *mem,
		   struct disk *disk, const struct virtio_blk_params *params);
/* The threads have stopped. */
void virtio_blk_free(struct virtio_blk *blk);

/* Try again what was kept.  Any thread but those of the device. */
void virtio_blk_retry(struct virtio_blk *blk);

/*
 * Main thread: no request reaches behind @bytes, a multiple of 512, from now on; the
 * guest is told nothing.  -EBUSY: some do, and all stays as it was.
 */
int virtio_blk_cut(struct virtio_blk *blk, u64 bytes);
/* Main thread: the guest is told that its disk has @bytes, which it must have. */
void virtio_blk_resize(struct virtio_blk *blk, u64 bytes);
/* Main thread: other limits, for what waits for the old ones, too. */
void virtio_blk_throttle(struct virtio_blk *blk,
			 const struct limit_params *params);
/* The state of queue @q, its ring and its thread; waits for the thread. */
void virtio_blk_inspect(struct virtio_blk *blk, unsigned int q,
			const struct inspector *to);

struct virtio_device *virtio_blk_device(struct virtio_blk *blk);
const struct virtio_blk_stats *virtio_blk_stats(const struct virtio_blk *blk,
						unsigned int q);
/* Wake-ups of queue @q's thread by a kick. */
u64 virtio_blk_kicks(const struct virtio_blk *blk, unsigned int q);
const struct disk_queue *virtio_blk_disk_queue(const struct virtio_blk *blk,
					       unsigned int q);
struct iothread *virtio_blk_thread(const struct virtio_blk *blk,
				   unsigned int q);

#endif
