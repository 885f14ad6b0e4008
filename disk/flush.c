// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flushes of a file, one at a time: see flush.h.
 *
 * flush_start() and what completes run on I/O threads, flush_now() on vCPU threads
 * and on the eraser's workers.  The lock is for flushes alone, and for moments: no
 * system call is made under it, nor anybody woken.
 */
#include "disk/flush.h"
#include "disk/backend.h"
#include "log.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_LEAD 1	/* instead of a result: sync the file now, for all that share it */

struct flusher {
	int fd;
	pthread_mutex_t lock;
	/* Under the lock. */
	bool busy;		/* one is under way */
	struct flush_turn *sharing;	/* it is theirs, too */
	struct flush_turn *waiting;	/* for the next one */
};

/* --- whose turn it is ---------------------------------------------------- */

/* True: the caller is to sync the file now.  False: it will be woken. */
static bool flush_begin(struct flusher *f, struct flush_turn *turn)
{
	bool leads;

	pthread_mutex_lock(&f->lock);
	leads = !f->busy;
	f->busy = true;
	if (!leads) {
		turn->next = f->waiting;
		f->waiting = turn;
	}
	pthread_mutex_unlock(&f->lock);
	return leads;
}

static void flush_wake(struct flush_turn *turn, int err)
{
	struct flush_turn *next;

	for (; turn; turn = next) {
		next = turn->next;
		turn->err = err;
		turn->wake(turn);
	}
}

/* The one under way ended with @err. */
static void flush_end(struct flusher *f, int err)
{
	struct flush_turn *shared, *waited;

	pthread_mutex_lock(&f->lock);
	shared = f->sharing;
	waited = f->waiting;
	f->waiting = NULL;
	f->busy = waited && !err;
	f->sharing = f->busy ? waited->next : NULL;
	if (f->busy)
		waited->next = NULL;
	pthread_mutex_unlock(&f->lock);
	flush_wake(shared, err);
	flush_wake(waited, err ? err : FLUSH_LEAD);
}

/* --- of a request -------------------------------------------------------- */

static void flush_done(struct flush_job *job, int err)
{
	struct disk_req *req = job->req;

	job->req = NULL;	/* before done(), which may stage it again */
	disk_done(req, err);
}

static void flush_ignored(struct aio_call *call, long res)
{
	flush_done((struct flush_job *)call, (int)res);
}

static void flush_complete(struct aio_call *call, long res)
{
	struct flush_job *job = (struct flush_job *)call;
	int err = (int)res;

	/*
	 * No asynchronous fsync (before Linux 4.18, some file systems): a flush
	 * that blocks the thread is still better than none.
	 */
	if (err == -EINVAL)
		err = fdatasync(job->flusher->fd) ? -errno : 0;
	flush_end(job->flusher, err);
	flush_done(job, err);
}

static void flush_lead(struct flush_job *job)
{
	struct iocb *iocb = &job->call.iocb;

	iocb->aio_lio_opcode = IO_CMD_FDSYNC;
	iocb->aio_fildes = job->flusher->fd;
	aio_call_stage(job->ctx, &job->call, true);
}

/* On the job's I/O thread. */
static void flush_woken(struct iothread_post *post)
{
	struct flush_job *job = (struct flush_job *)((char *)post -
					offsetof(struct flush_job, post));

	if (job->turn.err == FLUSH_LEAD)
		flush_lead(job);
	else
		flush_done(job, job->turn.err);
}

static void flush_post(struct flush_turn *turn)
{
	struct flush_job *job = (struct flush_job *)((char *)turn -
					offsetof(struct flush_job, turn));

	iothread_post(job->thread, &job->post);
}

void flush_start(struct flusher *f, struct flush_job *job, struct disk_req *req,
		 struct aio_context *ctx, struct iothread *thread)
{
	assert(!job->req);
	*job = (struct flush_job){
		.turn.wake = flush_post,
		.post.fn = flush_woken,
		.flusher = f,
		.ctx = ctx,
		.thread = thread,
		.req = req,
	};
	aio_call_init(ctx, &job->call, f ? flush_complete : flush_ignored);
	if (!f)
		aio_call_defer(ctx, &job->call, 0);
	else if (flush_begin(f, &job->turn))
		flush_lead(job);
}

/* --- of a thread that waits ---------------------------------------------- */

struct flush_wait {
	struct flush_turn turn;	/* first: found from it */
	sem_t woken;
};

static void flush_unblock(struct flush_turn *turn)
{
	sem_post(&((struct flush_wait *)turn)->woken);
}

int flush_now(struct flusher *f)
{
	struct flush_wait wait = {
		.turn = { .wake = flush_unblock, .err = FLUSH_LEAD },
	};
	int err;

	sem_init(&wait.woken, 0, 0);
	if (!flush_begin(f, &wait.turn))
		while (sem_wait(&wait.woken))	/* EINTR: the vCPU is kicked */
			;
	sem_destroy(&wait.woken);
	if (wait.turn.err != FLUSH_LEAD)
		return wait.turn.err;
	err = fdatasync(f->fd) ? -errno : 0;
	flush_end(f, err);
	return err;
}

/* --- set-up and tear-down ------------------------------------------------ */

int flusher_new(struct flusher **fp, int fd, const char *path)
{
	struct flusher *f = calloc(1, sizeof(*f));

	if (!f) {
		log_error("--disk %s: out of memory", path);
		return -ENOMEM;
	}
	f->fd = fd;
	pthread_mutex_init(&f->lock, NULL);
	*fp = f;
	return 0;
}

void flusher_free(struct flusher *f)
{
	if (!f)
		return;
	assert(!f->busy);
	pthread_mutex_destroy(&f->lock);
	free(f);
}
