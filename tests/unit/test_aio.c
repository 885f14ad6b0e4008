// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the AIO back end does, by any of its engines: one submit a turn,
 * short transfers, misaligned memory, small requests on large blocks, a kernel
 * that is short of room, or that refuses a request.  The faults are
 * fault_disk.h's.
 */
/* helpers: disk_bench.c disk_rig.c fault_disk.c fault_engine.c guest_ring.c */
#include "barrier.h"
#include "disk/aio_context.h"
#include "disk_bench.h"
#include "guest_ring.h"
#include "kvm/event.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct variant *const aio = &variants[AIO];

START_TEST(test_a_turn_is_one_submit)
{
	/* The pool takes them without a call. */
	unsigned int calls = variants[_i].engine != DISK_ENGINE_THREADS;
	char *buf = rig_buffer(DEPTH * 4096, 20);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	bench_write(&b, buf, 32, 4096);
	ck_assert_uint_eq(fault_host.submits, calls);
	ck_assert_uint_eq(bench_stats(&b).submits, 1);
	ck_assert_uint_eq(bench_stats(&b).submitted, 32);
	ck_assert_uint_eq(bench_stats(&b).reaped, 32);
	ck_assert_uint_ge(bench_stats(&b).reaps, 1);
	ck_assert_uint_le(bench_stats(&b).reaps, 32);
	if (!variants[_i].no_ring)
		ck_assert_uint_eq(fault_host.getevents, 0);
	bench_write(&b, buf, DEPTH, 4096);
	ck_assert_uint_eq(fault_host.submits, 2 * calls);
	bench_check_file(&b, 0, buf, DEPTH * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* Writes that complete inside io_submit() need no signal; a flush does. */
START_TEST(test_flush_is_signalled)
{
	char *buf = rig_buffer(4096, 20);
	struct bench b;

	bench_start(&b, &variants[AIO_BUFFERED], DEPTH);
	for (unsigned int i = 0; i < 20; i++) {
		bench_write(&b, buf, 1, 4096);
		ck_assert_int_eq(rig_io(&b.rig, DISK_FLUSH, 0, NULL, 0), 0);
		bench_write(&b, buf, 1, 4096);
	}
	ck_assert_uint_gt(fault_host.unheard, 0);
	ck_assert_uint_eq(fault_host.unheard_flushes, 0);
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_disks_share_one_submit)
{
	struct rig_req reqs[24];
	char *buf = rig_buffer(24 * 4096, 21);
	struct bench b, other;

	bench_open(&b, &variants[_i]);
	bench_open(&other, &variants[_i]);
	rig_add(&b.rig, b.disk, 8);
	rig_add(&b.rig, other.disk, 8);
	rig_add(&b.rig, b.disk, 8);
	rig_start(&b.rig);
	for (unsigned int i = 0; i < 24; i++)
		rig_prepare(&b.rig, &reqs[i], i / 8, (u16)(i % 8), DISK_WRITE,
			    i * 4096, buf + i * 4096, 4096);
	rig_stage(&b.rig, reqs, 24);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < 24; i++)
		bench_check(&b, &reqs[i]);
	ck_assert_uint_eq(bench_stats(&b).submits, 1);
	ck_assert_uint_eq(bench_stats(&b).submitted, 24);
	ck_assert_ptr_eq(disk_thread_stats(b.rig.queues[0]),
			 disk_thread_stats(b.rig.queues[1]));
	bench_check_file(&other, 8 * 4096, buf + 8 * 4096, 8 * 4096);
	bench_check_file(&b, 16 * 4096, buf + 16 * 4096, 8 * 4096);
	bench_exit(&b);
	bench_exit(&other);
	free(buf);
}
END_TEST

/* The kernel cuts each transfer: the rest follows, until all is there. */
START_TEST(test_short_transfers_continue)
{
	char *data = rig_buffer(16 * 16384, 22), *back = rig_buffer(16384, 23);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	fault_host.cut = 4096;
	bench_write(&b, data, 16, 16384);
	bench_check_file(&b, 0, data, 16 * 16384);
	ck_assert_uint_eq(bench_stats(&b).continued, 16 * 3);
	ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 32768, back, 16384), 0);
	ck_assert_mem_eq(back, data + 32768, 16384);
	ck_assert_uint_eq(bench_stats(&b).continued, 17 * 3);
	bench_exit(&b);
	free(back);
	free(data);
}
END_TEST

START_TEST(test_short_transfers_across_segments)
{
	char *data = rig_buffer(32768, 24);
	struct rig_req r;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	fault_host.cut = 1536;	/* ends inside of segments */
	rig_prepare(&b.rig, &r, 0, 0, DISK_WRITE, 4096, data, 16384);
	r.req.niov = 4;
	for (int i = 0; i < 4; i++)
		r.iov[i] = (struct iovec){ data + i * 4096, 4096 };
	rig_stage(&b.rig, &r, 1);
	rig_wait(&b.rig);
	bench_check(&b, &r);
	bench_check_file(&b, 4096, data, 16384);
	bench_exit(&b);
	free(data);
}
END_TEST

/* The image was cut while in use, at a byte that is no block boundary. */
START_TEST(test_beyond_a_shrunk_end_is_zero)
{
	static const char zeroes[32768];
	char *data = rig_buffer(65536, 25), *back = rig_buffer(65536, 26);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	ck_assert_int_eq(rig_io(&b.rig, DISK_WRITE, 0, data, 65536), 0);
	ck_assert_int_eq(truncate(b.file, 32768 + 1000), 0);
	ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 16384, back, 32768), 0);
	ck_assert_mem_eq(back, data + 16384, 16384 + 1000);
	ck_assert_mem_eq(back + 17384, zeroes, 16384 - 1000);
	rig_fill(back, 65536, 27);
	ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 131072, back, 32768), 0);
	ck_assert_mem_eq(back, zeroes, 32768);
	bench_exit(&b);
	free(back);
	free(data);
}
END_TEST

START_TEST(test_misaligned_memory_bounces)
{
	const u64 len = 700 * 1024;	/* in three pieces */
	char *data = rig_buffer(len + 3, 28), *back = rig_buffer(len + 4, 29);
	struct rig_req r;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	rig_prepare(&b.rig, &r, 0, 0, DISK_WRITE, 4096, data + 3, len);
	r.req.niov = 3;		/* lengths that add up, but not each alone */
	r.iov[0] = (struct iovec){ data + 3, 1000 };
	r.iov[1] = (struct iovec){ data + 1003, 3 };
	r.iov[2] = (struct iovec){ data + 1006, len - 1003 };
	rig_stage(&b.rig, &r, 1);
	rig_wait(&b.rig);
	bench_check(&b, &r);
	bench_check_file(&b, 4096, data + 3, len);
	ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 4096, back + 1, len), 0);
	ck_assert_mem_eq(back + 1, data + 3, len);
	if (disk_info(b.disk)->direct) {
		ck_assert_uint_eq(bench_stats(&b).bounced, 2);
		ck_assert_uint_eq(bench_stats(&b).continued, 4);
	} else {
		ck_assert_uint_eq(bench_stats(&b).bounced, 0);
	}
	bench_exit(&b);
	free(back);
	free(data);
}
END_TEST

/* Sectors of 512 bytes on blocks of 4096, and whole blocks in between. */
START_TEST(test_small_requests_on_large_blocks)
{
	char *model = rig_buffer(65536, 30), *back = rig_buffer(65536, 31);
	char *data = rig_buffer(65536, 0);
	unsigned int seed = 5, small = 0;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	ck_assert_int_eq(rig_io(&b.rig, DISK_WRITE, 0, model, 65536), 0);
	for (unsigned int i = 0; i < 200; i++) {
		bool block = i % 3 == 0;
		u32 unit = block ? 4096 : 512;
		u64 at = (u64)(rand_r(&seed)) % (65536 / unit) * unit;
		u64 len = (1 + (u64)rand_r(&seed) % 4) * unit;

		if (at + len > 65536)
			continue;
		small += (at | len) % 4096 != 0;
		rig_fill(data, len, i);
		memcpy(model + at, data, len);
		ck_assert_int_eq(rig_io(&b.rig, DISK_WRITE, at, data, len), 0);
		ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 0, back, 65536), 0);
		ck_assert_mem_eq(back, model, 65536);
	}
	ck_assert_uint_eq(bench_stats(&b).buffered, small);
	ck_assert_int_eq(rig_io(&b.rig, DISK_FLUSH, 0, NULL, 0), 0);
	bench_exit(&b);
	free(data);
	free(back);
	free(model);
}
END_TEST

START_TEST(test_kernel_out_of_room)
{
	char *buf = rig_buffer(DEPTH * 4096, 32);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	fault_host.again = 3;
	fault_host.interrupt = 2;
	bench_write(&b, buf, 16, 4096);
	ck_assert_uint_eq(bench_stats(&b).retried, 3);
	ck_assert_uint_eq(bench_stats(&b).submitted, 16);
	bench_check_file(&b, 0, buf, 16 * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_short_submit_resumes)
{
	char *buf = rig_buffer(DEPTH * 4096, 33);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	fault_host.take = 5;
	bench_write(&b, buf, 32, 4096);
	ck_assert_uint_eq(bench_stats(&b).submits, 7);
	ck_assert_uint_eq(bench_stats(&b).submitted, 32);
	bench_check_file(&b, 0, buf, 32 * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

static void check_refused(const struct variant *v, unsigned int bad)
{
	char *buf = rig_buffer(16 * 4096, 34);
	struct rig_req reqs[16];
	struct bench b;

	bench_start(&b, v, DEPTH);
	fault_host.refuse = EBADF;
	fault_host.refuse_offset = bad * 4096;
	for (unsigned int i = 0; i < 16; i++)
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i, DISK_WRITE, i * 4096,
			    buf + i * 4096, 4096);
	reqs[bad].restage = 2;
	rig_stage(&b.rig, reqs, 16);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < 16; i++) {
		ck_assert_uint_eq(reqs[i].times, i == bad ? 3 : 1);
		ck_assert_int_eq(reqs[i].err, i == bad ? -EBADF : 0);
	}
	if (v == aio)	/* the others refuse it later */
		ck_assert_uint_eq(bench_stats(&b).submitted, 15);
	bench_exit(&b);
	free(buf);
}

/* First, in the middle, last: that one fails, and no other. */
START_TEST(test_refused_request_fails_alone)
{
	check_refused(&variants[_i], 0);
	check_refused(&variants[_i], 7);
	check_refused(&variants[_i], 15);
}
END_TEST

START_TEST(test_flush_without_async_fsync)
{
	char *buf = rig_buffer(4096, 35);
	struct bench b;

	bench_start(&b, aio, DEPTH);
	fault_host.no_fdsync = true;
	ck_assert_int_eq(rig_io(&b.rig, DISK_WRITE, 0, buf, 4096), 0);
	ck_assert_int_eq(rig_io(&b.rig, DISK_FLUSH, 0, NULL, 0), 0);
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_readonly)
{
	struct disk_params params = { .readonly = true, .lock = true };
	char *buf = rig_buffer(4096, 36);
	char path[PATH_ROOM];
	struct rig_capture c;
	struct disk *disk;
	struct rig rig;

	memset(&fault_host, 0, sizeof(fault_host));
	rig_file(path, sizeof(path), "/tmp", DISK_SIZE);
	ck_assert_int_eq(chmod(path, 0400), 0);
	params.path = path;
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open(&disk, &params), 0);
	rig_capture_end(&c);
	ck_assert(disk_info(disk)->readonly);
	rig_init(&rig);
	rig_add(&rig, disk, 4);
	rig_start(&rig);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 0, buf, 4096), 0);
	ck_assert_int_eq(buf[0] | buf[4095], 0);
	ck_assert_int_eq(rig_io(&rig, DISK_WRITE, 0, buf, 4096), -EBADF);
	ck_assert_int_eq(rig_io(&rig, DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(disk_thread_stats(rig.queues[0])->submitted, 1);
	rig_exit(&rig);
	disk_close(disk);
	unlink(path);
	free(buf);
}
END_TEST

START_TEST(test_aio_max_nr_exceeded)
{
	struct rig_capture c;
	struct bench b;
	unsigned long max = 0;
	FILE *f = fopen("/proc/sys/fs/aio-max-nr", "re");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu", &max), 1);
	fclose(f);
	if (max >= RIG_QUEUES * 65536)
		return;
	bench_open(&b, aio);
	for (int i = 0; i < RIG_QUEUES; i++)
		rig_add(&b.rig, b.disk, 65536);
	rig_capture_start(&c);
	ck_assert_int_eq(iothread_start(b.rig.thread), -EAGAIN);
	rig_capture_end(&c);
	rig_expect_line(&c, b.file, "fs.aio-max-nr", "262144", "sysctl -w");
	bench_exit(&b);
}
END_TEST

/* --- a device that completes when it is told to ------------------------- */

enum when { AT_ONCE, IN_THE_NEXT_REAP, WHEN_TOLD };

struct told {
	struct aio_call call;	/* first: found from it */
	enum when when[2];	/* it completes, for the first time and then */
	unsigned int submitted;
	unsigned int restage;	/* so many times more, when it completes */
	bool refuse;		/* the first time, with EAGAIN */
	bool done;
};

static struct told told[3];
static struct aio_context *told_ctx;
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static struct io_event told_events[8];
static unsigned int ntold;
static struct told *next_reap, *later;
static bool reaped_once;

static void tell(struct told *t)
{
	pthread_mutex_lock(&told_lock);
	told_events[ntold++] = (struct io_event){ .data = t, .res = 1 };
	pthread_mutex_unlock(&told_lock);
	if (t->call.iocb.u.c.flags & AIO_SIGNAL)
		event_signal((int)t->call.iocb.u.c.resfd);
}

static void told_submit_one(struct told *t)
{
	switch (t->when[t->submitted++ > 0]) {
	case AT_ONCE:
		tell(t);
		break;
	case IN_THE_NEXT_REAP:
		next_reap = t;
		reaped_once = false;
		break;
	case WHEN_TOLD:
		write_once(&later, t);
	}
}

static int told_submit(long n, struct iocb **ios)
{
	for (int i = 0; i < n; i++) {
		struct told *t = ios[i]->data;

		if (t->refuse && i)
			return i;
		if (t->refuse) {
			t->refuse = false;
			return -EAGAIN;
		}
		told_submit_one(t);
	}
	return (int)n;
}

static int told_reap(long min, struct io_event *events, struct timespec *wait)
{
	int n;

	if (next_reap && reaped_once) {
		tell(next_reap);
		next_reap = NULL;
	}
	reaped_once = true;
	if (min)
		nanosleep(wait, NULL);
	pthread_mutex_lock(&told_lock);
	n = min && ntold ? 1 : (int)ntold;
	memcpy(events, told_events, (size_t)n * sizeof(*events));
	ntold -= (unsigned int)n;
	memmove(told_events, told_events + n, ntold * sizeof(*events));
	pthread_mutex_unlock(&told_lock);
	return n;
}

static void told_complete(struct aio_call *call, long res)
{
	struct told *t = (struct told *)call;

	expect(res == 1);
	if (t->restage) {
		t->restage--;
		aio_call_stage(told_ctx, call, false);
	} else {
		write_once(&t->done, true);
	}
}

static void told_stage(void *arg)
{
	(void)arg;
	aio_call_stage(told_ctx, &told[0].call, false);
	aio_call_stage(told_ctx, &told[1].call, false);
}

static void told_stage_quick(void *arg)
{
	(void)arg;
	aio_call_stage(told_ctx, &told[2].call, false);
}

static void wait_told(struct told *t)
{
	for (unsigned int i = 0; i < 2000 && !read_once(&t->done); i++)
		usleep(1000);
	ck_assert_msg(read_once(&t->done), "call %d was never completed", (int)(t - told));
}

static struct iothread *told_start(void)
{
	struct iothread *thread;

	memset(&fault_host, 0, sizeof(fault_host));
	memset(told, 0, sizeof(told));
	ntold = 0;
	next_reap = later = NULL;
	fault_host.no_ring = true;
	fault_host.submit = told_submit;
	fault_host.reap = told_reap;
	ck_assert_int_eq(iothread_new(&thread, "told"), 0);
	ck_assert_int_eq(aio_context_get(thread, &aio_native, "told", 8,
					 &told_ctx), 0);
	for (unsigned int i = 0; i < 3; i++)
		aio_call_init(told_ctx, &told[i].call, told_complete);
	ck_assert_int_eq(iothread_start(thread), 0);
	return thread;
}

/*
 * After a quick call the next ones are staged without a signal.  One of them is
 * submitted only after the other is complete, and is slow: that it is complete
 * is seen all the same, without anything else to do.
 */
START_TEST(test_slow_after_quick)
{
	struct iothread *thread = told_start();

	iothread_call(thread, told_stage_quick, NULL);
	wait_told(&told[2]);
	usleep(5000);
	if (_i == 0) {	/* the rest of a short transfer */
		told[0].when[0] = AT_ONCE;
		told[0].restage = 1;
		told[0].when[1] = WHEN_TOLD;
		told[1].when[0] = IN_THE_NEXT_REAP;
	} else {	/* the kernel had no room */
		told[0].when[0] = IN_THE_NEXT_REAP;
		told[1].refuse = true;
		told[1].when[0] = WHEN_TOLD;
	}
	iothread_call(thread, told_stage, NULL);
	for (unsigned int i = 0; i < 2000 && !read_once(&later); i++)
		usleep(1000);
	ck_assert_ptr_eq(read_once(&later), &told[_i]);
	usleep(20000);
	tell(&told[_i]);
	wait_told(&told[0]);
	wait_told(&told[1]);
	iothread_stop(thread);
	aio_context_put(told_ctx);
	iothread_free(thread);
}
END_TEST

/* One variant of each engine, -1: not of this one. */
static void add_each(TCase *tc, const TTest *test, int native, int threads,
		     int uring)
{
	tcase_add_loop_test(tc, test, native, native + 1);
	if (threads >= 0)
		tcase_add_loop_test(tc, test, threads, threads + 1);
	if (bench_has_uring())
		tcase_add_loop_test(tc, test, uring, uring + 1);
}

static Suite *aio_suite(void)
{
	Suite *s = suite_create("aio");
	TCase *faults = tcase_create("aio");

	suite_add_tcase(s, faults);
	tcase_set_timeout(faults, 120);
	bench_add_engines(faults, test_a_turn_is_one_submit);
	tcase_add_test(faults, test_flush_is_signalled);
	bench_add_engines(faults, test_disks_share_one_submit);
	bench_add_engines(faults, test_short_transfers_continue);
	bench_add_engines(faults, test_short_transfers_across_segments);
	bench_add_engines(faults, test_beyond_a_shrunk_end_is_zero);
	bench_add_engines(faults, test_misaligned_memory_bounces);
	add_each(faults, test_small_requests_on_large_blocks, AIO_4K,
		 THREADS_4K, URING_4K);
	add_each(faults, test_kernel_out_of_room, AIO, -1, URING);
	add_each(faults, test_short_submit_resumes, AIO, -1, URING);
	add_each(faults, test_refused_request_fails_alone, AIO, THREADS, URING);
	tcase_add_loop_test(faults, test_slow_after_quick, 0, 2);
	tcase_add_test(faults, test_flush_without_async_fsync);
	tcase_add_test(faults, test_readonly);
	tcase_add_test(faults, test_aio_max_nr_exceeded);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(aio_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
