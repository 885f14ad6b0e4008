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

/*
 * An initrd as the guest gets it: an archive of lkvm's own, the user's file; either
 * may be missing.  Linux unpacks one archive after the other, compressed or not.
 */
struct boot_initrd {
	const char *path;	/* the user's, or a word for lkvm's; for messages */
	struct boot_file file;
	const void *archive;
	u64 archive_size;
	u64 size;		/* of both; 0: there is no initrd */
};

struct boot_spec;
int boot_initrd_open(struct boot_initrd *initrd, const struct boot_spec *boot);
void boot_initrd_close(struct boot_initrd *initrd);
/* All of it, to @data. */
int boot_initrd_read(const struct boot_initrd *initrd, void *data);

/* What a file that is no kernel looks like, for a message: "a gzip file". */
const char *boot_file_kind(const struct boot_head *head);

#endif
