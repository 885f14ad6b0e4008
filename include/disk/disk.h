/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * THE seam between a block device and the host file behind it.
 *
 * A disk is opened once, by any thread.  Each virtqueue has a disk_queue of its
 * own, which belongs to one I/O thread: disk_stage() is called on that thread,
 * and req->done() runs on it, exactly once per staged request, inside a later
 * run or flush of that thread's turn (kvm/iothread.h), never inside
 * disk_stage() itself.  Staging only prepares: everything that the queues of
 * one thread staged in a turn is submitted together at the end of the turn,
 * adjacent reads or writes of a queue as one.
 */
#ifndef LKVM_DISK_DISK_H
#define LKVM_DISK_DISK_H

#include "endian.h"
#include <sys/uio.h>

struct disk;
struct disk_queue;
struct iothread;

enum disk_op {
	DISK_READ,
	DISK_WRITE,
	DISK_FLUSH,	/* covers all that was done before it is staged */
	/* Of a range, without buffers; only what disk_info offers. */
	DISK_DISCARD,	/* what it holds is of no use any more */
	DISK_WRITE_ZEROES,
	DISK_SECURE_ERASE, /* -EOPNOTSUPP: the host cannot, after all */
};

/* How I/O on a file reaches the kernel. */
enum disk_engine {
	DISK_ENGINE_AUTO,	/* native with O_DIRECT or tmpfs, else threads */
	DISK_ENGINE_NATIVE,	/* Linux AIO */
	DISK_ENGINE_IO_URING,	/* refused by the kernel: native, with a message */
	DISK_ENGINE_THREADS,	/* a pool: for files in the page cache */
};

/* What the guest may rely on, and whether the host's page cache is used. */
enum disk_cache {
	DISK_CACHE_NONE,	/* O_DIRECT; durable after a flush */
	DISK_CACHE_WRITEBACK,	/* durable after a flush */
	DISK_CACHE_WRITETHROUGH, /* durable when written */
	DISK_CACHE_DIRECTSYNC,	/* O_DIRECT; durable when written */
	DISK_CACHE_UNSAFE,	/* never durable: flushes are ignored */
};

struct disk_req {
	enum disk_op op;
	u16 tag;		/* below the queue's depth, unique in flight */
	bool durable;		/* what is written is on the medium when done */
	bool unmap;		/* zeroing may give the space back */
	u32 niov;
	u64 offset;		/* bytes, multiple of 512; offset + len <= size */
	u64 len;		/* bytes, multiple of 512, sum of iov */
	/*
	 * The disk cuts off its front what it transferred.  What is left of a
	 * request that failed may be staged again, whole sectors or not.
	 */
	struct iovec *iov;	/* the disk may use what is behind it ... */
	struct iovec *iov_end;	/* ... up to here */
	struct disk_req *merged; /* the disk's: the next that goes with it ... */
	struct disk_queue *queue; /* ... and where */
	/* @err: 0 or a negative errno. */
	void (*done)(struct disk_req *req, int err);
};

struct disk_params {
	const char *path;	/* raw image, block device, or null:SIZE */
	bool readonly;
	bool lock;		/* OFD lock: exclusive, shared if readonly */
	bool merge;		/* adjacent requests become one */
	bool raw;		/* whatever it begins with */
	bool discard;		/* space may be given back */
	u32 block_size;		/* for the guest: 512, 4096, or 0: the host's */
	unsigned int batch;	/* most requests of one submission; 0: no limit */
	/*
	 * Where the buffers of most requests are, if that is known.  An engine may
	 * pin it: the pages stay what they are while the disk is open.
	 */
	struct iovec memory;
	enum disk_engine engine;
	enum disk_cache cache;
};

/* What the guest may be told; read from the host at open, never assumed. */
struct disk_info {
	u64 size;		/* bytes, multiple of 512 */
	u32 block_size;		/* bytes that can be written alone: 512..4096 */
	u32 physical_size;	/* bytes that are written without read; >= block_size */
	u32 optimal_size;	/* bytes of a good transfer, 0: unknown */
	/* The longest discard and so on, in bytes; 0: not offered. */
	u64 discard_max;
	u64 zeroes_max;
	u64 secure_erase_max;
	u32 discard_align;	/* what is smaller the host may keep */
	bool zeroes_unmap;	/* zeroing can give space back */
	bool readonly;
	bool direct;		/* O_DIRECT: the host's page cache is bypassed */
	bool write_cache;	/* the guest is to flush, unless it says otherwise */
	const char *cache;	/* "writeback", as in cache= */
	const char *backend;	/* "aio", "null" */
	const char *engine;	/* "native", "io_uring", "threads"; NULL: none */
	const char *engine_why;	/* why this one, for --verbose */
};

/* Written by the owning I/O thread alone; others may read (read_once()). */
struct disk_thread_stats {
	u64 submits;		/* io_submit calls, or what the engine has for it */
	u64 submitted;		/* requests they carried */
	u64 reaps;		/* looks at the completion ring that found any */
	u64 reaped;		/* completions they found */
	u64 bounced;		/* requests copied because memory was misaligned */
	u64 buffered;		/* requests below the disk's alignment */
	u64 continued;		/* short transfers continued */
	u64 retried;		/* submits the kernel put off with EAGAIN */
};

/* 0 or -errno, with one message that names the path and the remedy. */
int disk_open(struct disk **dp, const struct disk_params *params);
void disk_close(struct disk *disk);
const struct disk_info *disk_info(const struct disk *disk);
/*
 * All that was done is on the medium when it returns, but with cache=unsafe.
 * Blocks; any thread but an I/O thread.  0 or -errno, without a message.
 */
int disk_sync(struct disk *disk);

/*
 * For a disk that changes its size; main thread.  The size that the host has by now,
 * and whether it can be set (a file's), 0 or -errno, without a message.
 */
int disk_host_size(const struct disk *disk, u64 *size, bool *settable);
/*
 * Have the disk be of @size, a multiple of its blocks, and the host's file, too: no
 * request may be under way behind it.  0 or -errno, without a message.
 */
int disk_set_size(struct disk *disk, u64 size);

/*
 * A queue for up to @depth requests in flight, served by @thread, which must
 * not run yet.  0 or -errno.
 */
int disk_queue_new(struct disk *disk, struct iothread *thread,
		   unsigned int depth, struct disk_queue **qp);
/* Nothing may be in flight, and the thread must have stopped. */
void disk_queue_free(struct disk_queue *q);

void disk_stage(struct disk_queue *q, struct disk_req *req);
/*
 * No more will be staged in this turn: what waited to be merged goes to the
 * back end.  Called on the I/O thread between its take and its flush.
 */
void disk_unplug(struct disk_queue *q);
/*
 * Of what is under way, that which may take long ends soon, with -ECANCELED if it
 * is not done.  Any thread; nothing may be staged meanwhile.
 */
void disk_cancel(struct disk_queue *q);
/* Requests of @q that went along with another one. */
u64 disk_queue_merged(const struct disk_queue *q);

/* What the back end did on the thread that serves @q; NULL if it counts nothing. */
const struct disk_thread_stats *disk_thread_stats(const struct disk_queue *q);

#endif
