// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device is compared with: a loop that has nothing to do but the same
 * I/O.  Each thread keeps as many random reads in flight as all queues of an
 * I/O thread together: waits for one, takes all that are there, submits as many.
 */
#include "bench/ring.h"
#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 4096

struct bare {
	const struct ring_run *run;
	pthread_t thread;
	unsigned int index;
	unsigned int depth;
	bool direct;
	int fd;
	u64 blocks;
	u64 random;
	u64 requests;
	io_context_t ctx;
	struct iocb *iocbs;
	char *data;
	struct ring_sample from, to;
};

static void bare_open(struct bare *b)
{
	struct stat st;

	b->direct = true;
	b->fd = open(b->run->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (b->fd < 0) {
		b->direct = false;
		b->fd = open(b->run->path, O_RDONLY | O_CLOEXEC);
	}
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		ring_die("%s: %s", b->run->path, strerror(errno));
	b->blocks = (u64)st.st_size / RING_BLOCK;
	b->random = b->index;
	b->depth = b->run->depth * b->run->queues / b->run->threads;
	b->iocbs = calloc(b->depth, sizeof(*b->iocbs));
	b->data = aligned_alloc(RING_BLOCK, (size_t)b->depth * RING_BLOCK);
	if (!b->iocbs || !b->data || b->depth > DEPTH_MAX)
		ring_die("no memory for depth %u", b->depth);
	memset(b->data, 0, (size_t)b->depth * RING_BLOCK);
	if (io_setup((int)b->depth, &b->ctx) < 0)
		ring_die("io_setup for %u requests failed; raise fs.aio-max-nr",
			 b->depth);
}

static void bare_close(struct bare *b)
{
	io_destroy(b->ctx);
	free(b->iocbs);
	free(b->data);
	close(b->fd);
}

static void bare_submit(struct bare *b, struct iocb **iocbs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		u64 block = ring_random(&b->random) * b->blocks >> 32;

		io_prep_pread(iocbs[i], b->fd,
			      b->data + (iocbs[i] - b->iocbs) * RING_BLOCK,
			      RING_BLOCK, (long long)(block * RING_BLOCK));
	}
	while (n) {
		int done = io_submit(b->ctx, n, iocbs);

		if (done <= 0)
			ring_die("io_submit: %s", strerror(-done));
		iocbs += done;
		n -= (unsigned int)done;
	}
}

/* Returns how many were complete; puts as many in their place if @refill. */
static unsigned int bare_turn(struct bare *b, bool refill)
{
	struct io_event events[DEPTH_MAX];
	struct iocb *iocbs[DEPTH_MAX];
	int n = io_getevents(b->ctx, 1, b->depth, events, NULL);

	if (n <= 0)
		ring_die("io_getevents: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		if (events[i].res != RING_BLOCK)
			ring_die("a read failed: %ld", (long)events[i].res);
		iocbs[i] = events[i].obj;
	}
	if (refill)
		bare_submit(b, iocbs, (unsigned int)n);
	b->requests += (unsigned int)n;
	return (unsigned int)n;
}

static void bare_sample(struct bare *b, struct ring_sample *s)
{
	ring_sample_thread(s);
	s->requests = b->requests;
	s->batches = s->counts.submits;
}

static void bare_loop(struct bare *b, u64 end, u64 count)
{
	u64 last = b->requests + count;

	while (count ? b->requests < last : ring_now() < end)
		bare_turn(b, true);
}

static void *bare_main(void *arg)
{
	struct bare *b = arg;
	struct iocb *all[DEPTH_MAX];

	for (unsigned int i = 0; i < b->depth; i++)
		all[i] = &b->iocbs[i];
	bare_submit(b, all, b->depth);
	bare_loop(b, b->run->begin, b->run->count / 4);
	if (b->run->counted) {
		ring_counter_open();
		ring_counter_on();
	}
	bare_sample(b, &b->from);
	bare_loop(b, b->run->begin + b->run->ns, b->run->count);
	bare_sample(b, &b->to);
	if (b->run->counted) {
		ring_counter_off();
		ring_counter_close();
	}
	for (unsigned int left = b->depth; left;)
		left -= bare_turn(b, false);
	return NULL;
}

void ring_bare_run(const struct ring_run *run, struct ring_result *result)
{
	struct bare bares[RING_QUEUES_MAX];

	for (unsigned int i = 0; i < run->threads; i++) {
		bares[i] = (struct bare){ .run = run, .index = i };
		bare_open(&bares[i]);
	}
	for (unsigned int i = 0; i < run->threads; i++)
		if (pthread_create(&bares[i].thread, NULL, bare_main, &bares[i]))
			ring_die("no thread");
	for (unsigned int i = 0; i < run->threads; i++) {
		pthread_join(bares[i].thread, NULL);
		ring_result_add(result, &bares[i].from, &bares[i].to);
		bare_close(&bares[i]);
	}
	result->direct = bares[0].direct;
	result->engine = "libaio";
}
