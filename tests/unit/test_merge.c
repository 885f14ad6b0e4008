// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging of adjacent requests: what becomes one, what does not, and that each
 * request ends once, with its own result and its own buffers.
 */
#include "disk/backend.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64
#define IOVS 256
#define BLOCK 4096u
#define DISK_BYTES (1u << 30)

/* A back end that keeps what it is given until the test ends it. */
static struct disk_req *staged[2 * DEPTH];
static unsigned int nstaged;

static bool keep_match(const char *path)
{
	(void)path;
	return true;
}

static int keep_open(struct disk *disk, const struct disk_params *params)
{
	(void)params;
	disk->info = (struct disk_info){
		.size = DISK_BYTES, .block_size = 512, .physical_size = 512 };
	return 0;
}

static void keep_close(struct disk *disk)
{
	(void)disk;
}

static int keep_queue_init(struct disk_queue *q, struct iothread *thread)
{
	(void)q;
	(void)thread;
	return 0;
}

static void keep_queue_exit(struct disk_queue *q)
{
	(void)q;
}

static void keep_stage(struct disk_queue *q, struct disk_req *req)
{
	(void)q;
	staged[nstaged++] = req;
}

static const struct disk_ops keep_ops = {
	.name = "keep",
	.match = keep_match,
	.open = keep_open,
	.close = keep_close,
	.queue_init = keep_queue_init,
	.queue_exit = keep_queue_exit,
	.stage = keep_stage,
};

struct request {
	struct disk_req req;	/* first: found from it */
	struct iovec iov[IOVS];
	unsigned int times;
	int err;
};

static struct disk *disk;
static struct disk_queue *queue;
static struct request *requests;

static void on_done(struct disk_req *req, int err)
{
	struct request *r = (struct request *)req;

	r->times++;
	r->err = err;
}

static void open_disk(bool merge)
{
	const struct disk_params params = { .path = "keep", .merge = merge };

	ck_assert_int_eq(disk_open_with(&keep_ops, &disk, &params), 0);
	ck_assert_int_eq(disk_queue_new(disk, NULL, DEPTH, &queue), 0);
	requests = calloc(DEPTH, sizeof(*requests));
	nstaged = 0;
}

static void setup(void)
{
	open_disk(true);
}

static void teardown(void)
{
	disk_queue_free(queue);
	disk_close(disk);
	free(requests);
}

/* Request @i in @segments pieces of a block each, at block @block. */
static void stage(unsigned int i, enum disk_op op, u64 block,
		  unsigned int segments)
{
	struct request *r = &requests[i];

	r->req = (struct disk_req){
		.op = op,
		.tag = (u16)i,
		.offset = block * BLOCK,
		.len = segments * BLOCK,
		.iov = r->iov,
		.durable = r->req.durable,
		.niov = segments,
		.iov_end = r->iov + IOVS,
		.done = on_done,
	};
	for (unsigned int k = 0; k < segments; k++)
		r->iov[k] = (struct iovec){ (char *)(block + k + 1), BLOCK };
	disk_stage(queue, &r->req);
}

static void stage_reads(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		stage(i, DISK_READ, i, 1);
	disk_unplug(queue);
}

static void expect_done(unsigned int n, int err)
{
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_uint_eq(requests[i].times, 1);
		ck_assert_int_eq(requests[i].err, err);
		ck_assert_uint_eq(requests[i].req.len, BLOCK);
		ck_assert_uint_eq(requests[i].req.niov, 1);
		ck_assert_ptr_eq(requests[i].req.iov, requests[i].iov);
	}
}

START_TEST(test_adjacent_become_one)
{
	stage_reads(10);
	ck_assert_uint_eq(nstaged, 1);
	ck_assert_uint_eq(staged[0]->offset, 0);
	ck_assert_uint_eq(staged[0]->len, 10 * BLOCK);
	ck_assert_uint_eq(staged[0]->niov, 10);
	for (unsigned int i = 0; i < 10; i++) {
		ck_assert_ptr_eq(staged[0]->iov[i].iov_base, (char *)(i + 1ul));
		ck_assert_uint_eq(staged[0]->iov[i].iov_len, BLOCK);
	}
	ck_assert_uint_eq(disk_queue_merged(queue), 9);
	disk_done(staged[0], 0);
	expect_done(10, 0);
}
END_TEST

/* Nothing goes to the back end before the turn is over, nor is it kept. */
START_TEST(test_unplug)
{
	stage(0, DISK_WRITE, 0, 1);
	ck_assert_uint_eq(nstaged, 0);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 1);
	stage(1, DISK_WRITE, 1, 1);	/* a neighbour, but of the turn before */
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 2);
	ck_assert_uint_eq(disk_queue_merged(queue), 0);
}
END_TEST

START_TEST(test_what_is_not_merged)
{
	static const struct {
		enum disk_op op;
		u64 block;
	} second[] = {
		{ DISK_WRITE, 11 },	/* another direction */
		{ DISK_READ, 12 },	/* a hole */
		{ DISK_READ, 10 },	/* the same again */
		{ DISK_READ, 9 },	/* before it */
	};

	stage(0, DISK_READ, 10, 1);
	stage(1, second[_i].op, second[_i].block, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 2);
	ck_assert_ptr_eq(staged[0], &requests[0].req);
	ck_assert_ptr_eq(staged[1], &requests[1].req);
	ck_assert_uint_eq(disk_queue_merged(queue), 0);
}
END_TEST

/* Neither is the one made durable for the other, nor left volatile. */
START_TEST(test_durability)
{
	static const bool durable[] = { false, true, true, false };

	for (unsigned int i = 0; i < 4; i++) {
		requests[i].req.durable = durable[i];
		stage(i, DISK_WRITE, i, 1);
	}
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 3);
	ck_assert_uint_eq(staged[1]->len, 2 * BLOCK);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert(staged[i]->durable == (i == 1));
}
END_TEST

/* A flush waits for nobody, and nobody is merged across it. */
START_TEST(test_flush_between)
{
	stage(0, DISK_WRITE, 0, 1);
	stage(1, DISK_FLUSH, 0, 0);
	stage(2, DISK_WRITE, 1, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 3);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_ptr_eq(staged[i], &requests[i].req);
}
END_TEST

START_TEST(test_off)
{
	teardown();
	open_disk(false);
	stage_reads(10);
	ck_assert_uint_eq(nstaged, 10);
	ck_assert_uint_eq(disk_queue_merged(queue), 0);
}
END_TEST

/* At most 512 KiB and 128 segments in one. */
START_TEST(test_bounds)
{
	for (unsigned int i = 0; i < 5; i++)
		stage(i, DISK_WRITE, 64 * i, 64);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 3);
	ck_assert_uint_eq(staged[0]->len, 512u << 10);
	ck_assert_uint_eq(staged[0]->niov, 128);
	ck_assert_uint_eq(staged[2]->niov, 64);
}
END_TEST

/* On a host with large blocks: whole ones, or parts, but not both. */
START_TEST(test_blocks)
{
	disk->merge_mask = BLOCK - 1;
	stage(0, DISK_WRITE, 0, 1);
	stage(1, DISK_WRITE, 1, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 1);
	disk->merge_mask = 2 * BLOCK - 1;
	stage(2, DISK_WRITE, 0, 2);
	stage(3, DISK_WRITE, 2, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 3);
	stage(4, DISK_WRITE, 4, 1);
	stage(5, DISK_WRITE, 5, 1);	/* both together are a whole one */
	stage(6, DISK_WRITE, 6, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 5);
}
END_TEST

/* Buffers have room for so many, and the first keeps its own. */
START_TEST(test_room)
{
	stage(0, DISK_READ, 0, 100);
	stage(1, DISK_READ, 100, 28);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 1);
	stage(2, DISK_READ, 0, 120);
	requests[2].req.iov_end = requests[2].iov + 240;	/* 241 are needed */
	stage(3, DISK_READ, 120, 1);
	disk_unplug(queue);
	ck_assert_uint_eq(nstaged, 3);
}
END_TEST

/* What fails together is tried again one by one; each has its own result. */
START_TEST(test_failure_is_split)
{
	stage_reads(4);
	ck_assert_uint_eq(nstaged, 1);
	disk_done(staged[0], -EIO);
	ck_assert_uint_eq(nstaged, 5);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(requests[i].times, 0);
		ck_assert_ptr_eq(staged[1 + i], &requests[i].req);
		ck_assert_uint_eq(staged[1 + i]->offset, i * BLOCK);
		ck_assert_uint_eq(staged[1 + i]->len, BLOCK);
		ck_assert_ptr_eq(staged[1 + i]->iov[0].iov_base,
				 (char *)(i + 1ul));
	}
	for (unsigned int i = 0; i < 4; i++)
		disk_done(staged[1 + i], i == 2 ? -EIO : 0);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(requests[i].times, 1);
		ck_assert_int_eq(requests[i].err, i == 2 ? -EIO : 0);
	}
}
END_TEST

/* A request that was merged once, and is used again. */
START_TEST(test_again)
{
	for (unsigned int round = 1; round <= 3; round++) {
		nstaged = 0;
		stage_reads(8);
		ck_assert_uint_eq(nstaged, 1);
		disk_done(staged[0], 0);
		for (unsigned int i = 0; i < 8; i++)
			ck_assert_uint_eq(requests[i].times, round);
		ck_assert_uint_eq(disk_queue_merged(queue), 7 * round);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("merge");
	TCase *tc = tcase_create("merge");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_adjacent_become_one);
	tcase_add_test(tc, test_unplug);
	tcase_add_loop_test(tc, test_what_is_not_merged, 0, 4);
	tcase_add_test(tc, test_durability);
	tcase_add_test(tc, test_flush_between);
	tcase_add_test(tc, test_off);
	tcase_add_test(tc, test_bounds);
	tcase_add_test(tc, test_blocks);
	tcase_add_test(tc, test_room);
	tcase_add_test(tc, test_failure_is_split);
	tcase_add_test(tc, test_again);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
