// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contract of disk/disk.h, checked over every back end (loop tests), and
 * the null back end.  What only the AIO back end does is in test_aio.c, what
 * image files are accepted in test_image.c.
 */
/* helpers: disk_bench.c disk_rig.c fault_disk.c fault_engine.c */
#include "disk_bench.h"
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- the contract -------------------------------------------------------- */

START_TEST(test_info)
{
	const struct disk_info *info;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	info = disk_info(b.disk);
	ck_assert_uint_eq(info->size, DISK_SIZE);
	ck_assert_uint_ge(info->block_size, 512);
	ck_assert_uint_le(info->block_size, 4096);
	ck_assert_uint_ge(info->physical_size, info->block_size);
	ck_assert(!info->readonly);
	ck_assert_ptr_nonnull(info->backend);
	if (variants[_i].place == TMPFS)
		ck_assert(!info->direct);
	bench_exit(&b);
}
END_TEST

START_TEST(test_write_then_read)
{
	const u64 len = 16384;
	struct rig_req reqs[DISK_SIZE / 16384];
	const unsigned int n = sizeof(reqs) / sizeof(reqs[0]);
	char *data = rig_buffer(DISK_SIZE, 1), *back = rig_buffer(DISK_SIZE, 2);
	bool written[DISK_SIZE / 16384];
	struct bench b;

	bench_start(&b, &variants[_i], n);
	for (unsigned int i = 0; i < n; i++)
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i, DISK_WRITE, i * len,
			    data + i * len, len);
	rig_stage(&b.rig, reqs, n);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < n; i++) {
		bench_check(&b, &reqs[i]);
		written[i] = !reqs[i].err;
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i, DISK_READ, i * len,
			    back + i * len, len);
	}
	rig_stage(&b.rig, reqs, n);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < n; i++) {
		bench_check(&b, &reqs[i]);
		if (b.variant->data && written[i] && !reqs[i].err)
			ck_assert_mem_eq(back + i * len, data + i * len, len);
	}
	bench_exit(&b);
	free(back);
	free(data);
}
END_TEST

/* Many segments, of sizes from 512 bytes up. */
START_TEST(test_scatter_gather)
{
	const u64 lens[] = { 512, 4096, 1024, 512, 8192, 2048 };
	char *data = rig_buffer(65536, 3), *back = rig_buffer(65536, 4);
	struct rig_req r;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	for (int pass = 0; pass < 2 && !b.variant->errors; pass++) {
		char *p = pass ? back : data;

		rig_prepare(&b.rig, &r, 0, 5, pass ? DISK_READ : DISK_WRITE,
			    8192, p, 16384);
		for (r.req.niov = 0; r.req.niov < 6; r.req.niov++) {
			r.iov[r.req.niov] =
				(struct iovec){ p, lens[r.req.niov] };
			p += lens[r.req.niov] + 512;
		}
		r.room = 65536;
		rig_stage(&b.rig, &r, 1);
		rig_wait(&b.rig);
		bench_check(&b, &r);
	}
	for (unsigned int i = 0, at = 0;
	     i < 6 && b.variant->data && !b.variant->errors; i++) {
		ck_assert_mem_eq(back + at, data + at, lens[i]);
		/* and nothing in between */
		ck_assert_mem_ne(back + at + lens[i], data + at + lens[i], 512);
		at += (unsigned int)lens[i] + 512;
	}
	bench_exit(&b);
	free(back);
	free(data);
}
END_TEST

/* done() stages the next one, so that the queue is always full. */
START_TEST(test_restage_from_done)
{
	struct rig_req reqs[DEPTH];
	char *buf = rig_buffer(DEPTH * 4096, 5);
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	for (unsigned int i = 0; i < DEPTH; i++) {
		rig_prepare(&b.rig, &reqs[i], 0, (u16)i,
			    i % 16 == 3 ? DISK_FLUSH :
			    i % 2	? DISK_WRITE :
					  DISK_READ,
			    i * 4096, buf + i * 4096, 4096);
		reqs[i].restage = 20 + i;
	}
	rig_stage(&b.rig, reqs, DEPTH);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < DEPTH; i++) {
		ck_assert_uint_eq(reqs[i].times, 21 + i);
		ck_assert_uint_eq(reqs[i].restage, 0);
	}
	bench_exit(&b);
	free(buf);
}
END_TEST

/* Random requests in random batches, a lone one among them; no two overlap. */
START_TEST(test_every_request_once)
{
	struct rig_req reqs[DEPTH];
	char *buf = rig_buffer(DEPTH * 8192, 6);
	unsigned int seed = 11 + (unsigned int)_i;
	struct bench b;

	bench_start(&b, &variants[_i], DEPTH);
	for (int round = 0; round < 60; round++) {
		unsigned int n = 1 + (unsigned int)rand_r(&seed) % DEPTH;

		for (unsigned int i = 0; i < n; i++) {
			u64 offset = i * 16384 +
				     (u64)rand_r(&seed) % 16 * 512;
			u64 len = (u64)(rand_r(&seed) % 16) * 512;

			rig_prepare(&b.rig, &reqs[i], 0, (u16)(DEPTH - 1 - i),
				    (enum disk_op)(rand_r(&seed) % 3), offset,
				    buf + i * 8192, len);
		}
		rig_stage(&b.rig, reqs, n);
		rig_wait(&b.rig);
		for (unsigned int i = 0; i < n; i++)
			bench_check(&b, &reqs[i]);
	}
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_flush)
{
	char *buf = rig_buffer(4096, 7);
	struct bench b;
	int err;

	bench_start(&b, &variants[_i], DEPTH);
	for (int i = 0; i < 5; i++) {
		err = rig_io(&b.rig, DISK_WRITE, 4096, buf, 4096);
		ck_assert(!err || b.variant->errors);
		err = rig_io(&b.rig, DISK_FLUSH, 0, NULL, 0);
		ck_assert(!err || b.variant->errors);
	}
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_last_sectors)
{
	char *buf = rig_buffer(4096, 8);
	struct bench b;
	int err;

	bench_start(&b, &variants[_i], 1);
	err = rig_io(&b.rig, DISK_WRITE, DISK_SIZE - 512, buf, 512);
	ck_assert(!err || b.variant->errors);
	err = rig_io(&b.rig, DISK_READ, DISK_SIZE - 4096, buf, 4096);
	ck_assert(!err || b.variant->errors);
	err = rig_io(&b.rig, DISK_READ, DISK_SIZE, buf, 0);
	ck_assert(!err || b.variant->errors);
	bench_exit(&b);
	free(buf);
}
END_TEST

START_TEST(test_queues_share_a_thread)
{
	struct rig_req reqs[RIG_QUEUES * 8];
	char *buf = rig_buffer(RIG_QUEUES * 8 * 512, 9);
	struct bench b;

	bench_open(&b, &variants[_i]);
	for (int q = 0; q < RIG_QUEUES; q++)
		rig_add(&b.rig, b.disk, 8);
	rig_start(&b.rig);
	for (unsigned int i = 0; i < RIG_QUEUES * 8; i++)
		rig_prepare(&b.rig, &reqs[i], i % RIG_QUEUES,
			    (u16)(i / RIG_QUEUES), DISK_WRITE, i * 512,
			    buf + i * 512, 512);
	rig_stage(&b.rig, reqs, RIG_QUEUES * 8);
	rig_wait(&b.rig);
	for (unsigned int i = 0; i < RIG_QUEUES * 8; i++)
		bench_check(&b, &reqs[i]);
	bench_exit(&b);
	free(buf);
}
END_TEST

/* Whether disk_stage() refuses what the device model must never stage. */
START_TEST(test_broken_contract_is_a_bug)
{
	static const struct {
		u16 tag;
		u64 offset, len;
	} bad[] = {
		{ 4, 0, 512 },			{ 0, 256, 512 },
		{ 0, 0, 100 },			{ 0, DISK_SIZE, 512 },
		{ 0, DISK_SIZE - 512, 1024 },	{ 0, ~511ull, 1024 },
	};
	struct rig_capture c;
	struct rig_req r;
	struct bench b;

	bench_open(&b, &variants[NULL_DISK]);
	rig_add(&b.rig, b.disk, 4);
	rig_prepare(&b.rig, &r, 0, bad[_i].tag, DISK_READ, bad[_i].offset, NULL,
		    bad[_i].len);
	rig_capture_start(&c);
	disk_stage(b.rig.queues[0], &r.req);	/* aborts */
}
END_TEST

/* --- null ---------------------------------------------------------------- */

START_TEST(test_null_sizes)
{
	static const struct {
		const char *path;
		u64 size;
	} sizes[] = {
		{ "null:512", 512 },	  { "null:64K", 65536 },
		{ "null:3m", 3 << 20 },	  { "null:64G", 64ull << 30 },
		{ "null:2T", 2ull << 40 }, { "null:", 0 },
		{ "null:0", 0 },	  { "null:513", 0 },
		{ "null:1X", 0 },	  { "null:1GB", 0 },
		{ "null:-1G", 0 },	  { "null:16777216T", 0 },
		{ "null:99999999999999999999", 0 },
	};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct disk_params params = { .path = sizes[i].path };
		struct rig_capture c;
		struct disk *disk;
		int err;

		rig_capture_start(&c);
		err = disk_open(&disk, &params);
		rig_capture_end(&c);
		if (sizes[i].size) {
			ck_assert_int_eq(err, 0);
			ck_assert_uint_eq(disk_info(disk)->size, sizes[i].size);
			ck_assert_str_eq(disk_info(disk)->backend, "null");
			disk_close(disk);
		} else {
			ck_assert_int_eq(err, -EINVAL);
			rig_expect_line(&c, sizes[i].path, "null:64G");
		}
	}
}
END_TEST

START_TEST(test_null_counts)
{
	char *buf = rig_buffer(4096, 40), *same = rig_buffer(4096, 40);
	struct bench b;

	bench_start(&b, &variants[NULL_DISK], DEPTH);
	bench_write(&b, buf, 1, 4096);
	ck_assert_int_eq(rig_io(&b.rig, DISK_READ, 0, buf, 4096), 0);
	ck_assert_mem_eq(buf, same, 4096);
	ck_assert_uint_eq(bench_stats(&b).submitted, 2);
	ck_assert_uint_eq(bench_stats(&b).submits, 2);
	bench_exit(&b);
	free(same);
	free(buf);
}
END_TEST

static Suite *disk_suite(bool forking)
{
	Suite *s = suite_create("disk");
	TCase *contract = tcase_create("contract");
	TCase *null = tcase_create("null");

	suite_add_tcase(s, contract);
	tcase_set_timeout(contract, 120);
	bench_add_all(contract, test_info);
	bench_add_all(contract, test_write_then_read);
	bench_add_all(contract, test_scatter_gather);
	bench_add_all(contract, test_restage_from_done);
	bench_add_all(contract, test_every_request_once);
	bench_add_all(contract, test_flush);
	bench_add_all(contract, test_last_sectors);
	bench_add_all(contract, test_queues_share_a_thread);
	if (forking)
		tcase_add_loop_test_raise_signal(contract,
						 test_broken_contract_is_a_bug,
						 SIGABRT, 0, 6);

	suite_add_tcase(s, null);
	tcase_add_test(null, test_null_sizes);
	tcase_add_test(null, test_null_counts);
	return s;
}

int main(void)
{
	const char *fork_mode = getenv("CK_FORK");
	SRunner *runner = srunner_create(
		disk_suite(!fork_mode || strcmp(fork_mode, "no") != 0));
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
