// SPDX-License-Identifier: GPL-2.0-only
/*
 * cache= from the outside of a disk: how the file is opened, which writes carry
 * RWF_DSYNC, and what a flush does, for each mode and each engine.
 */
/* helpers: disk_bench.c disk_rig.c fault_disk.c fault_engine.c */
#include "barrier.h"
#include "disk/image.h"
#include "disk_bench.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The table of the "Storage Performance Tuning" slides. */
static const struct {
	const char *name;
	bool write_cache, direct, ignore_flush;
} table[] = {
	[DISK_CACHE_NONE] = { "none", true, true, false },
	[DISK_CACHE_WRITEBACK] = { "writeback", true, false, false },
	[DISK_CACHE_WRITETHROUGH] = { "writethrough", false, false, false },
	[DISK_CACHE_DIRECTSYNC] = { "directsync", false, true, false },
	[DISK_CACHE_UNSAFE] = { "unsafe", true, false, true },
};
#define MODES 5

static char path[PATH_ROOM];
static struct disk *disk;
static struct rig rig;
static struct rig_capture capture;

static void open_cached(const char *dir, int mode, enum disk_engine engine)
{
	struct disk_params params = { .path = path,
				      .engine = engine,
				      .cache = (enum disk_cache)mode };

	memset(&fault_host, 0, sizeof(fault_host));
	rig_file(path, sizeof(path), dir, DISK_SIZE);
	rig_capture_start(&capture);
	ck_assert_int_eq(disk_open(&disk, &params), 0);
	rig_capture_end(&capture);
	rig_init(&rig);
	rig_add(&rig, disk, DEPTH);
	rig_start(&rig);
}

static void close_cached(void)
{
	rig_exit(&rig);
	disk_close(disk);
	unlink(path);
}

/* One write; @durable as virtio-blk sets it. */
static void write_one(char *buf, u64 offset, u64 len, bool durable)
{
	struct rig_req r;

	rig_prepare(&rig, &r, 0, 0, DISK_WRITE, offset, buf, len);
	r.req.durable = durable;
	rig_stage(&rig, &r, 1);
	rig_wait(&rig);
	ck_assert_int_eq(r.err, 0);
}

START_TEST(test_open)
{
	const char *dir = rig_direct_dir();
	const struct disk_info *info;
	const struct image *image;

	if (!dir) {
		printf("skip - cache=: nothing here takes O_DIRECT\n");
		return;
	}
	open_cached(dir, _i, DISK_ENGINE_AUTO);
	info = disk_info(disk);
	image = disk->priv;
	ck_assert_str_eq(info->cache, table[_i].name);
	ck_assert_int_eq(info->write_cache, table[_i].write_cache);
	ck_assert_int_eq(info->direct, table[_i].direct);
	ck_assert_int_eq(!!(fcntl(image->fd, F_GETFL) & O_DIRECT),
			 table[_i].direct);
	ck_assert_str_eq(info->engine, table[_i].direct ? "native" : "threads");
	if (table[_i].ignore_flush)
		rig_expect_line(&capture, "warning", path, "cache=unsafe",
				"lost");
	else
		ck_assert_str_eq(capture.text, "");
	close_cached();
}
END_TEST

/* Where there is no O_DIRECT, only those that ask for it complain. */
START_TEST(test_open_in_memory)
{
	open_cached("/dev/shm", _i, DISK_ENGINE_AUTO);
	ck_assert(!disk_info(disk)->direct);
	ck_assert_str_eq(disk_info(disk)->engine, "native");
	if (table[_i].direct)
		rig_expect_line(&capture, "warning", path, "no direct I/O");
	else if (!table[_i].ignore_flush)
		ck_assert_str_eq(capture.text, "");
	close_cached();
}
END_TEST

static const enum disk_engine engines[] = {
	DISK_ENGINE_NATIVE, DISK_ENGINE_THREADS, DISK_ENGINE_IO_URING,
};

/* Writes are durable, or not, as each is asked to be; a flush is one call. */
START_TEST(test_durable)
{
	const int mode = _i % MODES;
	const char *dir = rig_direct_dir();
	const unsigned int once = !table[mode].ignore_flush;
	char *buf = rig_buffer(3 * 4096, 1), *back = rig_buffer(3 * 4096, 2);

	open_cached(dir ? dir : "/tmp", mode, engines[_i / MODES]);
	write_one(buf, 0, 4096, true);
	ck_assert_uint_eq(fault_host.durable, once);
	write_one(buf + 4096, 4096, 4096, false);
	ck_assert_uint_eq(fault_host.durable, once);
	ck_assert_uint_eq(fault_host.syncs, 0);
	ck_assert_int_eq(rig_io(&rig, DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(fault_host.syncs, once);
	/* The slot of a durable write serves a flush and a read. */
	write_one(buf + 8192, 8192, 4096, true);
	ck_assert_uint_eq(fault_host.durable, 2 * once);
	ck_assert_int_eq(rig_io(&rig, DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(fault_host.syncs, 2 * once);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 0, back, 3 * 4096), 0);
	ck_assert_mem_eq(back, buf, 3 * 4096);
	ck_assert_uint_eq(fault_host.durable, 2 * once);
	close_cached();
	free(back);
	free(buf);
}
END_TEST

/* From a vCPU: one call, of what this mode keeps. */
START_TEST(test_sync)
{
	const unsigned int once = !table[_i].ignore_flush;

	open_cached("/tmp", _i, DISK_ENGINE_AUTO);
	ck_assert_int_eq(disk_sync(disk), 0);
	ck_assert_uint_eq(fault_host.syncs, once);
	fault_host.no_sync = EIO;
	ck_assert_int_eq(disk_sync(disk), once ? -EIO : 0);
	close_cached();
}
END_TEST

/* Each part of a transfer that the kernel cuts short is durable, too. */
START_TEST(test_durable_continued)
{
	char *buf = rig_buffer(16384, 1);

	open_cached("/dev/shm", DISK_CACHE_WRITETHROUGH, engines[_i]);
	fault_host.cut = 4096;
	write_one(buf, 0, 16384, true);
	ck_assert_uint_eq(fault_host.durable, 4);
	close_cached();
	free(buf);
}
END_TEST

/* And so are those that take a detour: small ones, and misaligned memory. */
START_TEST(test_durable_small)
{
	char *buf = rig_buffer(8192, 1);
	struct bench b;

	bench_start(&b, &variants[_i], 4);
	for (unsigned int i = 0; i < 2; i++) {
		struct rig_req r;

		rig_prepare(&b.rig, &r, 0, 0, DISK_WRITE, i ? 4096 : 512,
			    buf + i, i ? 4096 : 1024);
		r.req.durable = true;
		rig_stage(&b.rig, &r, 1);
		rig_wait(&b.rig);
		ck_assert_int_eq(r.err, 0);
		ck_assert_uint_eq(fault_host.durable, i + 1);
	}
	bench_check_file(&b, 512, buf, 1024);
	bench_check_file(&b, 4096, buf + 1, 4096);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* --- a page is lost: Linux tells it to one fdatasync() of an open file ----- */

static struct rig second;	/* another thread of the same disk */

static void open_twice(void)
{
	open_cached("/tmp", DISK_CACHE_WRITEBACK, DISK_ENGINE_THREADS);
	rig_init(&second);
	rig_add(&second, disk, DEPTH);
	rig_start(&second);
	write_once(&fault_host.hold, true);
}

static void close_twice(void)
{
	rig_exit(&second);
	close_cached();
}

static void stage_flush(struct rig *r, struct rig_req *req, u16 tag)
{
	rig_prepare(r, req, 0, tag, DISK_FLUSH, 0, NULL, 0);
	rig_stage(r, req, 1);
}

static void wait_held(unsigned int n)
{
	while (read_once(&fault_host.held) < n)
		usleep(1000);
}

/* The host has lost a page, or not; then all go on. */
static void let_go(int lost)
{
	write_once(&fault_host.lost, lost);
	write_once(&fault_host.hold, false);
	rig_wait(&rig);
	rig_wait(&second);
}

START_TEST(test_lost_page_fails_each_flush)
{
	struct rig_req first, waits[2];

	open_twice();
	stage_flush(&rig, &first, 0);
	wait_held(1);
	stage_flush(&second, &waits[0], 0);
	stage_flush(&rig, &waits[1], 1);
	let_go(EIO);
	ck_assert_int_eq(first.err, -EIO);
	ck_assert_int_eq(waits[0].err, -EIO);
	ck_assert_int_eq(waits[1].err, -EIO);
	ck_assert_uint_eq(fault_host.syncs, 1);
	/* What begins later does not cover what was lost. */
	ck_assert_int_eq(rig_io(&second, DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(fault_host.syncs, 2);
	close_twice();
}
END_TEST

/* The one under way does not cover what they do: they share the next one. */
START_TEST(test_flushes_that_wait_share_one)
{
	struct rig_req first, waits[4];

	open_twice();
	stage_flush(&rig, &first, 0);
	wait_held(1);
	for (u16 i = 0; i < 4; i++)
		stage_flush(i & 1 ? &rig : &second, &waits[i], (u16)(i / 2 + 1));
	let_go(0);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(waits[i].err, 0);
		ck_assert_uint_eq(waits[i].times, 1);
	}
	ck_assert_int_eq(first.err, 0);
	ck_assert_uint_eq(fault_host.syncs, 2);
	close_twice();
}
END_TEST

static void *sync_main(void *result)
{
	*(int *)result = disk_sync(disk);
	return NULL;
}

/* The same for a vCPU that switches the write cache off, before or after it. */
START_TEST(test_lost_page_fails_flush_and_sync)
{
	pthread_t vcpu;
	struct rig_req flush;
	int err = 1;

	open_twice();
	if (!_i)
		stage_flush(&rig, &flush, 0);
	else
		pthread_create(&vcpu, NULL, sync_main, &err);
	wait_held(1);
	if (!_i)
		pthread_create(&vcpu, NULL, sync_main, &err);
	else
		stage_flush(&rig, &flush, 0);
	usleep(50000);
	let_go(EIO);
	pthread_join(vcpu, NULL);
	ck_assert_int_eq(flush.err, -EIO);
	ck_assert_int_eq(err, -EIO);
	ck_assert_uint_eq(fault_host.syncs, 1);
	close_twice();
}
END_TEST

/* And for zeroes that are to be durable. */
START_TEST(test_lost_page_fails_flush_and_zeroes)
{
	struct rig_req zeroes, flush;

	open_twice();
	rig_prepare(&rig, &zeroes, 0, 0, DISK_WRITE_ZEROES, 0, NULL, 4096);
	zeroes.req.durable = true;
	rig_stage(&rig, &zeroes, 1);
	wait_held(1);
	stage_flush(&second, &flush, 0);
	let_go(EIO);
	ck_assert_int_eq(zeroes.err, -EIO);
	ck_assert_int_eq(flush.err, -EIO);
	ck_assert_uint_eq(fault_host.syncs, 1);
	close_twice();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *tc = tcase_create("cache");
	const int with_uring = bench_has_uring() ? 3 : 2;
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_open, 0, MODES);
	tcase_add_loop_test(tc, test_open_in_memory, 0, MODES);
	tcase_add_loop_test(tc, test_durable, 0, with_uring * MODES);
	tcase_add_loop_test(tc, test_sync, 0, MODES);
	tcase_add_loop_test(tc, test_durable_continued, 0, with_uring);
	tcase_add_test(tc, test_lost_page_fails_each_flush);
	tcase_add_test(tc, test_flushes_that_wait_share_one);
	tcase_add_loop_test(tc, test_lost_page_fails_flush_and_sync, 0, 2);
	tcase_add_test(tc, test_lost_page_fails_flush_and_zeroes);
	tcase_add_loop_test(tc, test_durable_small, AIO_4K, AIO_4K + 1);
	tcase_add_loop_test(tc, test_durable_small, THREADS_4K, THREADS_4K + 1);
	if (with_uring == 3)
		tcase_add_loop_test(tc, test_durable_small, URING_4K,
				    URING_4K + 1);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
