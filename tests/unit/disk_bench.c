// SPDX-License-Identifier: GPL-2.0-only
/*
 * The back ends that the disk tests loop over: see disk_bench.h.  A host with
 * blocks of 4 KiB is one that an opened image merely believes to be on.
 */
#include "disk_bench.h"
#include "disk/image.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct variant variants[NVARIANTS] = {
	[AIO] = { .name = "native", .place = LOCAL, .path = "", .data = true },
	[AIO_4K] = { .name = "native 4K", .place = LOCAL, .path = "",
		     .data = true, .align = 4096 },
	[AIO_BUFFERED] = { .name = "native buffered", .place = TMPFS, .path = "",
			   .data = true, .engine = DISK_ENGINE_NATIVE },
	[AIO_NO_RING] = { .name = "native no ring", .place = LOCAL, .path = "",
			  .data = true, .no_ring = true },
	[THREADS] = { .name = "threads", .place = TMPFS, .path = "",
		      .data = true, .engine = DISK_ENGINE_THREADS },
	[THREADS_DIRECT] = { .name = "threads direct", .place = LOCAL,
			     .path = "", .data = true,
			     .engine = DISK_ENGINE_THREADS },
	[THREADS_4K] = { .name = "threads 4K", .place = LOCAL, .path = "",
			 .data = true, .align = 4096,
			 .engine = DISK_ENGINE_THREADS },
	[NULL_DISK] = { .name = "null", .path = "null:1M" },
	{ .name = "memory", .ops = &disk_memory_ops, .path = "memory:1048576",
	  .data = true },
	{ .name = "late native", .ops = &disk_fault_ops, .place = LOCAL,
	  .path = "fault:7:0:5:", .data = true },
	{ .name = "late null", .ops = &disk_fault_ops,
	  .path = "fault:8:0:3:null:1M" },
	{ .name = "failing memory", .ops = &disk_fault_ops,
	  .path = "fault:9:20:4:memory:1048576", .data = true, .errors = true },
	{ .name = "failing native", .ops = &disk_fault_ops, .place = LOCAL,
	  .path = "fault:10:20:0:", .data = true, .errors = true },
	{ .name = "late threads", .ops = &disk_fault_ops, .place = TMPFS,
	  .path = "fault:11:0:5:", .data = true,
	  .engine = DISK_ENGINE_THREADS },
	[URING] = { .name = "io_uring", .place = LOCAL, .path = "",
		    .data = true, .engine = DISK_ENGINE_IO_URING },
	[URING_4K] = { .name = "io_uring 4K", .place = LOCAL, .path = "",
		       .data = true, .align = 4096,
		       .engine = DISK_ENGINE_IO_URING },
	[URING_BUFFERED] = { .name = "io_uring buffered", .place = TMPFS,
			     .path = "", .data = true,
			     .engine = DISK_ENGINE_IO_URING },
	[URING_OLD] = { .name = "io_uring before 6.1", .place = LOCAL,
			.path = "", .data = true, .no_defer = true,
			.engine = DISK_ENGINE_IO_URING },
	[URING_LATE] = { .name = "late io_uring", .ops = &disk_fault_ops,
			 .place = LOCAL, .path = "fault:12:0:5:", .data = true,
			 .engine = DISK_ENGINE_IO_URING },
};

bool bench_has_uring(void)
{
	static int answer = 1;	/* not asked yet */
	struct io_uring ring;

	if (answer > 0) {
		answer = io_uring_queue_init(1, &ring, 0);
		if (!answer)
			io_uring_queue_exit(&ring);
		else
			printf("skip - io_uring: %s\n", strerror(-answer));
	}
	return !answer;
}

void bench_add_all(TCase *tc, const TTest *test)
{
	tcase_add_loop_test(tc, test, 0, bench_has_uring() ? NVARIANTS : URING);
}

void bench_add_engines(TCase *tc, const TTest *test)
{
	tcase_add_loop_test(tc, test, AIO, NULL_DISK);
	if (bench_has_uring())
		tcase_add_loop_test(tc, test, URING, URING_LATE);
}

/* Let an image pretend that its host has blocks of @align bytes. */
static void bench_align(struct disk *disk, const char *file, u32 align)
{
	struct image *image = disk->priv;

	image->mem_align = align;
	image->offset_align = align;
	image->buffered_fd = open(file, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(image->buffered_fd, 0);
}

void bench_open(struct bench *b, const struct variant *v)
{
	struct rig_capture c;
	const char *dir = v->place == TMPFS ? "/dev/shm" : rig_direct_dir();
	char path[PATH_ROOM + 32];

	memset(b, 0, sizeof(*b));
	b->variant = v;
	memset(&fault_host, 0, sizeof(fault_host));
	fault_host.no_ring = v->no_ring;
	fault_host.no_defer = v->no_defer;
	if (v->place != NOWHERE)
		rig_file(b->file, sizeof(b->file), dir ? dir : "/tmp",
			 DISK_SIZE);
	snprintf(path, sizeof(path), "%s%s", v->path, b->file);
	rig_capture_start(&c);	/* a warning that nothing here is direct */
	b->disk = rig_open_engine(v->ops, path, v->engine);
	rig_capture_end(&c);
	if (v->align)
		bench_align(b->disk, b->file, v->align);
	rig_init(&b->rig);
}

void bench_start(struct bench *b, const struct variant *v, unsigned int depth)
{
	bench_open(b, v);
	rig_add(&b->rig, b->disk, depth);
	rig_start(&b->rig);
}

void bench_exit(struct bench *b)
{
	rig_exit(&b->rig);
	disk_close(b->disk);
	if (b->file[0])
		unlink(b->file);
}

struct snapshot {
	const struct disk_thread_stats *from;
	struct disk_thread_stats stats;
};

static void bench_snapshot(void *arg)
{
	struct snapshot *s = arg;

	s->stats = *s->from;
}

struct disk_thread_stats bench_stats(const struct bench *b)
{
	struct snapshot s = { .from = disk_thread_stats(b->rig.queues[0]) };

	iothread_call(b->rig.thread, bench_snapshot, &s);
	return s.stats;
}

void bench_check(const struct bench *b, const struct rig_req *r)
{
	ck_assert_uint_eq(r->times, 1);
	if (!b->variant->errors)
		ck_assert_int_eq(r->err, 0);
	else
		ck_assert(r->err == 0 || r->err == -EIO);
}

void bench_write(struct bench *b, char *data, unsigned int n, u64 len)
{
	struct rig_req reqs[DEPTH];

	for (unsigned int i = 0; i < n; i++)
		rig_prepare(&b->rig, &reqs[i], 0, (u16)i, DISK_WRITE, i * len,
			    data + i * len, len);
	rig_stage(&b->rig, reqs, n);
	rig_wait(&b->rig);
	for (unsigned int i = 0; i < n; i++)
		bench_check(b, &reqs[i]);
}

void bench_check_file(const struct bench *b, u64 offset, const char *data,
		      size_t len)
{
	char *back = rig_buffer(len, 99);
	int fd = open(b->file, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, back, len, (off_t)offset), (ssize_t)len);
	close(fd);
	ck_assert_mem_eq(back, data, len);
	free(back);
}
