/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host file behind a disk: opened, measured and locked once, by any
 * thread, and constant from then on, so that all I/O threads may read it.
 * Private to the back ends.
 */
#ifndef LKVM_DISK_IMAGE_H
#define LKVM_DISK_IMAGE_H

#include "disk/disk.h"

struct image {
	char *path;		/* for messages */
	int fd;			/* O_DIRECT if direct */
	int buffered_fd;	/* same file, page cache, for small writes; or -1 */
	bool direct;
	bool memory;		/* a tmpfs: page cache with nothing behind it */
	u32 mem_align;		/* of a buffer's address; 1: any */
	u32 offset_align;	/* of offsets and lengths; 1: any */
};

/* Fills @img and @info but for its backend.  0 or -errno, with a message. */
int image_open(struct image *img, struct disk_info *info,
	       const struct disk_params *params);
/* Also of an image that image_open() refused. */
void image_close(struct image *img);

/* What the host has by now; @settable: it is a file.  0 or -errno, no message. */
int image_size(const struct image *img, u64 *size, bool *settable);

/* --- image_lock.c, for image_open() --------------------------------------- */

struct stat;

#define IMAGE_LOCK_WAITS 20	/* so often, for somebody who cannot be seen */

/* The OFD lock that @params ask for.  0 or -errno, with a message. */
int image_lock(struct image *img, const struct disk_params *params);
/* The pid that has the file of @st locked against us; 0: none to be seen. */
int image_find_holder(const struct stat *st, bool shared);
/* A holder that cannot be seen gets some time to go.  False: no more of it. */
bool image_wait_for_holder(unsigned int *patience);
/*
 * Tell that it is in use by @pid, 0 if that is not known yet, or by @unknown if
 * it cannot be found out.  -EBUSY.
 */
int image_in_use(const struct disk_params *params, int pid,
		 const char *unknown);

#endif
