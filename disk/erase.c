// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards, zeroes and secure erasure of an image: what the host can do, the
 * calls for it, and the workers that make them.
 *
 * erase_probe(), eraser_new() and eraser_free() run at set-up and tear-down.
 * erase_start() runs on I/O threads, erase_cancel() on any; workers take jobs under the eraser's lock,
 * and post each to its I/O thread when it is over.  Reads, writes and flushes
 * never come here.
 */
#include "disk/erase.h"
#include "barrier.h"
#include "disk/aio_context.h"
#include "disk/backend.h"
#include "disk/flush.h"
#include "disk/image.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* What <sys/mount.h> lacks; <linux/fs.h> does not go with <sys/uio.h>. */
#ifndef BLKDISCARD
#define BLKDISCARD _IO(0x12, 119)
#endif
#ifndef BLKSECDISCARD
#define BLKSECDISCARD _IO(0x12, 125)
#endif

#define WORKERS_MAX 2
#define DISCARD_MAX (1u << 30)	/* the host holds the file meanwhile */
#define ZEROES_MAX (64u << 20)	/* they may have to be written, ... */
#define ZEROES_PIECE (256u << 10)	/* ... in such pieces */
#define ZEROES_ALIGN 4096u

struct eraser {
	const struct image *image;
	bool bdev;
	bool unmap;		/* zeroing may give space back */
	struct flusher *flusher;
	u32 block;		/* of a block device */

	pthread_mutex_t lock;
	pthread_cond_t work;
	/* Under the lock. */
	struct erase_job *first, **last;
	unsigned int idle;	/* workers that wait for work */
	unsigned int nworkers;
	pthread_t workers[WORKERS_MAX];
	bool stop;
};

/* --- what the host can do ------------------------------------------------ */

/* An attribute of the block device's queue; a partition's is its disk's. */
static u64 erase_queue_limit(dev_t dev, const char *name)
{
	char dir[64], path[128];

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u/queue", major(dev),
		 minor(dev));
	if (access(dir, F_OK))
		snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u/../queue",
			 major(dev), minor(dev));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return aio_sysctl(path);
}

/*
 * A device that knows this kind of discard looks at the range, and refuses this
 * one: it begins inside of a sector.
 */
static bool erase_bdev_knows(int fd, unsigned long request)
{
	u64 range[2] = { 1, 0 };

	return ioctl(fd, request, range) < 0 && errno == EINVAL;
}

static void erase_probe_bdev(const struct image *image, dev_t dev,
			     struct disk_info *info)
{
	u64 max = erase_queue_limit(dev, "discard_max_bytes");
	u64 granularity = erase_queue_limit(dev, "discard_granularity");

	max -= max % info->block_size;
	if (granularity > info->block_size && granularity <= DISCARD_MAX &&
	    !(granularity % info->block_size))
		info->discard_align = (u32)granularity;
	if (erase_bdev_knows(image->fd, BLKDISCARD))
		info->discard_max = max && max < DISCARD_MAX ? max : DISCARD_MAX;
	if (erase_bdev_knows(image->fd, BLKSECDISCARD))
		info->secure_erase_max = DISCARD_MAX;
	info->zeroes_unmap = erase_queue_limit(dev, "write_zeroes_max_bytes");
}

/* A hole behind the end: no data is there to be lost. */
static void erase_probe_file(const struct image *image, struct disk_info *info)
{
	if (fallocate(image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)info->size, info->block_size))
		return;
	info->discard_max = DISCARD_MAX;
	info->discard_align = info->physical_size;
	info->zeroes_unmap = true;
}

void erase_probe(const struct image *image, struct disk_info *info,
		 const struct disk_params *params)
{
	struct stat st;

	if (info->readonly)
		return;
	info->zeroes_max = ZEROES_MAX;	/* written if need be */
	info->discard_align = info->block_size;
	if (!params->discard || fstat(image->fd, &st))
		return;
	if (S_ISBLK(st.st_mode))
		erase_probe_bdev(image, st.st_rdev, info);
	else
		erase_probe_file(image, info);
}

/* --- the host's calls, on workers ---------------------------------------- */

static int erase_fallocate(const struct eraser *e, int mode,
			   const struct disk_req *req)
{
	int ret;

	do {
		ret = fallocate(e->image->fd, mode | FALLOC_FL_KEEP_SIZE,
				(off_t)req->offset, (off_t)req->len);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* Of a block device the whole blocks in the range. */
static int erase_ioctl(const struct eraser *e, unsigned long request,
		       const struct disk_req *req)
{
	u64 mask = e->block - 1, start = (req->offset + mask) & ~mask;
	u64 end = (req->offset + req->len) & ~mask;
	u64 range[2] = { start, end - start };

	if (start >= end)
		return 0;
	return ioctl(e->image->fd, request, range) ? -errno : 0;
}

/* The host knows no such call, for this image or this range of it. */
static bool erase_refused(int err)
{
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENOSYS ||
	       err == -ENODEV || err == -ENOTTY;
}

/*
 * Offered only if the host can; should it refuse all the same, that is no
 * failure: a discard is a hint.
 */
static int erase_discard(const struct eraser *e, const struct disk_req *req)
{
	int err = e->bdev ? erase_ioctl(e, BLKDISCARD, req) :
			    erase_fallocate(e, FALLOC_FL_PUNCH_HOLE, req);

	return erase_refused(err) ? 0 : err;
}

/* A piece, past the page cache if it is made of whole blocks. */
static ssize_t erase_write_piece(const struct image *image, const void *zeroes,
				 u64 offset, u64 left)
{
	u64 mask = image->offset_align - 1;
	u64 len = left < ZEROES_PIECE ? left : ZEROES_PIECE;
	int fd = (offset | len) & mask ? image->buffered_fd : image->fd;

	return pwrite(fd, zeroes, len, (off_t)offset);
}

static int erase_by_writing(const struct image *image,
			    const struct erase_job *job)
{
	const struct disk_req *req = job->req;
	u64 offset = req->offset, end = req->offset + req->len;
	size_t align = image->mem_align;
	void *zeroes;
	ssize_t n = 1;

	if (align < ZEROES_ALIGN)
		align = ZEROES_ALIGN;
	if (posix_memalign(&zeroes, align, ZEROES_PIECE))
		return -ENOMEM;
	memset(zeroes, 0, ZEROES_PIECE);
	while (offset < end && n && !read_once(&job->cancelled)) {
		n = erase_write_piece(image, zeroes, offset, end - offset);
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0)
			offset += (u64)n;
	}
	n = n < 0 ? -errno : n ? 0 : -ENOSPC;
	if (!n && offset < end)
		n = -ECANCELED;
	free(zeroes);
	return (int)n;
}

/* In a block device, too, these modes zero for sure; a hole may unmap. */
static int erase_zero(const struct eraser *e, const struct erase_job *job)
{
	const struct disk_req *req = job->req;
	int err = -EOPNOTSUPP;

	if (req->unmap && e->unmap)
		err = erase_fallocate(e, FALLOC_FL_PUNCH_HOLE, req);
	if (erase_refused(err))
		err = erase_fallocate(e, FALLOC_FL_ZERO_RANGE, req);
	if (erase_refused(err))
		err = erase_by_writing(e->image, job);
	if (!err && req->durable && e->flusher)
		err = flush_now(e->flusher);
	return err;
}

/* What is to be gone for sure is in whole blocks, or is refused. */
static int erase_securely(const struct eraser *e, const struct disk_req *req)
{
	if ((req->offset | req->len) & (e->block - 1))
		return -EINVAL;
	return erase_ioctl(e, BLKSECDISCARD, req);
}

static int erase_carry_out(const struct eraser *e, const struct erase_job *job)
{
	const struct disk_req *req = job->req;

	switch (req->op) {
	case DISK_DISCARD:
		return erase_discard(e, req);
	case DISK_WRITE_ZEROES:
		return erase_zero(e, job);
	default:
		return erase_securely(e, req);
	}
}

/* --- workers ------------------------------------------------------------- */

/* Lock held.  The next job, or NULL: end. */
static struct erase_job *eraser_take(struct eraser *e)
{
	struct erase_job *job;

	while (!e->first && !e->stop) {
		e->idle++;
		pthread_cond_wait(&e->work, &e->lock);
		e->idle--;
	}
	job = e->first;
	if (job) {
		e->first = job->next;
		if (!e->first)
			e->last = &e->first;
	}
	return job;
}

static void *eraser_main(void *arg)
{
	struct eraser *e = arg;
	struct erase_job *job;

	pthread_setname_np(pthread_self(), "lkvm/eraser");
	pthread_mutex_lock(&e->lock);
	while ((job = eraser_take(e))) {
		pthread_mutex_unlock(&e->lock);
		job->err = erase_carry_out(e, job);
		iothread_post(job->thread, &job->post);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Lock held.  One more, if all are busy.  0, or -errno if there is none at all. */
static int eraser_hire(struct eraser *e)
{
	int err;

	if (e->idle || e->nworkers == WORKERS_MAX)
		return 0;
	err = pthread_create(&e->workers[e->nworkers], NULL, eraser_main, e);
	if (!err)
		e->nworkers++;
	return e->nworkers ? 0 : -err;
}

/* On the job's I/O thread. */
static void erase_over(struct iothread_post *post)
{
	struct erase_job *job = (struct erase_job *)post;
	struct disk_req *req = job->req;

	job->req = NULL;	/* before done(), which may stage it again */
	disk_done(req, job->err);
}

void erase_start(struct eraser *e, struct erase_job *job, struct disk_req *req,
		 struct iothread *thread)
{
	int err;

	assert(!job->req);
	*job = (struct erase_job){
		.post.fn = erase_over,
		.thread = thread,
		.req = req,
	};
	pthread_mutex_lock(&e->lock);
	err = eraser_hire(e);
	if (!err) {
		*e->last = job;
		e->last = &job->next;
		pthread_cond_signal(&e->work);
	}
	pthread_mutex_unlock(&e->lock);
	if (err) {
		job->err = err;
		iothread_post(thread, &job->post);
	}
}

void erase_cancel(struct eraser *e, struct erase_job *jobs, unsigned int n)
{
	struct erase_job **link = &e->first, *job;

	pthread_mutex_lock(&e->lock);
	while ((job = *link)) {
		if (job < jobs || job >= jobs + n) {
			link = &job->next;
			continue;
		}
		*link = job->next;
		job->err = -ECANCELED;
		iothread_post(job->thread, &job->post);
	}
	e->last = link;
	for (unsigned int i = 0; i < n; i++)
		write_once(&jobs[i].cancelled, true);
	pthread_mutex_unlock(&e->lock);
}

/* --- set-up and tear-down ------------------------------------------------ */

int eraser_new(struct eraser **ep, const struct image *image,
	       const struct disk_info *info, struct flusher *flusher)
{
	struct eraser *e = calloc(1, sizeof(*e));
	int block = 0;

	if (!e) {
		log_error("--disk %s: out of memory", image->path);
		return -ENOMEM;
	}
	e->image = image;
	e->bdev = !ioctl(image->fd, BLKSSZGET, &block);
	e->unmap = info->zeroes_unmap;
	e->flusher = flusher;
	e->block = (u32)block;
	e->last = &e->first;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	*ep = e;
	return 0;
}

void eraser_free(struct eraser *e)
{
	pthread_mutex_lock(&e->lock);
	assert(!e->first);
	e->stop = true;
	pthread_cond_broadcast(&e->work);
	pthread_mutex_unlock(&e->lock);
	while (e->nworkers)
		pthread_join(e->workers[--e->nworkers], NULL);
	pthread_cond_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	free(e);
}
