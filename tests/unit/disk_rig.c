// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the disk tests drive a disk with: see disk_rig.h.  Requests are staged on
 * the I/O thread, by iothread_call(), as virtio-blk does; the test's own thread
 * waits for them on a condition variable.
 */
#include "disk_rig.h"
#include "memcheck.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RIG_TIMEOUT_S 20

struct disk *rig_open_engine(const struct disk_ops *ops, const char *path,
			     enum disk_engine engine)
{
	struct disk_params params = { .path = path, .lock = true,
				      .engine = engine };
	struct disk *disk;

	if (ops)
		ck_assert_int_eq(disk_open_with(ops, &disk, &params), 0);
	else
		ck_assert_int_eq(disk_open(&disk, &params), 0);
	return disk;
}

struct disk *rig_open(const struct disk_ops *ops, const char *path)
{
	return rig_open_engine(ops, path, DISK_ENGINE_AUTO);
}

void rig_init(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->idle, NULL);
	ck_assert_int_eq(iothread_new(&rig->thread, "test"), 0);
}

struct disk_queue *rig_add(struct rig *rig, struct disk *disk,
			   unsigned int depth)
{
	struct disk_queue *q;

	ck_assert_uint_lt(rig->nqueues, RIG_QUEUES);
	ck_assert_int_eq(disk_queue_new(disk, rig->thread, depth, &q), 0);
	rig->queues[rig->nqueues++] = q;
	return q;
}

void rig_start(struct rig *rig)
{
	ck_assert_int_eq(iothread_start(rig->thread), 0);
}

void rig_exit(struct rig *rig)
{
	iothread_stop(rig->thread);
	while (rig->nqueues)
		disk_queue_free(rig->queues[--rig->nqueues]);
	iothread_free(rig->thread);
	pthread_cond_destroy(&rig->idle);
	pthread_mutex_destroy(&rig->lock);
}

static void rig_done(struct disk_req *req, int err)
{
	struct rig_req *r = (struct rig_req *)req;
	struct rig *rig = r->rig;

	r->times++;
	r->err = err;
	/* The kernel tells in the ring, unseen by valgrind, what it has read. */
	if (req->op == DISK_READ)
		VALGRIND_MAKE_MEM_DEFINED(r->buf, r->room);
	if (r->restage) {
		r->restage--;
		disk_stage(r->queue, req);
		return;
	}
	pthread_mutex_lock(&rig->lock);
	if (!--rig->pending)
		pthread_cond_signal(&rig->idle);
	pthread_mutex_unlock(&rig->lock);
}

void rig_prepare(struct rig *rig, struct rig_req *r, unsigned int q, u16 tag,
		 enum disk_op op, u64 offset, void *buf, u64 len)
{
	*r = (struct rig_req){
		.req = {
			.op = op,
			.tag = tag,
			.niov = op == DISK_FLUSH ? 0 : 1,
			.offset = offset,
			.len = len,
			.done = rig_done,
		},
		.rig = rig,
		.queue = rig->queues[q],
		.iov = { { buf, len } },
		.buf = buf,
		.room = len,
	};
	r->req.iov = r->iov;
}

struct rig_batch {
	struct rig_req *reqs;
	unsigned int n;
};

static void rig_stage_batch(void *arg)
{
	struct rig_batch *b = arg;

	for (unsigned int i = 0; i < b->n; i++) {
		unsigned int times = b->reqs[i].times;

		disk_stage(b->reqs[i].queue, &b->reqs[i].req);
		ck_assert_uint_eq(b->reqs[i].times, times);
	}
}

void rig_stage(struct rig *rig, struct rig_req *reqs, unsigned int n)
{
	struct rig_batch b = { reqs, n };

	pthread_mutex_lock(&rig->lock);
	rig->pending += n;
	pthread_mutex_unlock(&rig->lock);
	iothread_call(rig->thread, rig_stage_batch, &b);
}

void rig_wait(struct rig *rig)
{
	struct timespec deadline;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += RIG_TIMEOUT_S;
	pthread_mutex_lock(&rig->lock);
	while (rig->pending && !err)
		err = pthread_cond_timedwait(&rig->idle, &rig->lock, &deadline);
	pthread_mutex_unlock(&rig->lock);
	ck_assert_msg(!err, "%u requests were never done", rig->pending);
}

int rig_io(struct rig *rig, enum disk_op op, u64 offset, void *buf, u64 len)
{
	struct rig_req r;

	rig_prepare(rig, &r, 0, 0, op, offset, buf, len);
	rig_stage(rig, &r, 1);
	rig_wait(rig);
	ck_assert_uint_eq(r.times, 1);
	return r.err;
}

void rig_file(char *path, size_t room, const char *dir, u64 size)
{
	int fd;

	snprintf(path, room, "%s/lkvm-test-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static bool rig_takes_direct(const char *dir)
{
	struct disk_params params = { .lock = true };
	struct rig_capture c;
	struct disk *disk;
	bool direct = false;
	char path[256];

	rig_file(path, sizeof(path), dir, 4096);
	params.path = path;
	rig_capture_start(&c);
	if (!disk_open(&disk, &params)) {
		direct = disk_info(disk)->direct;
		disk_close(disk);
	}
	rig_capture_end(&c);
	unlink(path);
	return direct;
}

const char *rig_direct_dir(void)
{
	const char *dirs[] = { getenv("TMPDIR"), "/tmp", "/var/tmp", "." };

	for (unsigned int i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (dirs[i] && !access(dirs[i], W_OK) &&
		    rig_takes_direct(dirs[i]))
			return dirs[i];
	return NULL;
}

/* Eight bytes a step: valgrind takes its time for each. */
void rig_fill(char *buf, size_t size, unsigned int seed)
{
	u64 x = seed * 0x9e3779b97f4a7c15ull + 1, z;

	for (size_t i = 0; i < size; i += sizeof(z)) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		z = x ^ x >> 32;	/* its low bits vary little */
		memcpy(buf + i, &z, size - i < sizeof(z) ? size - i : sizeof(z));
	}
}

char *rig_buffer(size_t size, unsigned int seed)
{
	char *buf = NULL;

	ck_assert_int_eq(posix_memalign((void **)&buf, 4096, size + 4096), 0);
	rig_fill(buf, size + 4096, seed);
	return buf;
}

void rig_capture_start(struct rig_capture *c)
{
	fflush(stderr);
	c->saved = dup(STDERR_FILENO);
	c->file = memfd_create("stderr", MFD_CLOEXEC);
	ck_assert(c->saved >= 0 && c->file >= 0);
	dup2(c->file, STDERR_FILENO);
}

void rig_capture_end(struct rig_capture *c)
{
	ssize_t n;

	dup2(c->saved, STDERR_FILENO);
	close(c->saved);
	n = pread(c->file, c->text, sizeof(c->text) - 1, 0);
	ck_assert_int_ge(n, 0);
	c->text[n] = '\0';
	close(c->file);
}

void rig_expect_strings(const struct rig_capture *c, const char *const *want)
{
	const char *end = strchr(c->text, '\n');

	ck_assert_msg(end && !end[1], "not one line: \"%s\"", c->text);
	for (; *want; want++)
		ck_assert_msg(strstr(c->text, *want), "no \"%s\" in: %s",
			      *want, c->text);
}
