// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lkvm accepts as a disk image, what it says of those it refuses, who may
 * share one with whom, and what it tells the guest of the host's alignment.
 * Each refusal is one line on stderr that names the path and the remedy.
 */
/* helpers: disk_rig.c fault_disk.c fault_engine.c fault_erase.c loop.c */
#include "disk/image.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "loop.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static char dir[] = "/tmp/lkvm-test-XXXXXX";	/* of one test */
static char path[128];

static void own_path(void)
{
	snprintf(path, sizeof(path), "%s/disk.img", dir);
}

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	own_path();
}

/* A test that failed may have left a device's name there. */
static void teardown(void)
{
	own_path();
	unlink(path);
	rmdir(path);
	rmdir(dir);
}

static void make(u64 size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

/*
 * @how: r read-only, u unlocked, f format=raw, s small or l large blocks, b
 * buffered
 */
static int open_as(struct disk **dp, const char *how)
{
	struct disk_params params = {
		.path = path,
		.readonly = strchr(how, 'r'),
		.lock = !strchr(how, 'u'),
		.raw = strchr(how, 'f'),
		.block_size = strchr(how, 's') ? 512 :
			      strchr(how, 'l') ? 4096 : 0,
		.cache = strchr(how, 'b') ? DISK_CACHE_WRITEBACK :
					    DISK_CACHE_NONE,
	};

	return disk_open(dp, &params);
}

static struct disk *opened(const char *how)
{
	struct disk *disk;

	ck_assert_int_eq(open_as(&disk, how), 0);
	return disk;
}

static void refused(const char *how, int err, struct rig_capture *c)
{
	struct disk *disk;

	rig_capture_start(c);
	ck_assert_int_eq(open_as(&disk, how), err);
	rig_capture_end(c);
	rig_expect_line(c, "--disk", path);
}

static void put(const void *data, size_t len, off_t at)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, len, at), len);
	close(fd);
}

/* --- what is no raw image ------------------------------------------------ */

static const struct {
	const char *begins;
	size_t len;
	off_t at;
	const char *name;
	const char *remedy;
} formats[] = {
	{ "QFI\xfb\0\0\0\3", 8, 0, "a qcow2 image", "`qemu-img convert -O raw " },
	{ "KDMV\1\0\0\0", 8, 0, "a VMDK image", "`qemu-img convert -O raw " },
	{ "COWD\1\0\0\0", 8, 0, "a VMDK image", "`qemu-img convert -O raw " },
	{ "# Disk DescriptorFile\nversion=1\n", 32, 0, "a VMDK image", "`qemu-img convert -O raw " },
	{ "vhdxfile", 8, 0, "a VHDX image", "`qemu-img convert -O raw " },
	{ "conectix", 8, 0, "a VHD image", "`qemu-img convert -O raw " },
	{ "\x7f\x10\xda\xbe", 4, 64, "a VDI image", "`qemu-img convert -O raw " },
	{ "\x1f\x8b\x08\0", 4, 0, "compressed by gzip", "`gzip -dc " },
	{ "\xfd" "7zXZ\0", 6, 0, "compressed by xz", "`xz -dc " },
	{ "\x28\xb5\x2f\xfd", 4, 0, "compressed by zstd", "`zstd -dc " },
	{ "BZh91AY&SY", 10, 0, "compressed by bzip2", "`bzip2 -dc " },
};

#define FORMATS (int)(sizeof(formats) / sizeof(formats[0]))

/* Told before the size, which of compressed files is odd; overruled by the user. */
START_TEST(test_format)
{
	off_t end = formats[_i].at + (off_t)formats[_i].len;
	const u64 sizes[] = { (u64)end, 513, 1 << 20 };
	struct rig_capture c;

	for (int i = 0; i < 3; i++) {
		make(sizes[i]);
		put(formats[_i].begins, formats[_i].len, formats[_i].at);
		refused("", -EINVAL, &c);
		rig_expect_line(&c, formats[_i].name, formats[_i].remedy,
				"raw ones only", "format=raw");
		refused("r", -EINVAL, &c);
	}
	disk_close(opened("f"));
	disk_close(opened("rf"));
}
END_TEST

/* All but the last byte of each signature, and all of it one byte further on. */
START_TEST(test_no_format)
{
	char sector[512] = { 0 };

	make(1 << 20);
	for (int i = 0; i < FORMATS; i++) {
		memset(sector, 0, sizeof(sector));
		memcpy(sector + formats[i].at + 1, formats[i].begins,
		       formats[i].len);
		put(sector, sizeof(sector), 0);
		disk_close(opened(""));
		memset(sector, 0, sizeof(sector));
		memcpy(sector + formats[i].at, formats[i].begins, 2);
		put(sector, sizeof(sector), 0);
		disk_close(opened(""));
	}
}
END_TEST

/* --- what is no image ---------------------------------------------------- */

START_TEST(test_missing)
{
	struct rig_capture c;

	refused("", -ENOENT, &c);
	rig_expect_line(&c, "no such file", "lkvm create");
	refused("r", -ENOENT, &c);
}
END_TEST

START_TEST(test_empty)
{
	struct rig_capture c;

	make(0);
	refused("", -EINVAL, &c);
	rig_expect_line(&c, "empty", "truncate -s");
}
END_TEST

START_TEST(test_odd_size)
{
	struct rig_capture c;

	make(513);
	refused("", -EINVAL, &c);
	rig_expect_line(&c, "513", "512", "truncate -s %512");
	make(511);
	refused("r", -EINVAL, &c);
	rig_expect_line(&c, "511");
}
END_TEST

START_TEST(test_directory)
{
	struct rig_capture c;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	refused("", -EISDIR, &c);
	rig_expect_line(&c, "a directory", "raw image");
	refused("r", -EISDIR, &c);
}
END_TEST

START_TEST(test_fifo)
{
	struct rig_capture c;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refused("r", -ENOTBLK, &c);	/* and does not wait for a writer */
	rig_expect_line(&c, "a FIFO", "raw image");
}
END_TEST

START_TEST(test_socket)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct rig_capture c;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", path);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	refused("", -ENOTBLK, &c);
	rig_expect_line(&c, "a socket", "raw image");
	close(s);
}
END_TEST

START_TEST(test_character_device)
{
	struct rig_capture c;

	strcpy(path, "/dev/null");
	refused("", -ENOTBLK, &c);
	rig_expect_line(&c, "a character device", "block device");
	path[0] = '\0';
}
END_TEST

START_TEST(test_path_through_a_file)
{
	struct rig_capture c;
	char file[128];

	make(512);
	strcpy(file, path);
	strcat(path, "/x");
	refused("", -ENOTDIR, &c);
	rig_expect_line(&c, "check the path");
	strcpy(path, file);
}
END_TEST

/* Open the image in a child, which has prepared itself with @prepare. */
static int refused_in_child(const char *how, void (*prepare)(void),
			    char *text, size_t room)
{
	int status, fds[2];
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct disk *disk;

		close(fds[0]);
		prepare();
		dup2(fds[1], STDERR_FILENO);
		_exit(open_as(&disk, how) ? 1 : 0);
	}
	close(fds[1]);
	n = read(fds[0], text, room - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Root may do anything. */
static void become_nobody(void)
{
	if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
		_exit(0);
}

START_TEST(test_no_permission)
{
	struct rig_capture c = { .saved = -1 };
	int status;

	make(512);
	chmod(dir, 0755);
	chmod(path, 0444);
	status = refused_in_child("", become_nobody, c.text, sizeof(c.text));
	ck_assert_int_eq(status, 1);
	rig_expect_line(&c, path, "no permission to write", "`ro`");
	chmod(path, 0);
	status = refused_in_child("r", become_nobody, c.text, sizeof(c.text));
	ck_assert_int_eq(status, 1);
	rig_expect_line(&c, path, "no permission to read", "owner or mode");
}
END_TEST

static void remount_readonly(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("", "/", "", MS_REC | MS_PRIVATE, NULL) ||
	    mount(dir, dir, "", MS_BIND, NULL) ||
	    mount("", dir, "", MS_BIND | MS_REMOUNT | MS_RDONLY, NULL))
		_exit(77);
}

START_TEST(test_readonly_file_system)
{
	struct rig_capture c = { .saved = -1 };
	int status;

	make(512);
	status = refused_in_child("", remount_readonly, c.text, sizeof(c.text));
	if (status == 77)
		return;		/* not root */
	ck_assert_int_eq(status, 1);
	rig_expect_line(&c, path, "add `ro`");
	ck_assert_int_eq(refused_in_child("r", remount_readonly, c.text,
					  sizeof(c.text)), 0);
}
END_TEST

/* --- locks --------------------------------------------------------------- */

/* A child that has the image open until it is killed. */
static pid_t hold(const char *how)
{
	int fds[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct disk *disk;

		close(fds[0]);
		if (open_as(&disk, how))
			_exit(1);
		if (write(fds[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void let_go(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(test_locked_by_another)
{
	struct rig_capture c;
	char who[64];
	pid_t pid;

	make(4096);
	pid = hold("");
	snprintf(who, sizeof(who), "in use by pid %d (", pid);
	refused("", -EBUSY, &c);
	rig_expect_line(&c, who, "`lock=off`");
	refused("r", -EBUSY, &c);
	rig_expect_line(&c, who);
	disk_close(opened("u"));
	let_go(pid);
	disk_close(opened(""));
}
END_TEST

START_TEST(test_readers_share)
{
	struct rig_capture c;
	struct disk *disk;
	char who[64];
	pid_t pid;

	make(4096);
	pid = hold("r");
	disk = opened("r");
	disk_close(disk);
	snprintf(who, sizeof(who), "in use by pid %d (", pid);
	refused("", -EBUSY, &c);
	rig_expect_line(&c, who);
	let_go(pid);
}
END_TEST

START_TEST(test_given_twice)
{
	struct disk *disk;
	struct rig_capture c;

	make(4096);
	disk = opened("");
	refused("", -EBUSY, &c);
	rig_expect_line(&c, "given twice");
	disk_close(disk);
	disk_close(opened(""));
}
END_TEST

/* A lock of the traditional kind, whose holder the kernel names itself. */
START_TEST(test_posix_lock)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct rig_capture c;
	int fds[2];
	char who[64], byte;
	pid_t pid;

	make(4096);
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		int fd = open(path, O_RDWR | O_CLOEXEC);

		if (!fcntl(fd, F_SETLK, &lock) && write(fds[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	refused("r", -EBUSY, &c);
	snprintf(who, sizeof(who), "in use by pid %d (", pid);
	rig_expect_line(&c, who);
	let_go(pid);
}
END_TEST

/* --- what the guest is told ---------------------------------------------- */

START_TEST(test_regular_file)
{
	const struct disk_info *info;
	struct image *image;
	struct disk *disk;
	struct stat st;

	make(8 * 512 + 512);
	disk = opened("");
	info = disk_info(disk);
	image = disk->priv;
	ck_assert_uint_eq(info->size, 9 * 512);
	ck_assert_uint_eq(info->block_size, 512);	/* as the size is odd */
	ck_assert_int_eq(stat(path, &st), 0);
	if (st.st_blksize <= 65536)
		ck_assert_uint_eq(info->physical_size, st.st_blksize);
	ck_assert_uint_eq(info->optimal_size, 0);
	ck_assert(!info->readonly);
	ck_assert_str_eq(info->backend, "aio");
	ck_assert_int_eq(info->direct,
			 !!(fcntl(image->fd, F_GETFL) & O_DIRECT));
	ck_assert_int_eq(fcntl(image->fd, F_GETFD), FD_CLOEXEC);
	disk_close(disk);
	disk = opened("r");
	ck_assert(disk_info(disk)->readonly);
	disk_close(disk);
}
END_TEST

/* The time of the last access stays, for those who may say so; else it is as ever. */
START_TEST(test_access_time)
{
	const struct timespec times[] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	struct disk *disk;
	struct stat st;
	char text[256];
	int fd;

	make(1 << 20);
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	disk = opened("r");
	fd = ((struct image *)disk->priv)->fd;
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NOATIME, 0);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), sizeof(text));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_atim.tv_sec, 1);
	disk_close(disk);

	chmod(dir, 0755);
	chmod(path, 0444);
	ck_assert_int_eq(refused_in_child("r", become_nobody, text,
					  sizeof(text)), 0);
}
END_TEST

/* Open descriptors; all but stdin, stdout and stderr are closed on exec. */
static unsigned int descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		ck_assert(flags < 0 || flags & FD_CLOEXEC);
		n += flags >= 0;
	}
	return n;
}

static void close_all_on_exec(void)
{
	for (int fd = 3; fd < 256; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

START_TEST(test_no_descriptor_is_left)
{
	static const char *const how[] = { "", "r", "b", "l", "fu" };
	unsigned int before;
	struct rig_capture c;

	close_all_on_exec();	/* what came from outside */
	make(1 << 20);
	before = descriptors();
	for (unsigned int i = 0; i < 5; i++) {
		struct disk *disk = opened(how[i]);

		ck_assert_uint_gt(descriptors(), before);
		disk_close(disk);
		ck_assert_uint_eq(descriptors(), before);
	}
	make(9 * 512);
	refused("l", -EINVAL, &c);
	make(0);
	refused("", -EINVAL, &c);
	ck_assert_uint_eq(descriptors(), before);
}
END_TEST

START_TEST(test_name_too_long)
{
	char name[5000] = "/tmp/";
	const struct disk_params params = { .path = name };
	struct rig_capture c;
	struct disk *disk;

	memset(name + 5, 'a', sizeof(name) - 6);
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open(&disk, &params), -ENAMETOOLONG);
	rig_capture_end(&c);
	ck_assert_ptr_nonnull(strstr(c.text, "aaa"));
}
END_TEST

/* With so few descriptors left it says what to do, and leaves none behind. */
START_TEST(test_too_few_descriptors)
{
	struct rlimit limit, few;
	struct rig_capture c;
	struct iothread *thread;
	struct disk_queue *queue;
	struct disk *disk;
	unsigned int before;
	int first, last, fd;

	make(1 << 20);
	ck_assert_int_eq(iothread_new(&thread, "few"), 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	few = limit;
	few.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	rig_capture_start(&c);
	close_all_on_exec();
	first = last = fcntl(0, F_DUPFD_CLOEXEC, 3);
	while ((fd = fcntl(0, F_DUPFD_CLOEXEC, last)) >= 0)
		last = fd;
	for (before = descriptors(); open_as(&disk, "");) {
		ck_assert_uint_eq(descriptors(), before);
		close(last--);
		before--;
	}
	ck_assert_int_eq(disk_queue_new(disk, thread, 16, &queue), -EMFILE);
	disk_close(disk);
	ck_assert_uint_eq(descriptors(), before);
	while (last >= first)
		close(last--);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_capture_end(&c);
	ck_assert_ptr_nonnull(strstr(c.text, "Too many open files; raise `ulimit -n`"));
	ck_assert_ptr_nonnull(strstr(c.text, "no event descriptor: Too many"));
	iothread_free(thread);
}
END_TEST

START_TEST(test_block_size)
{
	static const struct disk_params null = { .path = "null:4608",
						 .block_size = 4096 };
	struct rig_capture c;
	struct disk *disk;
	u32 physical;

	make(9 * 512);
	refused("l", -EINVAL, &c);
	rig_expect_line(&c, "block-size=4096", "4608", "truncate -s %4096");
	/* What is no file is not made longer by truncate(1). */
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open(&disk, &null), -EINVAL);
	rig_capture_end(&c);
	rig_expect_line(&c, "block-size=4096", "4608", "block-size=512");
	ck_assert_ptr_null(strstr(c.text, "truncate"));
	make(1 << 20);
	disk = opened("");
	physical = disk_info(disk)->physical_size;
	disk_close(disk);
	disk = opened("l");
	ck_assert_uint_eq(disk_info(disk)->block_size, 4096);
	ck_assert_uint_eq(disk_info(disk)->physical_size,
			  physical < 4096 ? 4096 : physical);
	disk_close(disk);
	disk = opened("s");
	ck_assert_uint_eq(disk_info(disk)->block_size, 512);
	ck_assert_uint_eq(disk_info(disk)->physical_size, physical);
	disk_close(disk);
}
END_TEST

/* Before Linux 6.1 the alignment is found by trying. */
START_TEST(test_alignment_by_probing)
{
	struct image *image;
	struct disk *disk;

	if (!rig_direct_dir())
		return;
	rmdir(dir);
	rig_file(path, sizeof(path), rig_direct_dir(), 1 << 20);
	fault_host.no_dioalign = true;
	disk = opened("");
	fault_host.no_dioalign = false;
	image = disk->priv;
	ck_assert(disk_info(disk)->direct);
	ck_assert_uint_eq(image->mem_align, image->offset_align);
	ck_assert(image->offset_align == 512 || image->offset_align == 4096);
	ck_assert_uint_eq(disk_info(disk)->block_size, image->offset_align);
	disk_close(disk);
}
END_TEST

START_TEST(test_tmpfs_is_not_direct)
{
	struct rig_capture c;
	struct disk *disk;

	rig_file(path, sizeof(path), "/dev/shm", 1 << 20);
	rig_capture_start(&c);
	disk = opened("");
	rig_capture_end(&c);
	rig_expect_line(&c, "warning", path, "page cache");
	ck_assert(!disk_info(disk)->direct);
	ck_assert_uint_eq(disk_info(disk)->block_size, 512);
	disk_close(disk);
}
END_TEST

/* --- block devices: loop, if we may -------------------------------------- */

START_TEST(test_block_device)
{
	const u32 block = _i % 2 ? 4096 : 512;
	const struct disk_info *info;
	struct disk *disk;
	struct rig_capture c;
	struct rig rig;
	char file[128], *buf = rig_buffer(8192, 1), *back = rig_buffer(8192, 2);
	int loop;

	make(1 << 20);
	put("QFI\xfb", 4, 0);	/* of files only is that looked at */
	strcpy(file, path);
	loop = loop_attach(path, sizeof(path), block, 0);
	if (loop < 0)
		goto out;
	fault_host.no_dioalign = _i >= 2;
	disk = opened("");
	fault_host.no_dioalign = false;
	info = disk_info(disk);
	ck_assert_uint_eq(info->size, 1 << 20);
	ck_assert_uint_eq(info->block_size, block);
	ck_assert_uint_ge(info->physical_size, block);
	ck_assert(info->direct);
	refused("", -EBUSY, &c);
	rig_expect_line(&c, "pid", "`lock=off`");

	rig_init(&rig);
	rig_add(&rig, disk, 4);
	rig_start(&rig);
	ck_assert_int_eq(rig_io(&rig, DISK_WRITE, 4096, buf, 8192), 0);
	rig_fill(buf + 512, 1024, 3);
	ck_assert_int_eq(rig_io(&rig, DISK_WRITE, 4608, buf + 512, 1024), 0);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 4096, back, 8192), 0);
	ck_assert_mem_eq(back, buf, 8192);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 4608, back, 512), 0);
	ck_assert_mem_eq(back, buf + 512, 512);
	ck_assert_int_eq(rig_io(&rig, DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(disk_thread_stats(rig.queues[0])->buffered,
			  block > 512 ? 2 : 0);
	rig_exit(&rig);
	disk_close(disk);
	close(loop);
out:
	strcpy(path, file);
	free(back);
	free(buf);
}
END_TEST

/* A guest with blocks of 512 on a host of 4096, past the page cache and not. */
START_TEST(test_small_blocks_on_large)
{
	char file[128], *buf = rig_buffer(8192, 1), *back = rig_buffer(8192, 2);
	const struct disk_info *info;
	struct disk *disk;
	struct rig rig;
	int loop;

	make(1 << 20);
	strcpy(file, path);
	loop = loop_attach(path, sizeof(path), 4096, 0);
	if (loop < 0)
		goto out;
	disk = opened(_i ? "b" : "");	/* the page cache's are no smaller */
	ck_assert_uint_eq(disk_info(disk)->block_size, 4096);
	disk_close(disk);
	disk = opened(_i ? "sb" : "s");
	info = disk_info(disk);
	ck_assert_uint_eq(info->block_size, 512);
	ck_assert_uint_ge(info->physical_size, 4096);
	ck_assert_int_eq(info->direct, !_i);
	rig_init(&rig);
	rig_add(&rig, disk, 4);
	rig_start(&rig);
	ck_assert_int_eq(rig_io(&rig, DISK_WRITE, 0, buf, 8192), 0);
	rig_fill(buf + 4608, 512, 3);
	ck_assert_int_eq(rig_io(&rig, DISK_WRITE, 4608, buf + 4608, 512), 0);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 0, back, 8192), 0);
	ck_assert_mem_eq(back, buf, 8192);
	ck_assert_int_eq(rig_io(&rig, DISK_READ, 512, back, 1024), 0);
	ck_assert_mem_eq(back, buf + 512, 1024);
	rig_exit(&rig);
	disk_close(disk);
	close(loop);
out:
	strcpy(path, file);
	free(back);
	free(buf);
}
END_TEST

START_TEST(test_readonly_block_device)
{
	struct rig_capture c;
	char file[128];
	int loop;

	make(1 << 20);
	strcpy(file, path);
	loop = loop_attach(path, sizeof(path), 512, LO_FLAGS_READ_ONLY);
	if (loop >= 0) {
		struct disk *disk;

		rig_capture_start(&c);
		ck_assert_int_lt(open_as(&disk, ""), 0);
		rig_capture_end(&c);
		rig_expect_line(&c, path, "add `ro`");
		disk_close(opened("r"));
		close(loop);
	}
	strcpy(path, file);
}
END_TEST

START_TEST(test_zoned_block_device)
{
	struct rig_capture c;
	char file[128];
	int loop;

	make(1 << 20);
	strcpy(file, path);
	loop = loop_attach(path, sizeof(path), 512, 0);
	if (loop >= 0) {
		fault_host.zones = 16;
		refused("", -EOPNOTSUPP, &c);
		rig_expect_line(&c, path, "zoned", "16 zones", "dm-zoned");
		refused("r", -EOPNOTSUPP, &c);
		fault_host.zones = 0;
		close(loop);
	}
	strcpy(path, file);
}
END_TEST

static Suite *image_suite(void)
{
	Suite *s = suite_create("image");
	TCase *refusal = tcase_create("refusals");
	TCase *locks = tcase_create("locks");
	TCase *info = tcase_create("info");

	suite_add_tcase(s, refusal);
	tcase_set_timeout(refusal, 60);
	tcase_add_checked_fixture(refusal, setup, teardown);
	tcase_add_test(refusal, test_missing);
	tcase_add_test(refusal, test_empty);
	tcase_add_test(refusal, test_odd_size);
	tcase_add_loop_test(refusal, test_format, 0, FORMATS);
	tcase_add_test(refusal, test_no_format);
	tcase_add_test(refusal, test_directory);
	tcase_add_test(refusal, test_fifo);
	tcase_add_test(refusal, test_socket);
	tcase_add_test(refusal, test_character_device);
	tcase_add_test(refusal, test_path_through_a_file);
	tcase_add_test(refusal, test_no_permission);
	tcase_add_test(refusal, test_readonly_file_system);

	suite_add_tcase(s, locks);
	tcase_set_timeout(locks, 60);
	tcase_add_checked_fixture(locks, setup, teardown);
	tcase_add_test(locks, test_locked_by_another);
	tcase_add_test(locks, test_readers_share);
	tcase_add_test(locks, test_given_twice);
	tcase_add_test(locks, test_posix_lock);

	suite_add_tcase(s, info);
	tcase_set_timeout(info, 60);
	tcase_add_checked_fixture(info, setup, teardown);
	tcase_add_test(info, test_regular_file);
	tcase_add_test(info, test_access_time);
	tcase_add_test(info, test_block_size);
	tcase_add_test(info, test_no_descriptor_is_left);
	tcase_add_test(info, test_too_few_descriptors);
	tcase_add_test(info, test_name_too_long);
	tcase_add_test(info, test_alignment_by_probing);
	tcase_add_test(info, test_tmpfs_is_not_direct);
	tcase_add_loop_test(info, test_block_device, 0, 4);
	tcase_add_loop_test(info, test_small_blocks_on_large, 0, 2);
	tcase_add_test(info, test_zoned_block_device);
	tcase_add_test(info, test_readonly_block_device);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(image_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
