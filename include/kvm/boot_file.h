/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel or initrd on the host, opened, checked and read straight into guest
 * memory.  Each function tells what is wrong with the file, once, with the
 * option, the path and the remedy, and returns a negative errno: callers only
 * unwind.  Called by boot code while no vCPU runs.
 */
#ifndef LKVM_KVM_BOOT_FILE_H
#define LKVM_KVM_BOOT_FILE_H

#include "endian.h"

/* An open regular file that is not empty. */
struct boot_file {
	const char *option;	/* "--kernel" or "--initrd", for messages */
	const char *path;	/* NULL: not open */
	int fd;
	u64 size;
};

/* The first bytes of a file: enough to tell what it is. */
#define BOOT_HEAD_SIZE 1024
struct boot_head {
	size_t len;
	u8 data[BOOT_HEAD_SIZE] __attribute__((aligned(8)));
};

int boot_file_open(struct boot_file *file, const char *option,
		   const char *path);
void boot_file_close(struct boot_file *file);
/* Whether [offset, offset + len) is all in the file. */
int boot_file_check(const struct boot_file *file, u64 offset, u64 len);
int boot_file_read(const struct boot_file *file, u64 offset, void *data,
		   u64 len);
int boot_file_head(const struct boot_file *file, struct boot_head *head);

/* What a file that is no kernel looks like, for a message: "a gzip file". */
const char *boot_file_kind(const struct boot_head *head);

#endif
