/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that lkvm writes where the user says: a slip of the hand shall not cost one
 * that is there.
 */
#ifndef LKVM_OUTPUT_H
#define LKVM_OUTPUT_H

#include <stdbool.h>

#define SVG_MAGIC "<svg "	/* of lkvm's own pictures */

/*
 * Whether nothing is lost when @path is overwritten: nothing is there, or an empty
 * file, one that begins with @magic, or no file, but a pipe or a terminal, say.
 */
bool output_is_harmless(const char *path, const char *magic);

/* open(2), which makes it if need be; *@created: it did.  A descriptor or -errno. */
int output_open(const char *path, int flags, bool *created);
/* What output_open() created for nothing: away with it, if it is empty. */
void output_remove(int fd, const char *path);

#endif
