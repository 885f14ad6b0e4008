// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpio archives.
 */
#include "cpio.h"
#include <string.h>

#define ALIGNMENT 4	/* of headers and data */

static void cpio_pad(FILE *archive)
{
	while (ftell(archive) % ALIGNMENT && !ferror(archive))
		putc(0, archive);
}

/* The inode number of a file that has but one name matters to nobody. */
static void cpio_header(FILE *archive, const char *name, unsigned int mode,
			size_t size)
{
	const unsigned int nlink = 1, none = 0;

	fprintf(archive, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		none, mode, none, none, nlink, none, size, none, none, none,
		none, strlen(name) + 1, none);
	fwrite(name, 1, strlen(name) + 1, archive);
	cpio_pad(archive);
}

void cpio_add(FILE *archive, const char *name, unsigned int mode,
	      const void *data, size_t size)
{
	cpio_header(archive, name, mode, size);
	fwrite(data, 1, size, archive);
	cpio_pad(archive);
}

void cpio_end(FILE *archive)
{
	cpio_add(archive, "TRAILER!!!", 0, "", 0);
}
