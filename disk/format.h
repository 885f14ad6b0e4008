/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images that are not raw.  Private to disk/.
 *
 * What a file begins with is its guest's to write, so it only ever leads to a
 * refusal, which the user can overrule (format=raw); no byte of a disk is
 * interpreted by lkvm.  Only files are looked at: a block device is a guest's as
 * a whole, from its first byte on, and hardly ever an image by mistake.
 */
#ifndef LKVM_DISK_FORMAT_H
#define LKVM_DISK_FORMAT_H

#include "endian.h"

/*
 * -EINVAL, with a message that names the format and what converts it, if the
 * file begins like an image in another format, or a compressed one; else 0.
 * @align: a power of two, what direct I/O on @fd wants.
 */
int format_check(const char *path, int fd, u32 align);

#endif
