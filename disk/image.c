// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host file behind a disk: a raw image or a block device.
 *
 * image_open() guarantees that the file is one that can hold a disk, that its
 * size and the alignment it wants are those the host reports, and that nobody
 * else who asks is writing to it.  What it refuses it tells in one line, with
 * the remedy.  Called at set-up, on any thread; nothing here is on the I/O path.
 */
#include "disk/image.h"
#include "disk/backend.h"
#include "disk/format.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What <sys/mount.h> lacks; <linux/fs.h> does not go with <sys/uio.h>. */
#ifndef BLKPBSZGET
#define BLKIOOPT _IO(0x12, 121)
#define BLKPBSZGET _IO(0x12, 123)
#endif

#define SECTOR 512u
#define BLOCK_MAX 4096u		/* a larger block is not offered to guests */
#define PHYSICAL_MAX 65536u	/* st_blksize of a network file system lies */

/* --- open ---------------------------------------------------------------- */

static int image_open_failed(const struct disk_params *params, int err)
{
	const char *path = params->path;
	bool readable = !access(path, R_OK);

	switch (err) {
	case ENOENT:
		log_error("--disk %s: no such file; make it with `lkvm create %s 8G`, or check the path",
			  path, path);
		break;
	case EACCES:
	case EPERM:
		log_error("--disk %s: no permission to %s it; %schange its owner or mode",
			  path, params->readonly ? "read" : "write",
			  !params->readonly && readable ?
				  "add `ro` to only read it, or " : "");
		break;
	case EROFS:
		log_error("--disk %s: it cannot be written, only read; add `ro`",
			  path);
		break;
	case EBUSY:
		return image_in_use(params, 0,
				    "the host's kernel (mounted, swap, RAID or LVM? see lsblk)");
	case EMFILE:
	case ENFILE:
		log_error("--disk %s: %s; raise `ulimit -n`", path,
			  strerror(err));
		break;
	default:
		log_error("--disk %s: cannot be opened: %s; check the path",
			  path, strerror(err));
	}
	return -err;
}

static int image_check_type(const char *path, mode_t mode)
{
	const char *what;

	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		what = "a directory";
		break;
	case S_IFCHR:
		what = "a character device";
		break;
	case S_IFIFO:
		what = "a FIFO";
		break;
	default:
		what = "a socket";
	}
	log_error("--disk %s: it is %s; give a raw image file or a block device",
		  path, what);
	return S_ISDIR(mode) ? -EISDIR : -ENOTBLK;
}

/* A tmpfs takes O_DIRECT since Linux 6.6, but is nothing but page cache. */
static bool image_is_tmpfs(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* O_EXCL of a block device is such a hold, too.  A descriptor or -1, and errno. */
static int image_open_patient(const struct disk_params *params,
			      const struct stat *st, int flags)
{
	unsigned int patience = IMAGE_LOCK_WAITS;
	int fd;

	do {
		fd = open(params->path, flags);
		if (fd >= 0 || errno != EBUSY)
			return fd;
	} while (!image_find_holder(st, params->readonly) &&
		 image_wait_for_holder(&patience));
	errno = EBUSY;
	return -1;
}

static int image_open_fd(struct image *img, const struct disk_params *params)
{
	int flags = O_CLOEXEC | (params->readonly ? O_RDONLY : O_RDWR);
	struct stat st;
	int err;

	/* Before open(), which would wait for the other end of a FIFO. */
	if (stat(params->path, &st))
		return image_open_failed(params, errno);
	err = image_check_type(params->path, st.st_mode);
	if (err)
		return err;
	/* Tells a mounted device, or one that is part of another. */
	if (S_ISBLK(st.st_mode) && !params->readonly && params->lock)
		flags |= O_EXCL;
	img->direct = disk_cache_mode(params)->direct;
	img->fd = image_open_patient(params, &st,
				     flags | (img->direct ? O_DIRECT : 0));
	if (img->fd < 0 && errno == EINVAL && img->direct) {
		img->direct = false;
		img->fd = open(params->path, flags);
	}
	if (img->fd < 0)
		return image_open_failed(params, errno);
	if (!S_ISBLK(st.st_mode) && image_is_tmpfs(img->fd)) {
		img->memory = true;
		img->direct = false;
	}
	/* No access times: only its owner and root may ask, else all stays as it is. */
	fcntl(img->fd, F_SETFL, fcntl(img->fd, F_GETFL) | O_NOATIME);
	return 0;
}

/* --- measure ------------------------------------------------------------- */

static bool is_power_of_2(u32 n)
{
	return n && !(n & (n - 1));
}

/* What the file system or the block device says of direct I/O (Linux 6.1). */
static bool image_statx_align(struct image *img)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(img->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) ||
	    !(stx.stx_mask & STATX_DIOALIGN))
		return false;
	if (!stx.stx_dio_offset_align) {
		img->direct = false;
		return true;
	}
	img->mem_align = stx.stx_dio_mem_align;
	img->offset_align = stx.stx_dio_offset_align;
	return is_power_of_2(img->mem_align) &&
	       is_power_of_2(img->offset_align);
#else
	(void)img;
	return false;
#endif
}

/* Older kernels tell nothing of files: see what a read gets away with. */
static int image_probe_align(struct image *img)
{
	u32 align;
	char *buf;

	buf = aligned_alloc(2 * BLOCK_MAX, 2 * BLOCK_MAX);
	if (!buf) {
		log_error("--disk %s: out of memory", img->path);
		return -ENOMEM;
	}
	/* buf + align is aligned to align, and to no more. */
	for (align = SECTOR; align < BLOCK_MAX; align = BLOCK_MAX)
		if (pread(img->fd, buf + align, align, 0) >= 0)
			break;
	free(buf);
	img->mem_align = align;
	img->offset_align = align;
	return 0;
}

static int image_measure_file(struct image *img, struct disk_info *info,
			      const struct stat *st)
{
	info->size = (u64)st->st_size;
	info->physical_size = (u32)st->st_blksize;
	if (!is_power_of_2(info->physical_size) ||
	    info->physical_size > PHYSICAL_MAX)
		info->physical_size = 0;
	if (info->size < SECTOR || !img->direct || image_statx_align(img))
		return 0;
	return image_probe_align(img);
}

static int image_measure_bdev(struct image *img, struct disk_info *info,
			      const struct disk_params *params)
{
	int logical = 0, physical = 0, ro = 0;
	u32 zones = 0;

	if (ioctl(img->fd, BLKGETSIZE64, &info->size) ||
	    ioctl(img->fd, BLKSSZGET, &logical) ||
	    ioctl(img->fd, BLKPBSZGET, &physical)) {
		int err = errno;

		log_error("--disk %s: the block device does not tell its size: %s; check it with `blockdev --report`",
			  params->path, strerror(err));
		return -err;
	}
	if (!ioctl(img->fd, BLKGETNRZONES, &zones) && zones) {
		log_error("--disk %s: a zoned block device (%u zones), which lkvm cannot offer; use a conventional one, or put dm-zoned on top",
			  params->path, zones);
		return -EOPNOTSUPP;
	}
	if (!params->readonly && !ioctl(img->fd, BLKROGET, &ro) && ro)
		return image_open_failed(params, EROFS);
	if (ioctl(img->fd, BLKIOOPT, &info->optimal_size))
		info->optimal_size = 0;
	info->physical_size = (u32)physical;
	info->block_size = (u32)logical;
	if (img->direct && !image_statx_align(img)) {
		img->mem_align = (u32)logical;
		img->offset_align = (u32)logical;
	}
	return 0;
}

static int image_check_size(const char *path, u64 size)
{
	if (!size) {
		log_error("--disk %s: it is empty; give it a size, as with `truncate -s 8G %s`",
			  path, path);
		return -EINVAL;
	}
	if (size % SECTOR) {
		log_error("--disk %s: its size, %llu bytes, is not a multiple of 512; `truncate -s %%512 %s` rounds it up",
			  path, (unsigned long long)size, path);
		return -EINVAL;
	}
	return 0;
}

/* From what the host wants to what the guest is told. */
static void image_settle(struct image *img, struct disk_info *info,
			 const struct disk_params *params)
{
	if (!img->direct) {
		img->mem_align = 1;
		img->offset_align = 1;
		if (disk_cache_mode(params)->direct)
			log_warn("--disk %s: no direct I/O here, so the host's page cache is used; ext4, XFS and block devices do better",
				 img->path);
	}
	if (info->block_size < img->offset_align)
		info->block_size = img->offset_align;
	if (info->block_size < SECTOR)
		info->block_size = SECTOR;
	if (info->block_size > BLOCK_MAX)
		info->block_size = BLOCK_MAX;
	/* The last sectors could not be reached in such blocks. */
	if (info->size % info->block_size)
		info->block_size = SECTOR;
	if (info->physical_size < info->block_size)
		info->physical_size = info->block_size;
}

/*
 * Writes smaller than the host's blocks go through the page cache, which reads,
 * modifies and writes whole blocks.  That needs a second open file of the very
 * same inode: by way of /proc, whatever the path names by now.
 */
static int image_open_buffered(struct image *img,
			       const struct disk_params *params)
{
	char self[32];

	/* Not direct after all (a journalled or encrypted file). */
	if (!img->direct &&
	    fcntl(img->fd, F_SETFL, fcntl(img->fd, F_GETFL) & ~O_DIRECT))
		return image_open_failed(params, errno);
	if (img->offset_align <= SECTOR || params->readonly)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", img->fd);
	img->buffered_fd = open(self, O_RDWR | O_CLOEXEC);
	if (img->buffered_fd < 0)
		return image_open_failed(params, errno);
	return 0;
}

int image_open(struct image *img, struct disk_info *info,
	       const struct disk_params *params)
{
	struct stat st;
	int err;

	*info = (struct disk_info){ .readonly = params->readonly };
	*img = (struct image){ .fd = -1, .buffered_fd = -1 };
	img->path = strdup(params->path);
	if (!img->path) {
		log_error("--disk %s: out of memory", params->path);
		return -ENOMEM;
	}
	err = image_open_fd(img, params);
	if (!err)
		err = image_lock(img, params);
	if (err)
		return err;
	if (fstat(img->fd, &st))
		return image_open_failed(params, errno);
	if (S_ISBLK(st.st_mode))
		err = image_measure_bdev(img, info, params);
	else
		err = image_measure_file(img, info, &st);
	/* Before its size, which of a compressed file is odd. */
	if (!err && S_ISREG(st.st_mode) && !params->raw)
		err = format_check(img->path, img->fd, img->offset_align);
	if (!err)
		err = image_check_size(img->path, info->size);
	if (err)
		return err;
	image_settle(img, info, params);
	info->direct = img->direct;
	return image_open_buffered(img, params);
}

void image_close(struct image *img)
{
	if (img->buffered_fd >= 0)
		close(img->buffered_fd);
	if (img->fd >= 0)
		close(img->fd);
	free(img->path);
	*img = (struct image){ .fd = -1, .buffered_fd = -1 };
}

int image_size(const struct image *img, u64 *size, bool *settable)
{
	struct stat st;

	if (fstat(img->fd, &st))
		return -errno;
	*settable = S_ISREG(st.st_mode);
	*size = (u64)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(img->fd, BLKGETSIZE64, size))
		return -errno;
	return 0;
}
