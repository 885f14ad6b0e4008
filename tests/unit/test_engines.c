// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which engine a disk gets, and what each does of its own: io_uring that the
 * kernel refuses, its small rings, its registered files and memory, its eventfd; the
 * pool of aio=threads.  What they have in common is in test_disk.c and
 * test_aio.c.
 */
/* helpers: disk_bench.c disk_rig.c fault_disk.c fault_engine.c */
#include "barrier.h"
#include "disk/aio_context.h"
#include "disk_bench.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS 8u		/* at most, of a thread */
#define PIECE (2ul << 20)	/* of memory that io_uring pins */

static void is_engine(const struct bench *b, const char *engine, const char *why)
{
	const struct disk_info *info = disk_info(b->disk);

	ck_assert_str_eq(info->engine, engine);
	ck_assert_msg(strstr(info->engine_why, why), "why: %s",
		      info->engine_why);
}

static void nothing(void *arg)
{
	(void)arg;
}

/* Until @what is at least @n. */
static void wait_for(const unsigned int *what, unsigned int n)
{
	for (unsigned int i = 0; i < 5000 && read_once(what) < n; i++)
		usleep(1000);
	ck_assert_uint_ge(read_once(what), n);
}

static void use_it(struct bench *b)
{
	char *buf = rig_buffer(16 * 4096, 3);

	bench_write(b, buf, 16, 4096);
	bench_check_file(b, 0, buf, 16 * 4096);
	ck_assert_int_eq(rig_io(&b->rig, DISK_FLUSH, 0, NULL, 0), 0);
	free(buf);
}

/* --- the choice ---------------------------------------------------------- */

START_TEST(test_choice)
{
	static const struct {
		enum place place;
		enum disk_engine wanted;
		const char *engine, *why;
	} choices[] = {
		{ LOCAL, DISK_ENGINE_AUTO, "native", "direct" },
		{ TMPFS, DISK_ENGINE_AUTO, "native", "memory" },
		{ LOCAL, DISK_ENGINE_NATIVE, "native", "asked" },
		{ TMPFS, DISK_ENGINE_NATIVE, "native", "asked" },
		{ LOCAL, DISK_ENGINE_THREADS, "threads", "asked" },
		{ LOCAL, DISK_ENGINE_IO_URING, "io_uring", "asked" },
		{ TMPFS, DISK_ENGINE_IO_URING, "io_uring", "asked" },
	};
	const int n = sizeof(choices) / sizeof(choices[0]);

	for (int i = 0; i < (bench_has_uring() ? n : n - 2); i++) {
		struct variant v = { .place = choices[i].place, .path = "",
				     .engine = choices[i].wanted };
		struct bench b;

		bench_start(&b, &v, 4);
		is_engine(&b, choices[i].engine, choices[i].why);
		bench_exit(&b);
	}
}
END_TEST

/* A file system that knows no O_DIRECT. */
START_TEST(test_choice_for_page_cache)
{
	struct disk_params params = { .lock = true };
	struct rig_capture c;
	struct bench b;

	bench_open(&b, &variants[AIO]);
	disk_close(b.disk);
	params.path = b.file;
	fault_host.no_direct = true;
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open(&b.disk, &params), 0);
	rig_capture_end(&c);
	rig_expect_line(&c, "warning", b.file, "page cache");
	ck_assert(!disk_info(b.disk)->direct);
	is_engine(&b, "threads", "page cache");
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	use_it(&b);
	bench_exit(&b);
}
END_TEST

START_TEST(test_null_has_none)
{
	struct bench b;

	bench_start(&b, &variants[NULL_DISK], 4);
	ck_assert_ptr_null(disk_info(b.disk)->engine);
	bench_exit(&b);
}
END_TEST

/* --- io_uring refused ---------------------------------------------------- */

static const struct {
	int err;
	const char *remedy;
} refusals[] = {
	{ ENOSYS, "CONFIG_IO_URING" },
	{ EPERM, "permit" },	/* a seccomp filter, or the sysctl */
	{ ENOMEM, "ulimit -l" },
	{ EMFILE, "ulimit -n" },
};

START_TEST(test_refused_at_open)
{
	struct disk_params params = { .engine = DISK_ENGINE_IO_URING };
	struct rig_capture c;
	struct bench b;

	bench_open(&b, &variants[AIO]);
	disk_close(b.disk);
	fault_host.no_uring = refusals[_i].err;
	params.path = b.file;
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open(&b.disk, &params), 0);
	rig_capture_end(&c);
	rig_expect_line(&c, "warning", b.file, "aio=io_uring", "native",
			refusals[_i].remedy);
	is_engine(&b, "native", "refuses");
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	use_it(&b);
	bench_exit(&b);
}
END_TEST

/* There was a small ring, but there is none for all requests. */
START_TEST(test_refused_at_start)
{
	struct rig_capture c;
	struct bench b;

	bench_open(&b, &variants[URING]);
	fault_host.no_uring = ENOMEM;
	rig_add(&b.rig, b.disk, DEPTH);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_capture_start(&c);
	rig_start(&b.rig);
	rig_capture_end(&c);
	rig_expect_line(&c, "warning", b.file, "native", "ulimit -l");
	is_engine(&b, "native", "refuses");
	use_it(&b);
	bench_exit(&b);
}
END_TEST

/* --- io_uring ------------------------------------------------------------ */

/* More requests than the rings have entries. */
START_TEST(test_small_rings)
{
	struct rig_req reqs[DEPTH];
	char *buf = rig_buffer(DEPTH * 4096, 4);
	struct bench b;

	bench_open(&b, &variants[_i]);
	fault_host.uring_entries = 4;
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	for (unsigned int i = 0; i < DEPTH; i++) {
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i, DISK_WRITE, i * 4096,
			    buf + i * 4096, 4096);
		reqs[i].restage = 20;
	}
	rig_stage(&b.rig, reqs, DEPTH);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < DEPTH; i++) {
		ck_assert_uint_eq(reqs[i].times, 21);
		ck_assert_int_eq(reqs[i].err, 0);
	}
	ck_assert_uint_eq(bench_stats(&b).submitted, 21 * DEPTH);
	ck_assert_uint_eq(bench_stats(&b).reaped, 21 * DEPTH);
	bench_check_file(&b, 0, buf, DEPTH * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* Each once, and they are given back, with their locks, by the time it ends. */
START_TEST(test_registered_files)
{
	struct disk_params params = { .lock = true,
				      .engine = DISK_ENGINE_IO_URING };
	struct bench b;

	bench_open(&b, &variants[URING_4K]);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	ck_assert_uint_eq(fault_host.uring_files, 2);
	use_it(&b);
	for (int i = 0; i < 10; i++) {
		rig_exit(&b.rig);
		disk_close(b.disk);
		params.path = b.file;
		ck_assert_int_eq(disk_open(&b.disk, &params), 0);
		rig_init(&b.rig);
		rig_add(&b.rig, b.disk, DEPTH);
		rig_start(&b.rig);
		use_it(&b);
	}
	ck_assert_uint_eq(fault_host.uring_files, 1);
	bench_exit(&b);
}
END_TEST

/*
 * Pieces of memory are registered, each once, when the first request comes that lies
 * in one; what does not, crosses two or is refused goes as without.  Short transfers
 * continue.
 */
START_TEST(test_registered_memory)
{
	static const struct {
		size_t offset, len;
		unsigned int pins, fixed;	/* by then */
	} ios[] = {
		{ 0, 4096, 0, 0 },	/* no whole piece begins there */
		{ PIECE - 4096, 8192, 0, 0 },
		{ PIECE, 4096, 1, 1 },
		{ PIECE + 65536, 65536, 1, 2 },
		{ 2 * PIECE - 4096, 4096, 1, 3 },
		{ 2 * PIECE - 4096, 8192, 1, 3 },
		{ 2 * PIECE, 4096, 2, 4 },
		{ 3 * PIECE, 4096, 2, 4 },	/* no whole one either */
	};
	struct disk_params params = { .engine = DISK_ENGINE_IO_URING };
	char *memory = NULL, *data = rig_buffer(65536, 9);
	struct bench b;

	ck_assert_int_eq(posix_memalign((void **)&memory, PIECE, 4 * PIECE), 0);
	memset(memory, 0, 4 * PIECE);
	params.memory = (struct iovec){ memory + 4096, 4 * PIECE - 8192 };
	bench_open(&b, &variants[AIO]);
	disk_close(b.disk);
	fault_host.no_pin = _i == 1 ? ENOMEM : 0;
	fault_host.cut = _i == 2 ? 4096 : 0;
	params.path = b.file;
	ck_assert_int_eq(disk_open(&b.disk, &params), 0);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	for (unsigned int i = 0; i < sizeof(ios) / sizeof(ios[0]); i++) {
		char *buf = memory + ios[i].offset;
		bool write = i % 2;

		if (write)
			memcpy(buf, data, ios[i].len);
		ck_assert_int_eq(rig_io(&b.rig, write ? DISK_WRITE : DISK_READ,
					0, buf, ios[i].len), 0);
		bench_check_file(&b, 0, buf, ios[i].len);
		if (_i == 2)
			continue;
		ck_assert_uint_eq(fault_host.uring_pins, ios[i].pins);
		/* `ulimit -l` may be too small. */
		if (_i || !fault_host.uring_refused)
			ck_assert_uint_eq(fault_host.uring_fixed,
					  _i ? 0 : ios[i].fixed);
	}
	/* 64 KiB came in 16 parts, in place as well. */
	if (_i == 2 && !fault_host.uring_refused)
		ck_assert_uint_ge(fault_host.uring_fixed, 4 + 15);
	bench_exit(&b);
	free(data);
	free(memory);
}
END_TEST

struct slow {
	struct aio_call call;	/* first: found from it */
	struct aio_context *ctx;
	char byte;
	unsigned int done;
};

static void slow_complete(struct aio_call *call, long res)
{
	struct slow *s = (struct slow *)call;

	write_once(&s->done, s->done + (res == 1));
}

static void slow_stage(void *arg)
{
	struct slow *s = arg;

	aio_call_stage(s->ctx, &s->call, false);
}

/* What takes longer than a turn wakes the thread, once, on an old kernel, too. */
START_TEST(test_uring_wakes)
{
	struct iothread *thread;
	struct slow s = { .done = 0 };
	u64 turns;
	int fds[2];

	memset(&fault_host, 0, sizeof(fault_host));
	fault_host.no_defer = _i;
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(iothread_new(&thread, "slow"), 0);
	ck_assert_int_eq(aio_context_get(thread, &aio_uring, "slow", 8, &s.ctx),
			 0);
	aio_context_add_file(s.ctx, fds[0]);
	aio_call_init(s.ctx, &s.call, slow_complete);
	io_prep_pread(&s.call.iocb, fds[0], &s.byte, 1, 0);
	s.call.iocb.data = &s.call;
	ck_assert_int_eq(iothread_start(thread), 0);
	for (unsigned int i = 1; i <= 20; i++) {
		iothread_call(thread, slow_stage, &s);
		if (i % 2)
			usleep(2000);	/* it is asleep by then */
		ck_assert_uint_eq(read_once(&s.done), i - 1);
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
		wait_for(&s.done, i);
	}
	/* The kernel may leave it behind: no work, and no reason to stay awake. */
	__atomic_or_fetch(fault_host.uring->sq.kflags, IORING_SQ_TASKRUN,
			  __ATOMIC_RELAXED);
	turns = read_once(&iothread_stats(thread)->turns);
	iothread_call(thread, nothing, NULL);
	usleep(20000);
	ck_assert_uint_le(read_once(&iothread_stats(thread)->turns), turns + 1);
	iothread_stop(thread);
	ck_assert_uint_ge(s.ctx->client.wakeups, 5);
	ck_assert_uint_le(s.ctx->client.wakeups, 20);
	aio_context_put(s.ctx);
	iothread_free(thread);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* --- threads ------------------------------------------------------------- */

static unsigned int count_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;
	struct dirent *e;

	ck_assert_ptr_nonnull(dir);
	while ((e = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 e->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		n += fgets(name, sizeof(name), f) &&
		     !strcmp(name, "lkvm/worker\n");
		fclose(f);
	}
	closedir(dir);
	return n;
}

static void are_workers(unsigned int n)
{
	for (int i = 0; i < 2000 && count_workers() != n; i++)
		usleep(1000);
	ck_assert_uint_eq(count_workers(), n);
}

START_TEST(test_pool_is_bounded)
{
	struct bench b;

	bench_start(&b, &variants[THREADS], 3);
	are_workers(3);
	bench_exit(&b);
	are_workers(0);
	bench_open(&b, &variants[THREADS]);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	are_workers(WORKERS);
	use_it(&b);
	bench_exit(&b);
	are_workers(0);
}
END_TEST

/* All workers are stuck: the I/O thread is not, and all is done in the end. */
START_TEST(test_thread_is_not_blocked)
{
	struct rig_req reqs[DEPTH];
	char *buf = rig_buffer(DEPTH * 4096, 5);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	write_once(&fault_host.hold, true);
	for (unsigned int i = 0; i < DEPTH; i++)
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i, DISK_WRITE, i * 4096,
			    buf + i * 4096, 4096);
	rig_stage(&b.rig, reqs, DEPTH);
	wait_for(&fault_host.held, WORKERS);
	iothread_call(b.rig.thread, nothing, NULL);
	ck_assert_uint_eq(read_once(&fault_host.held), WORKERS);
	ck_assert_uint_eq(bench_stats(&b).reaped, 0);
	write_once(&fault_host.hold, false);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < DEPTH; i++)
		bench_check(&b, &reqs[i]);
	bench_check_file(&b, 0, buf, DEPTH * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* --- all ----------------------------------------------------------------- */

/* One at a time: each may find the thread asleep, awake, or on its way. */
START_TEST(test_lone_requests)
{
	char *buf = rig_buffer(8192, 6);
	struct bench b;

	bench_start(&b, &variants[_i], 4);
	for (unsigned int i = 0; i < 300; i++)
		ck_assert_int_eq(rig_io(&b.rig, i % 3 == 2 ? DISK_WRITE :
							     DISK_READ,
					i * 512, buf, 4096), 0);
	ck_assert_uint_eq(bench_stats(&b).submits, 300);
	ck_assert_uint_eq(bench_stats(&b).reaped,
			  bench_stats(&b).submitted);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* No submission carries more than batch=; those of a turn go one after the other. */
START_TEST(test_batch)
{
	struct disk_params params = { .engine = (enum disk_engine)_i,
				      .batch = 3 };
	char *buf = rig_buffer(16 * 4096, 8);
	struct bench b;

	bench_open(&b, &variants[AIO]);
	disk_close(b.disk);
	params.path = b.file;
	ck_assert_int_eq(disk_open(&b.disk, &params), 0);
	rig_add(&b.rig, b.disk, DEPTH);
	rig_start(&b.rig);
	bench_write(&b, buf, 16, 4096);
	ck_assert_uint_eq(bench_stats(&b).submits, 6);
	ck_assert_uint_eq(bench_stats(&b).submitted, 16);
	bench_check_file(&b, 0, buf, 16 * 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* What stands behind the segments is not looked at. */
START_TEST(test_no_segments)
{
	char *buf = rig_buffer(4096, 7), *same = rig_buffer(4096, 7);
	struct rig_req r;
	struct bench b;

	bench_start(&b, &variants[_i], 4);
	rig_prepare(&b.rig, &r, 0, 0, DISK_READ, 4096, buf, 0);
	r.req.niov = 0;
	r.iov[0].iov_len = 4096;
	rig_stage(&b.rig, &r, 1);
	rig_wait(&b.rig);
	bench_check(&b, &r);
	ck_assert_mem_eq(buf, same, 4096);
	bench_exit(&b);
	free(same);
	free(buf);
}
END_TEST

static Suite *engines_suite(void)
{
	Suite *s = suite_create("engines");
	TCase *tc = tcase_create("engines");

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_choice);
	tcase_add_test(tc, test_choice_for_page_cache);
	tcase_add_test(tc, test_null_has_none);
	tcase_add_loop_test(tc, test_refused_at_open, 0, 4);
	tcase_add_test(tc, test_pool_is_bounded);
	tcase_add_loop_test(tc, test_thread_is_not_blocked, THREADS,
			    THREADS_DIRECT + 1);
	bench_add_engines(tc, test_lone_requests);
	bench_add_engines(tc, test_no_segments);
	tcase_add_loop_test(tc, test_batch, DISK_ENGINE_NATIVE,
			    DISK_ENGINE_NATIVE + 1);
	if (!bench_has_uring())
		return s;
	tcase_add_test(tc, test_refused_at_start);
	tcase_add_loop_test(tc, test_small_rings, URING, URING_LATE);
	tcase_add_test(tc, test_registered_files);
	tcase_add_loop_test(tc, test_registered_memory, 0, 3);
	tcase_add_loop_test(tc, test_uring_wakes, 0, 2);
	tcase_add_loop_test(tc, test_batch, DISK_ENGINE_IO_URING,
			    DISK_ENGINE_IO_URING + 1);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(engines_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
