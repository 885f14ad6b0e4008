/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Discards, zeroes and secure erasure of an image.  The host's calls for them
 * may take long, so a few workers of the disk make them, and the I/O thread
 * goes on.  Private to the back ends.
 */
#ifndef LKVM_DISK_ERASE_H
#define LKVM_DISK_ERASE_H

#include "disk/disk.h"
#include "kvm/iothread.h"

struct eraser;
struct flusher;
struct image;

/* A request under way, in memory that its queue has for each tag. */
struct erase_job {
	struct iothread_post post;	/* first: found from it */
	struct iothread *thread;
	struct disk_req *req;
	struct erase_job *next;
	bool cancelled;		/* a worker looks at it between pieces */
	int err;
};

/* Find out, without changing data, what @image can do: into @info. */
void erase_probe(const struct image *image, struct disk_info *info,
		 const struct disk_params *params);

/*
 * For an open image with that @info; @flusher is NULL if nothing is to be flushed.
 * 0 or -ENOMEM, with a message.
 */
int eraser_new(struct eraser **ep, const struct image *image,
	       const struct disk_info *info, struct flusher *flusher);
/* No job is under way. */
void eraser_free(struct eraser *e);

/*
 * Carry out @req, by @job, which is free until then; then it is done, on
 * @thread, which calls this.
 */
void erase_start(struct eraser *e, struct erase_job *job,
		 struct disk_req *req, struct iothread *thread);

/*
 * End those of the @n @jobs that are under way soon, with -ECANCELED if they are
 * not done.  Any thread; none of them may be started meanwhile.
 */
void erase_cancel(struct eraser *e, struct erase_job *jobs, unsigned int n);

#endif
