// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk on a host that fails: what each rerror= and werror= makes of it,
 * requests that are kept, tried again, given up by a reset.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u

static char path[256];

/* What the device wanted the guest to be paused for. */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int pauses;
static char pause_why[256];

static void on_pause(void *ctx, const char *why)
{
	expect(ctx == &pauses);
	pthread_mutex_lock(&pause_lock);
	pauses++;
	snprintf(pause_why, sizeof(pause_why), "%s", why);
	pthread_mutex_unlock(&pause_lock);
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static unsigned int pauses_now(void)
{
	unsigned int n;

	pthread_mutex_lock(&pause_lock);
	n = pauses;
	pthread_mutex_unlock(&pause_lock);
	return n;
}

/* Until it was paused @n times, for what has these words in it. */
static void expect_paused(unsigned int n, const char *words)
{
	u64 end = now_ns() + 10000000000;

	while (pauses_now() < n && now_ns() < end)
		usleep(1000);
	pthread_mutex_lock(&pause_lock);
	ck_assert_uint_eq(pauses, n);
	ck_assert_msg(strstr(pause_why, words), "not \"%s\": %s", words,
		      pause_why);
	pthread_mutex_unlock(&pause_lock);
}

static void clean_host(void)
{
	blk_params.on_error = (struct virtio_blk_on_error){
		.pause = on_pause,
		.ctx = &pauses,
	};
	pauses = 0;
	memset(&fault_host, 0, sizeof(fault_host));
}

/* Four queues on @n threads, ready. */
static void open_queues(struct disk *d, unsigned int n)
{
	open_blk(d, QUEUES_MAX, n, SLOTS);
	drive(DRIVER_FEATURES);
}

/* On a file, by native AIO, whose calls fault_host can refuse and cut. */
static void open_file(enum disk_cache cache)
{
	struct disk_params p = {
		.path = path,
		.engine = DISK_ENGINE_NATIVE,
		.cache = cache,
	};
	struct disk *d;

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	ck_assert_int_eq(disk_open(&d, &p), 0);
	open_queues(d, 1);
}

static void close_file(void)
{
	close_blk();
	unlink(path);
}

static u8 status_in(unsigned int q, unsigned int i)
{
	return *status_byte(slot_of(q, i));
}

static u8 *data_in(unsigned int q, unsigned int i)
{
	return slot_data(slot_of(q, i));
}

/* A request of three buffers of data, none of them the same; not yet seen. */
static void add(unsigned int q, unsigned int i, u32 type, u64 sector, u32 len)
{
	const struct slot *s = slot_of(q, i);
	struct ring_buf usual[3], cut[5];
	unsigned int n = request_bufs(s, type, sector, len, usual);

	if (!len) {
		ring_add_indirect(&rings[q], s->table, usual, n);
		return;
	}
	cut[0] = usual[0];
	for (unsigned int k = 1; k < 4; k++)
		cut[k] = usual[1];
	cut[1].len = len / 2;
	cut[2].len = cut[3].len = len / 4;
	cut[2].gpa += len / 2;
	cut[3].gpa += len / 4 * 3;
	cut[4] = usual[2];
	ring_add_indirect(&rings[q], s->table, cut, 5);
}

static void submit(unsigned int q, u32 type, u64 sector, u32 len)
{
	add(q, 0, type, sector, len);
	ring_kick(&rings[q]);
}

/* The submitted one is done. */
static void expect_done(unsigned int q, u8 status, u32 want_len)
{
	u32 len;

	ring_wait_used(&rings[q], &len);
	ck_assert_uint_eq(status_in(q, 0), status);
	ck_assert_uint_eq(len, want_len);
}

/* --- policies ------------------------------------------------------------ */

/*
 * A write that fails in its middle, whole sectors or not, is kept; what is
 * left of it is tried when it is said so, and if it fails then, once more.
 */
START_TEST(test_write_kept_and_retried)
{
	unsigned int cut = _i ? 1000 : 1024;
	char want[4096], got[4096];
	char words[64];
	int fd;

	blk_params.on_error.write = VIRTIO_BLK_STOP;
	open_file(_i ? DISK_CACHE_WRITEBACK : DISK_CACHE_NONE);
	fault_host.cut = cut;
	fault_host.refuse = ENOSPC;
	fault_host.refuse_offset = 2 * cut;
	rig_fill(want, sizeof(want), 7);
	memcpy(data_in(0, 0), want, sizeof(want));
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_paused(1, "vdt: host write of 4096 bytes at 0 failed: No space left on device");
	ck_assert(!ring_used_pending(&rings[0]));
	virtio_blk_retry(blk);
	snprintf(words, sizeof(words), "write of %u bytes at %u failed",
		 4096 - 2 * cut, 2 * cut);
	expect_paused(2, words);
	ck_assert(!ring_used_pending(&rings[0]));
	ck_assert_uint_eq(status_in(0, 0), 0xee);
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(STAT(0, kept), 2);
	ck_assert_uint_eq(STAT(0, errors), 0);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, got, sizeof(got)), sizeof(got));
	close(fd);
	ck_assert_mem_eq(got, want, sizeof(want));
	virtio_blk_retry(blk);	/* nothing is left */
	close_file();
}
END_TEST

START_TEST(test_read_kept_and_retried)
{
	unsigned int cut = _i ? 1000 : 1024;
	char want[4096];

	blk_params.on_error.read = VIRTIO_BLK_STOP;
	open_file(_i ? DISK_CACHE_WRITEBACK : DISK_CACHE_NONE);
	rig_fill(want, sizeof(want), 9);
	memcpy(data_in(0, 0), want, sizeof(want));
	submit(0, VIRTIO_BLK_T_OUT, 8, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	memset(data_in(0, 0), 0xaa, 4096);
	fault_host.cut = cut;
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 4096 + 3 * cut;
	submit(0, VIRTIO_BLK_T_IN, 8, 4096);
	expect_paused(1, "vdt: host read of 4096 bytes at 4096 failed: Input/output error");
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 4097);
	ck_assert_mem_eq(data_in(0, 0), want, sizeof(want));
	close_file();
}
END_TEST

enum outcome { REPORTED, PAUSED, IGNORED };

static const struct {
	enum virtio_blk_policy read, write;
	u32 type;
	int err;
	enum outcome outcome;
} policies[] = {
	{ VIRTIO_BLK_REPORT, VIRTIO_BLK_STOP, VIRTIO_BLK_T_IN, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_REPORT, VIRTIO_BLK_T_OUT, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_REPORT, VIRTIO_BLK_T_IN, EIO, PAUSED },
	{ VIRTIO_BLK_REPORT, VIRTIO_BLK_STOP, VIRTIO_BLK_T_OUT, EIO, PAUSED },
	{ VIRTIO_BLK_IGNORE, VIRTIO_BLK_STOP, VIRTIO_BLK_T_IN, EIO, IGNORED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_IGNORE, VIRTIO_BLK_T_OUT, EIO, IGNORED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, EIO, REPORTED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, ENOSPC, PAUSED },
	{ VIRTIO_BLK_STOP, VIRTIO_BLK_ENOSPC, VIRTIO_BLK_T_OUT, EDQUOT, PAUSED },
};

START_TEST(test_policies)
{
	bool in = policies[_i].type == VIRTIO_BLK_T_IN;
	struct rig_capture c;

	blk_params.on_error.read = policies[_i].read;
	blk_params.on_error.write = policies[_i].write;
	open_file(DISK_CACHE_NONE);
	fault_host.refuse = policies[_i].err;
	fault_host.refuse_offset = 8192;
	memset(data_in(0, 0), 0xaa, 4096);
	rig_capture_start(&c);
	submit(0, policies[_i].type, 16, 4096);
	switch (policies[_i].outcome) {
	case REPORTED:
		expect_done(0, VIRTIO_BLK_S_IOERR, in ? 0 : 1);
		break;
	case IGNORED:
		expect_done(0, VIRTIO_BLK_S_OK, in ? 4097 : 1);
		ck_assert_uint_eq(data_in(0, 0)[0], in ? 0 : 0xaa);
		ck_assert_uint_eq(data_in(0, 0)[4095], in ? 0 : 0xaa);
		break;
	case PAUSED:
		expect_paused(1, strerror(policies[_i].err));
		fault_host.refuse = 0;
		virtio_blk_retry(blk);
		expect_done(0, VIRTIO_BLK_S_OK, in ? 4097 : 1);
	}
	rig_capture_end(&c);
	if (policies[_i].outcome != PAUSED)
		rig_expect_line(&c, "vdt", in ? "read" : "write", "told once");
	else
		ck_assert_str_eq(c.text, "");	/* that is the VM's to tell */
	ck_assert_uint_eq(STAT(0, ignored), policies[_i].outcome == IGNORED);
	ck_assert_uint_eq(STAT(0, errors), policies[_i].outcome == REPORTED);
	close_file();
}
END_TEST

/* A read that is ignored gives what there was, and zeroes behind it. */
START_TEST(test_ignored_read_keeps_its_beginning)
{
	blk_params.on_error.read = VIRTIO_BLK_IGNORE;
	open_file(DISK_CACHE_NONE);
	memset(data_in(0, 0), 0x55, 4096);
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	memset(data_in(0, 0), 0xaa, 4096);
	fault_host.cut = 1024;
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 1024;
	submit(0, VIRTIO_BLK_T_IN, 0, 4096);
	expect_done(0, VIRTIO_BLK_S_OK, 4097);
	ck_assert_uint_eq(data_in(0, 0)[1023], 0x55);
	ck_assert_uint_eq(data_in(0, 0)[1024], 0);
	ck_assert_uint_eq(data_in(0, 0)[4095], 0);
	close_file();
}
END_TEST

/* Flushes go by werror=. */
START_TEST(test_flush)
{
	static const enum virtio_blk_policy writes[] = {
		VIRTIO_BLK_REPORT, VIRTIO_BLK_IGNORE, VIRTIO_BLK_ENOSPC,
	};
	struct rig_capture c;

	blk_params.on_error.read = VIRTIO_BLK_STOP;
	blk_params.on_error.write = writes[_i];
	open_queues(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 1);
	rig_capture_start(&c);
	submit(0, VIRTIO_BLK_T_FLUSH, 0, 0);
	expect_done(0, writes[_i] == VIRTIO_BLK_IGNORE ? VIRTIO_BLK_S_OK :
							 VIRTIO_BLK_S_IOERR, 1);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "flush", "told once");
	close_blk();
}
END_TEST

/* --- stopped ------------------------------------------------------------- */

/* A reset, of the device or of the queue, gives up what is kept. */
START_TEST(test_reset_gives_up)
{
	static const u32 types[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH };

	blk_params.on_error.write = VIRTIO_BLK_STOP;
	open_queues(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 2);
	for (unsigned int i = 0; i < 4; i++) {
		submit(0, types[i % 2], 0, types[i % 2] ==
				VIRTIO_BLK_T_OUT ? 4096 : 0);
		expect_paused(i + 1, i % 2 ? "flush" : "write");
		if (i < 2) {
			set_status(0);
		} else {
			pthread_mutex_lock(&dev->lock);
			virtio_device_reset_queue(dev, 0);
			pthread_mutex_unlock(&dev->lock);
		}
		ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
		ck_assert_uint_eq(status_in(0, 0), VIRTIO_BLK_S_IOERR);
		virtio_blk_retry(blk);	/* by SIGUSR2, too late */
		ck_assert_uint_eq(ring_used_idx(&rings[0]), 1);
		set_status(0);
		drive(DRIVER_FEATURES);
	}
	ck_assert_uint_eq(pauses_now(), 4);
	close_blk();
}
END_TEST

/* What others have in flight completes, on the same thread and on another. */
START_TEST(test_others_go_on)
{
	blk_params.on_error.write = VIRTIO_BLK_STOP;
	open_file(DISK_CACHE_NONE);
	fault_host.refuse = EIO;
	fault_host.refuse_offset = 0;
	submit(0, VIRTIO_BLK_T_OUT, 0, 4096);
	expect_paused(1, "write");
	for (unsigned int q = 1; q < QUEUES_MAX; q++) {
		submit(q, VIRTIO_BLK_T_OUT, 8 * q, 4096);
		expect_done(q, VIRTIO_BLK_S_OK, 1);
	}
	add(0, 1, VIRTIO_BLK_T_IN, 64, 4096);	/* and of the same queue */
	ring_kick(&rings[0]);
	expect(ring_wait_used(&rings[0], &(u32){ 0 }) < SLOTS);
	ck_assert_uint_eq(status_in(0, 1), VIRTIO_BLK_S_OK);
	fault_host.refuse = 0;
	virtio_blk_retry(blk);
	expect_done(0, VIRTIO_BLK_S_OK, 1);
	close_file();
}
END_TEST

/*
 * Every fifth request fails, each time it is tried, and completions come late
 * and in any order: with someone who resumes all is done, once, and right.
 */
START_TEST(test_all_is_done_in_the_end)
{
	unsigned int rounds = test_scale(200), seen = 0;

	blk_params.on_error.read = blk_params.on_error.write = VIRTIO_BLK_STOP;
	open_queues(rig_open(&disk_fault_ops, "fault:7:20:3:memory:1048576"), 2);
	for (unsigned int round = 0; round < 2 * rounds; round++) {
		bool write = round % 2 == 0;
		unsigned int got = 0;
		char want[BLOCK];
		u32 id, len;

		for (unsigned int n = 0; n < 4 * 16; n++) {
			unsigned int q = n % 4, i = n / 4;

			if (write)
				rig_fill((char *)data_in(q, i), BLOCK, round + n);
			else
				memset(data_in(q, i), 0, BLOCK);
			add(q, i, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
			    8 * n, BLOCK);
		}
		for (unsigned int q = 0; q < 4; q++)
			ring_kick(&rings[q]);
		while (got < 4 * 16) {
			for (unsigned int q = 0; q < 4; q++)
				while (ring_get(&rings[q], &id, &len)) {
					expect(len == (write ? 1 : BLOCK + 1));
					got++;
				}
			if (pauses_now() > seen) {
				seen = pauses_now();
				virtio_blk_retry(blk);
			}
		}
		for (unsigned int n = 0; n < 4 * 16; n++) {
			expect(status_in(n % 4, n / 4) == VIRTIO_BLK_S_OK);
			rig_fill(want, BLOCK, round - !write + n);
			expect(!memcmp(data_in(n % 4, n / 4), want, BLOCK));
		}
	}
	ck_assert_uint_gt(seen, rounds);
	close_blk();
}
END_TEST

static void add_error(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "error, packed" : "error", packed);

	tcase_add_checked_fixture(tc, clean_host, NULL);
	tcase_add_loop_test(tc, test_write_kept_and_retried, 0, 2);
	tcase_add_loop_test(tc, test_read_kept_and_retried, 0, 2);
	tcase_add_loop_test(tc, test_policies, 0,
			    sizeof(policies) / sizeof(policies[0]));
	tcase_add_test(tc, test_ignored_read_keeps_its_beginning);
	tcase_add_loop_test(tc, test_flush, 0, 3);
	tcase_add_test(tc, test_reset_gives_up);
	tcase_add_test(tc, test_others_go_on);
	tcase_add_test(tc, test_all_is_done_in_the_end);
}

int main(void)
{
	Suite *suite = suite_create("blk-error");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_error(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
