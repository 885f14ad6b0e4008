// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block devices for the tests: see loop.h.
 */
#include "loop.h"
#include <check.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int loop_attach(char *path, size_t room, u32 block, u32 flags)
{
	struct loop_config config = { .block_size = block };
	int control, n, fd, image;

	image = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(image, 0);
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	n = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(path, room, "/dev/loop%d", n);
	fd = n < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	close(control);
	config.fd = (u32)image;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | flags;
	if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config)) {
		close(fd);
		fd = -1;
	}
	close(image);
	return fd;
}
