/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing a cpio archive in the format that Linux takes for an initrd ("newc",
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 */
#ifndef LKVM_CPIO_H
#define LKVM_CPIO_H

#include <stddef.h>
#include <stdio.h>

/*
 * Append one file, or a directory with @size 0; @mode as in st_mode; owned by root.
 * @archive began at its position 0.  Errors stay in the stream: see ferror(3).
 */
void cpio_add(FILE *archive, const char *name, unsigned int mode,
	      const void *data, size_t size);
/* Nothing more comes.  The archive's length is a multiple of 4 then. */
void cpio_end(FILE *archive);

#endif
