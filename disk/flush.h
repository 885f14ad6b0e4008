/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flushes of a file, one at a time.  Linux tells that it has lost what it could
 * not write back to one fdatasync() of an open file, and then all is well: of two
 * at once one would succeed although it covers what is lost.  So what comes while
 * one is under way waits: if that fails, so does it; if not, all that wait share
 * the next one.  Private to the back ends.
 */
#ifndef LKVM_DISK_FLUSH_H
#define LKVM_DISK_FLUSH_H

#include "disk/aio_context.h"
#include "disk/disk.h"
#include "kvm/iothread.h"

struct flusher;

/* A place in the line; flush.c's. */
struct flush_turn {
	void (*wake)(struct flush_turn *turn);	/* any thread; then gone */
	int err;
	struct flush_turn *next;
};

/* A request under way, in memory that its queue has for each tag. */
struct flush_job {
	struct aio_call call;		/* these three: it is found from them */
	struct flush_turn turn;
	struct iothread_post post;
	struct flusher *flusher;
	struct aio_context *ctx;
	struct iothread *thread;
	struct disk_req *req;
};

/* For @fd, which is open.  0 or -ENOMEM, with a message that names @path. */
int flusher_new(struct flusher **fp, int fd, const char *path);
/* Nothing is under way.  NULL: there is none. */
void flusher_free(struct flusher *f);

/*
 * Carry out @req, by @job, which is free until then; then it is done, on
 * @thread, which calls this and has @ctx.  @f is NULL if there is nothing to flush.
 */
void flush_start(struct flusher *f, struct flush_job *job, struct disk_req *req,
		 struct aio_context *ctx, struct iothread *thread);
/* One that blocks; any thread but an I/O thread.  0 or -errno. */
int flush_now(struct flusher *f);

#endif
