/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loop devices, where the tests may make them.
 */
#ifndef LKVM_TESTS_LOOP_H
#define LKVM_TESTS_LOOP_H

#include "endian.h"
#include <stddef.h>

/*
 * Make the image at @path a loop device of @block bytes per sector, and @path
 * its name.  The device is there as long as this descriptor.  -1: cannot.
 */
int loop_attach(char *path, size_t room, u32 block, u32 flags);

#endif
