// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discards, zeroes and secure erasure of files and block devices: what is
 * offered, what becomes of the data and of the space, and hosts that cannot.
 */
/* helpers: disk_rig.c fault_disk.c fault_engine.c fault_erase.c loop.c */
#include "barrier.h"
#include "disk/image.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "loop.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART (512u << 10)
#define SIZE (4 * PART)
#define DEPTH 64u

static char path[256];		/* of what is opened: the image, or a loop device on it */
static char image[256];
static char *data;
static struct disk *disk;
static struct rig rig;

static void make_image(const char *dir)
{
	int fd;

	memset(&fault_host, 0, sizeof(fault_host));
	rig_file(image, sizeof(image), dir, SIZE);
	strcpy(path, image);
	data = rig_buffer(SIZE, 5);
	fd = open(image, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(write(fd, data, SIZE), SIZE);
	ck_assert_int_eq(fsync(fd), 0);
	close(fd);
}

static void open_disk(const struct disk_params *params)
{
	struct disk_params p = *params;
	struct rig_capture c;

	p.path = path;
	rig_capture_start(&c);	/* nothing may be direct here */
	ck_assert_int_eq(disk_open(&disk, &p), 0);
	rig_capture_end(&c);
	rig_init(&rig);
	rig_add(&rig, disk, DEPTH);
	rig_start(&rig);
}

static const struct disk_params usual = { .discard = true };

/* A file full of data, as a disk. */
static void start(const char *dir)
{
	make_image(dir);
	open_disk(&usual);
}

static void stop(void)
{
	rig_exit(&rig);
	disk_close(disk);
}

static void end(void)
{
	stop();
	unlink(image);
	free(data);
}

static const char *local(void)
{
	const char *dir = rig_direct_dir();

	return dir ? dir : "/tmp";
}

/* What the image holds is @data, with zeroes there. */
static void expect_zeroes(u64 offset, u64 len)
{
	char *back = rig_buffer(SIZE, 9);
	int fd = open(image, O_RDONLY | O_CLOEXEC);

	memset(data + offset, 0, len);
	ck_assert_int_eq(read(fd, back, SIZE), SIZE);
	ck_assert(!memcmp(back, data, SIZE));
	close(fd);
	free(back);
}

static u64 allocated(void)
{
	struct stat st;

	ck_assert_int_eq(stat(image, &st), 0);
	return (u64)st.st_blocks * 512;
}

/* How: z zeroes, d discard, s secure; u unmap, w durable */
static int erase(const char *how, u64 offset, u64 len)
{
	struct rig_req r;

	rig_prepare(&rig, &r, 0, 1,
		    *how == 'z' ? DISK_WRITE_ZEROES :
		    *how == 'd' ? DISK_DISCARD : DISK_SECURE_ERASE,
		    offset, NULL, len);
	r.req.niov = 0;
	r.req.unmap = strchr(how, 'u');
	r.req.durable = strchr(how, 'w');
	rig_stage(&rig, &r, 1);
	rig_wait(&rig);
	ck_assert_uint_eq(r.times, 1);
	return r.err;
}

/* --- what is offered ----------------------------------------------------- */

START_TEST(test_offered)
{
	const struct disk_info *info;
	u64 before;

	start(local());
	before = allocated();
	info = disk_info(disk);
	ck_assert_uint_gt(info->discard_max, 0);
	ck_assert_uint_ge(info->discard_align, info->block_size);
	ck_assert_uint_gt(info->zeroes_max, 0);
	ck_assert(info->zeroes_unmap);
	ck_assert_uint_eq(info->secure_erase_max, 0);
	expect_zeroes(0, 0);	/* finding out has changed nothing */
	ck_assert_uint_eq(allocated(), before);
	stop();

	open_disk(&(struct disk_params){ .discard = false });
	info = disk_info(disk);
	ck_assert_uint_eq(info->discard_max, 0);
	ck_assert_uint_gt(info->zeroes_max, 0);
	ck_assert(!info->zeroes_unmap);
	ck_assert_int_eq(erase("zu", 0, PART), 0);	/* and is not done */
	ck_assert_uint_ge(allocated(), before);
	expect_zeroes(0, PART);
	stop();

	open_disk(&(struct disk_params){ .discard = true, .readonly = true });
	info = disk_info(disk);
	ck_assert_uint_eq(info->discard_max, 0);
	ck_assert_uint_eq(info->zeroes_max, 0);
	stop();

	fault_host.no_punch = EOPNOTSUPP;
	open_disk(&usual);
	info = disk_info(disk);
	ck_assert_uint_eq(info->discard_max, 0);
	ck_assert_uint_gt(info->zeroes_max, 0);
	ck_assert(!info->zeroes_unmap);
	end();
}
END_TEST

/* --- data and space ------------------------------------------------------ */

START_TEST(test_discard)
{
	u64 before;

	start(_i ? "/dev/shm" : local());
	before = allocated();
	ck_assert_int_eq(erase("d", PART, 2 * PART), 0);
	expect_zeroes(PART, 2 * PART);
	ck_assert_uint_le(allocated(), before - 2 * PART);
	ck_assert_int_eq(erase("d", 0, SIZE), 0);
	ck_assert_int_eq(erase("d", SIZE - 512, 512), 0);
	expect_zeroes(0, SIZE);
	ck_assert_uint_eq(fault_host.pwrites, 0);
	end();
}
END_TEST

#define PIECE (256u << 10)	/* of zeroes that are written */

static const struct {
	u64 offset, len;
	unsigned int direct, buffered;	/* pieces, on blocks of 4 KiB */
} ranges[] = {
	{ 0, SIZE, SIZE / PIECE, 0 },
	{ 512, 512, 0, 1 },
	{ 4096, 4096, 1, 0 },
	{ 3584, 1024, 0, 1 },
	{ 1024, 300 * 1024, 0, 2 },
	{ SIZE - 512, 512, 0, 1 },
	{ 65536, 1048576 + 512, 4, 1 },
};
#define RANGES 7

/* Whatever the host can, and however it does it: there are zeroes, and no more. */
START_TEST(test_zeroes)
{
	static const int errors[] = { 0, EOPNOTSUPP, EINVAL, ENODEV };
	const u64 offset = ranges[_i % RANGES].offset;
	const u64 len = ranges[_i % RANGES].len;
	u64 before;

	for (unsigned int how = 0; how < 16; how++) {
		bool unmap = how & 1, tmpfs = how & 2;

		/* Without the grace period of RCU that io_destroy(2) waits for. */
		make_image(tmpfs ? "/dev/shm" : local());
		open_disk(&(struct disk_params){
			.discard = true, .engine = DISK_ENGINE_THREADS });
		before = allocated();
		fault_host.no_punch = errors[_i / RANGES];
		fault_host.no_zero_range = how & 4 ? EOPNOTSUPP : 0;
		fault_host.cut = how & 8 ? 1536 : 0;
		fault_host.interrupt = how & 8 ? 2 : 0;
		ck_assert_int_eq(erase(unmap ? "zu" : "z", offset, len), 0);
		expect_zeroes(offset, len);
		if (unmap && !errors[_i / RANGES] && len >= 65536)
			ck_assert_uint_lt(allocated(), before);
		else if (!unmap)
			ck_assert_uint_ge(allocated(), before);
		ck_assert_int_eq(!!fault_host.pwrites,
				 (tmpfs || how & 4) &&
				 (!unmap || errors[_i / RANGES]));
		end();
	}
}
END_TEST

/* A host with blocks of 4 KiB: written zeroes reach it in whole ones, or buffered. */
START_TEST(test_zeroes_on_large_blocks)
{
	const u64 offset = ranges[_i].offset, len = ranges[_i].len;
	struct image *img;

	make_image(local());
	open_disk(&usual);
	img = disk->priv;
	img->offset_align = 4096;
	img->mem_align = 4096;
	img->buffered_fd = open(image, O_RDWR | O_CLOEXEC);
	fault_host.no_zero_range = EOPNOTSUPP;
	fault_host.direct_fd = img->fd;
	ck_assert_int_eq(erase("z", offset, len), 0);
	expect_zeroes(offset, len);
	ck_assert_uint_eq(fault_host.pwrites, ranges[_i].direct +
						      ranges[_i].buffered);
	ck_assert_uint_eq(fault_host.direct_pwrites, ranges[_i].direct);
	ck_assert_uint_eq(fault_host.misplaced_pwrites, 0);
	end();
}
END_TEST

/* --- errors -------------------------------------------------------------- */

/* A discard is a hint, but an error is an error. */
START_TEST(test_discard_refused)
{
	start(local());
	fault_host.no_punch = EOPNOTSUPP;
	ck_assert_int_eq(erase("d", 0, SIZE), 0);
	expect_zeroes(0, 0);
	fault_host.no_punch = EIO;
	ck_assert_int_eq(erase("d", 0, SIZE), -EIO);
	end();
}
END_TEST

START_TEST(test_zeroes_fail)
{
	start(local());
	fault_host.no_zero_range = ENOSPC;
	ck_assert_int_eq(erase("z", 0, SIZE), -ENOSPC);
	fault_host.no_punch = EIO;
	ck_assert_int_eq(erase("zu", 0, SIZE), -EIO);
	ck_assert_uint_eq(fault_host.pwrites, 0);
	fault_host.no_zero_range = EOPNOTSUPP;
	fault_host.refuse = EIO;
	fault_host.refuse_offset = PART;
	ck_assert_int_eq(erase("z", 0, SIZE), -EIO);
	/* Others live on. */
	fault_host.refuse = 0;
	fault_host.no_zero_range = 0;
	ck_assert_int_eq(erase("z", 0, SIZE), 0);
	expect_zeroes(0, SIZE);
	end();
}
END_TEST

/* --- durability ---------------------------------------------------------- */

START_TEST(test_durable_zeroes)
{
	const bool unsafe = _i;

	make_image(local());
	open_disk(&(struct disk_params){
		.discard = true,
		.cache = unsafe ? DISK_CACHE_UNSAFE : DISK_CACHE_NONE });
	ck_assert_int_eq(erase("z", 0, 65536), 0);
	ck_assert_uint_eq(fault_host.syncs, 0);
	ck_assert_int_eq(erase("zw", 0, 65536), 0);
	ck_assert_uint_eq(fault_host.syncs, !unsafe);
	ck_assert_int_eq(erase("zuw", 0, 65536), 0);
	ck_assert_uint_eq(fault_host.syncs, unsafe ? 0 : 2);
	fault_host.no_zero_range = EIO;
	ck_assert_int_eq(erase("zw", 0, 65536), -EIO);
	ck_assert_uint_eq(fault_host.syncs, unsafe ? 0 : 2);
	end();
}
END_TEST

/* --- workers ------------------------------------------------------------- */

static unsigned int count_erasers(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned int n = 0;
	struct dirent *e;

	while ((e = readdir(dir))) {
		char file[300], name[32] = "";
		FILE *f;

		snprintf(file, sizeof(file), "/proc/self/task/%s/comm",
			 e->d_name);
		f = fopen(file, "re");
		if (!f)
			continue;
		n += fgets(name, sizeof(name), f) &&
		     !strcmp(name, "lkvm/eraser\n");
		fclose(f);
	}
	closedir(dir);
	return n;
}

static unsigned int pending(void)
{
	unsigned int n;

	pthread_mutex_lock(&rig.lock);
	n = rig.pending;
	pthread_mutex_unlock(&rig.lock);
	return n;
}

/* Slow ones keep nobody waiting; they need few threads, and none before. */
START_TEST(test_thread_is_not_blocked)
{
	static struct rig_req reqs[DEPTH];
	char *buf = rig_buffer(4096, 3);

	start(local());
	ck_assert_uint_eq(count_erasers(), 0);
	write_once(&fault_host.hold, true);
	for (unsigned int i = 0; i < 20; i++) {
		rig_prepare(&rig, &reqs[i], 0, (u16)(i + 1),
			    i % 2 ? DISK_DISCARD : DISK_WRITE_ZEROES, i * 4096,
			    NULL, 4096);
		reqs[i].req.niov = 0;
		reqs[i].restage = i % 3;
	}
	rig_stage(&rig, reqs, 20);
	for (unsigned int i = 0; i < 5000 && read_once(&fault_host.held) < 2; i++)
		usleep(1000);
	usleep(20000);
	ck_assert_uint_eq(read_once(&fault_host.held), 2);
	ck_assert_uint_eq(count_erasers(), 2);
	/* The queue goes on meanwhile. */
	for (unsigned int i = 0; i < 20; i++) {
		struct rig_req r;

		rig_prepare(&rig, &r, 0, 0, i % 2 ? DISK_READ : DISK_WRITE,
			    PART, buf, 4096);
		rig_stage(&rig, &r, 1);
		for (unsigned int k = 0; k < 5000 && pending() > 20; k++)
			usleep(1000);
		ck_assert_uint_eq(pending(), 20);
		ck_assert_uint_eq(r.times, 1);
	}
	write_once(&fault_host.hold, false);
	rig_wait(&rig);
	for (unsigned int i = 0; i < 20; i++) {
		ck_assert_uint_eq(reqs[i].times, 1 + i % 3);
		ck_assert_int_eq(reqs[i].err, 0);
	}
	memcpy(data + PART, buf, 4096);
	expect_zeroes(0, 20 * 4096);
	end();
	ck_assert_uint_eq(count_erasers(), 0);
	free(buf);
}
END_TEST

/* A reset does not wait for all that waits: 62 of 64 never reach the host. */
START_TEST(test_cancel)
{
	static struct rig_req reqs[DEPTH];
	unsigned int cancelled = 0, n = 30;

	start(local());
	write_once(&fault_host.hold, true);
	for (unsigned int i = 0; i < n; i++) {
		rig_prepare(&rig, &reqs[i], 0, (u16)i, DISK_WRITE_ZEROES,
			    i * 4096, NULL, 4096);
		reqs[i].req.niov = 0;
	}
	rig_stage(&rig, reqs, n);
	for (unsigned int i = 0; i < 5000 && read_once(&fault_host.held) < 2; i++)
		usleep(1000);
	disk_cancel(rig.queues[0]);
	for (unsigned int i = 0; i < 5000 && pending() > 2; i++)
		usleep(1000);
	ck_assert_uint_eq(pending(), 2);
	write_once(&fault_host.hold, false);
	rig_wait(&rig);
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_uint_eq(reqs[i].times, 1);
		cancelled += reqs[i].err == -ECANCELED;
	}
	ck_assert_uint_eq(cancelled, n - 2);
	/* It is over: what comes now is carried out. */
	ck_assert_int_eq(erase("z", 0, 4096 * n), 0);
	expect_zeroes(0, 4096 * n);
	end();
}
END_TEST

/* --- block devices ------------------------------------------------------- */

/* Of @block bytes; false: there are none here. */
static bool start_loop(u32 block, bool secure, int *loop)
{
	make_image(local());
	*loop = loop_attach(path, sizeof(path), block, 0);
	if (*loop < 0) {
		printf("skip - loop devices: cannot be made here\n");
		unlink(image);
		return false;
	}
	fault_host.secure = secure;
	open_disk(&usual);
	return true;
}

static void end_loop(int loop)
{
	stop();
	close(loop);
	unlink(image);
	free(data);
}

START_TEST(test_block_device)
{
	const u32 block = _i ? 4096 : 512;
	const struct disk_info *info;
	u64 before;
	int loop;

	if (!start_loop(block, false, &loop))
		return;
	before = allocated();
	info = disk_info(disk);
	ck_assert_uint_gt(info->discard_max, 0);
	ck_assert_uint_eq(info->discard_max % block, 0);
	ck_assert_uint_ge(info->discard_align, block);
	ck_assert(info->zeroes_unmap);
	ck_assert_uint_eq(info->secure_erase_max, 0);
	ck_assert_int_eq(erase("s", 0, SIZE), -EOPNOTSUPP);
	ck_assert_int_eq(erase("d", PART, PART), 0);
	expect_zeroes(PART, PART);
	ck_assert_uint_lt(allocated(), before);
	/* No whole block of the host is in these, whose blocks are 4096. */
	ck_assert_int_eq(erase("d", 512, 4096), 0);
	ck_assert_int_eq(erase("d", 8192 + 512, 512), 0);
	if (block == 4096)
		expect_zeroes(0, 0);
	ck_assert_int_eq(erase("zu", 2 * PART, PART), 0);
	ck_assert_int_eq(erase("z", 3 * PART, 65536), 0);
	ck_assert_int_eq(erase("z", 3 * PART + 65536 + 512, 8192), 0);
	ck_assert_int_eq(erase("zu", SIZE - 512, 512), 0);
	ck_assert_int_eq(rig_io(&rig, DISK_FLUSH, 0, NULL, 0), 0);
	if (block == 512) {
		memset(data + 512, 0, 4096);
		memset(data + 8192 + 512, 0, 512);
	}
	memset(data + 3 * PART + 65536 + 512, 0, 8192);
	memset(data + SIZE - 512, 0, 512);
	expect_zeroes(2 * PART, PART + 65536);
	end_loop(loop);
}
END_TEST

START_TEST(test_secure_erase)
{
	int loop;

	if (!start_loop(4096, true, &loop))
		return;
	ck_assert_uint_gt(disk_info(disk)->secure_erase_max, 0);
	ck_assert_int_eq(erase("s", 4096, 8192), 0);
	ck_assert_uint_eq(fault_host.secure_range[0], 4096);
	ck_assert_uint_eq(fault_host.secure_range[1], 8192);
	/* Blocks that are not erased whole are not said to be. */
	ck_assert_int_eq(erase("s", 512, 4096), -EINVAL);
	ck_assert_int_eq(erase("s", 512, 512), -EINVAL);
	ck_assert_uint_eq(fault_host.secure_range[1], 8192);
	end_loop(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("erase");
	TCase *tc = tcase_create("erase");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_offered);
	tcase_add_loop_test(tc, test_discard, 0, 2);
	tcase_add_loop_test(tc, test_zeroes, 0, 4 * RANGES);
	tcase_add_loop_test(tc, test_zeroes_on_large_blocks, 0, RANGES);
	tcase_add_test(tc, test_discard_refused);
	tcase_add_test(tc, test_zeroes_fail);
	tcase_add_loop_test(tc, test_durable_zeroes, 0, 2);
	tcase_add_test(tc, test_thread_is_not_blocked);
	tcase_add_loop_test(tc, test_block_device, 0, 2);
	tcase_add_test(tc, test_secure_erase);
	tcase_add_test(tc, test_cancel);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
