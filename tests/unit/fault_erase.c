// SPDX-License-Identifier: GPL-2.0-only
/*
 * What fault_host (fault_disk.h) does to the calls that give space back or zero
 * it: fallocate(), pwrite() and ioctl().
 */
#include "fault_disk.h"
#include "barrier.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECURE_DISCARD 0x127d	/* BLKSECDISCARD */

static void fault_hold(void)
{
	struct fault_host *h = &fault_host;

	if (!read_once(&h->hold))
		return;
	__atomic_add_fetch(&h->held, 1, __ATOMIC_SEQ_CST);
	while (read_once(&h->hold))
		usleep(1000);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	struct fault_host *h = &fault_host;
	bool punch = mode & FALLOC_FL_PUNCH_HOLE;
	int refusal = punch ? h->no_punch : h->no_zero_range;

	fault_hold();
	if (!(mode & FALLOC_FL_KEEP_SIZE))
		refusal = EIO;		/* it would grow the file */
	__atomic_add_fetch(punch ? &h->punches : &h->zero_ranges, 1,
			   __ATOMIC_RELAXED);
	if (refusal) {
		errno = refusal;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

static void fault_place(int fd, const void *buf, size_t len, off_t offset)
{
	struct fault_host *h = &fault_host;
	bool whole = !((len | (u64)offset) % 4096);

	if (!h->direct_fd)
		return;
	h->direct_pwrites += fd == h->direct_fd;
	if (whole != (fd == h->direct_fd) || (whole && (uintptr_t)buf % 4096))
		h->misplaced_pwrites++;
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	struct fault_host *h = &fault_host;

	fault_place(fd, buf, len, offset);
	__atomic_add_fetch(&h->pwrites, 1, __ATOMIC_RELAXED);
	if (h->interrupt) {
		h->interrupt--;
		errno = EINTR;
		return -1;
	}
	if (h->refuse && (u64)offset == h->refuse_offset) {
		errno = h->refuse;
		return -1;
	}
	if (h->cut && len > h->cut)
		len = h->cut;
	return syscall(SYS_pwrite64, fd, buf, len, offset);
}

int ioctl(int fd, unsigned long request, ...)
{
	struct fault_host *h = &fault_host;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == SECURE_DISCARD && h->secure) {
		memcpy(h->secure_range, arg, sizeof(h->secure_range));
		if (!(h->secure_range[0] % 512))
			return 0;
		errno = EINVAL;
		return -1;
	}
	if (request == BLKGETNRZONES && h->zones) {
		*(u32 *)arg = h->zones;
		return 0;
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}
