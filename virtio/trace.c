// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recording requests: see virtio/trace.h.
 *
 * A ring has one producer, its queue's I/O thread, and one consumer, the writer.
 * The producer shows its records once a batch, and looks for the consumer only when
 * the ring seems full.  The writer wakes up by time alone, so that nobody has to
 * tell it anything.
 */
#include "virtio/trace.h"
#include "barrier.h"
#include "log.h"
#include "output.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WRITE_EVERY_MS 10	/* a ring lasts for six million records a second */
#define TRACE_RING_SIZE (TRACE_RING * sizeof(struct trace_record))

struct trace {
	const char *path;
	int fd;
	bool created;		/* by us; away with it unless the guest runs */
	int stop_fd;		/* wakes the writer to its end */
	pthread_t writer;
	bool started;
	struct trace_queue *queues;
	u32 nqueues;
};

/* --- the producer's side ------------------------------------------------- */

bool trace_room(struct trace_queue *q)
{
	/* Pairs with the writer's store: it has read what is overwritten now. */
	q->limit = load_acquire(&q->tail) + TRACE_RING;
	if (q->head != q->limit)
		return true;
	counter_add(&q->dropped, 1);
	return false;
}

static void trace_show(struct trace_queue *q)
{
	store_release(&q->shown, q->head);
}

void trace_popped(struct trace_queue *q, u64 now, unsigned int n)
{
	q->popped = now;
	q->npopped = n;
}

void trace_submit(struct trace_queue *q, u64 now)
{
	trace_add_record(q, (struct trace_record){ .ns = now,
						    .popped = q->popped,
						    .count = q->npopped,
						    .kind = TRACE_BATCH });
	q->popped = 0;
	trace_show(q);
}

void trace_publish(struct trace_queue *q, u64 now, unsigned int n)
{
	trace_add_record(q, (struct trace_record){ .ns = now,
						    .count = n,
						    .kind = TRACE_PUBLISH });
	trace_show(q);
}

void trace_interrupt(struct trace_queue *q, u64 now, bool sent)
{
	trace_add_record(q, (struct trace_record){ .ns = now,
						    .kind = TRACE_INTERRUPT,
						    .status = sent });
	trace_show(q);
}

/* --- the writer ---------------------------------------------------------- */

/* All of it.  0 or -errno. */
static int trace_write(const struct trace *t, struct iovec *iov, int n)
{
	while (n) {
		ssize_t done = writev(t->fd, iov, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		while (n && done >= (ssize_t)iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			n--;
		}
		if (n && done > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/* What the queue shows, as a chunk. */
static int trace_write_queue(const struct trace *t, struct trace_queue *q)
{
	u64 tail = q->tail, n = load_acquire(&q->shown) - tail;
	u64 dropped = read_once(&q->dropped);
	u64 first = tail % TRACE_RING;
	u64 straight = n < TRACE_RING - first ? n : TRACE_RING - first;
	struct trace_chunk chunk = { .lane = q->index,
				     .n = (u32)n,
				     .dropped = dropped - q->dropped_told };
	struct iovec iov[] = {
		{ &chunk, sizeof(chunk) },
		{ q->records + first, straight * sizeof(*q->records) },
		{ q->records, (n - straight) * sizeof(*q->records) },
	};
	int err;

	if (!n && !chunk.dropped)
		return 0;
	err = trace_write(t, iov, 3);
	if (err)
		return err;
	q->dropped_told = dropped;
	store_release(&q->tail, tail + n);
	return 0;
}

static int trace_write_all(const struct trace *t)
{
	int err = 0;

	for (struct trace_queue *q = t->queues; q && !err; q = q->next)
		err = trace_write_queue(t, q);
	return err;
}

static int trace_write_end(const struct trace *t)
{
	struct trace_chunk end = { .lane = TRACE_END };
	struct iovec iov = { &end, sizeof(end) };

	return trace_write(t, &iov, 1);
}

/* Up to the end, or to an error: then the rings fill up, and that is all. */
static void *trace_main(void *arg)
{
	struct trace *t = arg;
	struct pollfd stop = { .fd = t->stop_fd, .events = POLLIN };
	int err;

	pthread_setname_np(pthread_self(), "lkvm/trace");
	do {
		poll(&stop, 1, WRITE_EVERY_MS);
		err = trace_write_all(t);
	} while (!err && !stop.revents);
	if (!err)
		err = trace_write_end(t);
	if (err)
		log_error("--trace %s: cannot be written: %s; the guest goes on, the trace ends here: make room, or trace to another place",
			  t->path, strerror(-err));
	return NULL;
}

/* --- set-up and tear-down ------------------------------------------------ */

static u64 trace_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

/*
 * A slip of the hand shall not cost a disk or its image; and a pipe that nobody
 * reads would hold up the writer, and so the end of the guest.
 */
static int trace_check_file(const struct trace *t)
{
	char magic[sizeof(TRACE_MAGIC) - 1];
	struct stat st;
	ssize_t n;

	if (fstat(t->fd, &st) || !S_ISREG(st.st_mode)) {
		log_error("--trace %s: a device or a pipe; give a regular file",
			  t->path);
		return -EINVAL;
	}
	n = read(t->fd, magic, sizeof(magic));
	if (n <= 0 || (n == sizeof(magic) &&
		       !memcmp(magic, TRACE_MAGIC, sizeof(magic))))
		return 0;
	log_error("--trace %s: there is a file that is no trace; give a new name, or remove it",
		  t->path);
	return -EEXIST;
}

/* Two writers would tear each other's records. */
static int trace_lock(const struct trace *t)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(t->fd, F_OFD_SETLK, &lock) ||
	    (errno != EAGAIN && errno != EACCES))	/* no locks there: go on */
		return 0;
	log_error("--trace %s: another guest writes it; give another file",
		  t->path);
	return -EBUSY;
}

int trace_open(struct trace **tp, const char *path)
{
	struct trace *t = calloc(1, sizeof(*t));
	int err = 0;

	if (!t)
		return log_no_memory();
	t->path = path;
	t->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (t->stop_fd < 0)
		t->stop_fd = -errno;
	/* Only for what trace_check_file() refuses is it not to block. */
	t->fd = output_open(path, O_RDWR | O_NONBLOCK | O_NOCTTY, &t->created);
	if (t->fd < 0 || t->stop_fd < 0) {
		err = t->fd < 0 ? t->fd : t->stop_fd;
		log_error("--trace %s: %s; give a regular file that can be written",
			  path, strerror(-err));
	}
	if (!err)
		err = trace_check_file(t);
	if (!err)
		err = trace_lock(t);
	if (err) {
		trace_close(t);
		return err;
	}
	*tp = t;
	return 0;
}

/* Its pages are there from now on: the I/O thread shall not fault on them.  Or NULL. */
static struct trace_record *trace_ring_new(void)
{
	void *ring = mmap(NULL, TRACE_RING_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return ring == MAP_FAILED ? NULL : ring;
}

int trace_add(struct trace *t, const char *disk, unsigned int queue,
	      unsigned int depth, struct trace_queue **qp)
{
	struct trace_queue *q = aligned_alloc(128, sizeof(*q));
	struct trace_queue **end = &t->queues;

	assert(!t->started);
	if (!q)
		return log_no_memory();
	*q = (struct trace_queue){
		.records = trace_ring_new(),
		.limit = TRACE_RING,
		.index = t->nqueues,
		.lane = { .queue = queue, .depth = depth },
	};
	if (!q->records) {
		free(q);
		return log_no_memory();
	}
	snprintf(q->lane.disk, sizeof(q->lane.disk), "%s", disk);
	while (*end)
		end = &(*end)->next;
	*end = q;
	t->nqueues++;
	*qp = q;
	return 0;
}

static int trace_write_head(const struct trace *t)
{
	struct trace_header header = {
		.byte_order = TRACE_BYTE_ORDER,
		.version = TRACE_VERSION,
		.begin = trace_clock(CLOCK_MONOTONIC),
		.wall = trace_clock(CLOCK_REALTIME),
		.nlanes = t->nqueues,
	};
	struct iovec iov = { &header, sizeof(header) };
	int err;

	memcpy(header.magic, TRACE_MAGIC, sizeof(header.magic));
	if (lseek(t->fd, 0, SEEK_SET) < 0 || ftruncate(t->fd, 0) < 0)
		return -errno;
	err = trace_write(t, &iov, 1);
	for (struct trace_queue *q = t->queues; q && !err; q = q->next) {
		iov = (struct iovec){ &q->lane, sizeof(q->lane) };
		err = trace_write(t, &iov, 1);
	}
	return err;
}

int trace_start(struct trace *t)
{
	int err = trace_write_head(t);

	if (!err)
		err = -pthread_create(&t->writer, NULL, trace_main, t);
	if (err)
		log_error("--trace %s: cannot begin: %s; make room, or leave it out",
			  t->path, strerror(-err));
	t->started = !err;
	return err;
}

void trace_stop(struct trace *t)
{
	if (!t->started)
		return;
	eventfd_write(t->stop_fd, 1);
	pthread_join(t->writer, NULL);
	t->started = false;
}

void trace_close(struct trace *t)
{
	struct trace_queue *next;

	assert(!t->started);
	for (struct trace_queue *q = t->queues; q; q = next) {
		next = q->next;
		munmap(q->records, TRACE_RING_SIZE);
		free(q);
	}
	if (t->created)
		output_remove(t->fd, t->path);
	if (t->fd >= 0)
		close(t->fd);
	if (t->stop_fd >= 0)
		close(t->stop_fd);
	free(t);
}
