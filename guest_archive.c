// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest that runs one command gets before its initrd.
 */
#include "guest_archive.h"
#include "cpio.h"
#include "guest_files.h"
#include "log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DIRECTORY (S_IFDIR | 0755)
#define PROGRAM (S_IFREG | 0755)
#define PRIVATE (S_IFREG | 0600)	/* arguments may be secrets */

#define GUEST_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void order(FILE *f, enum guest_order what, const char *text)
{
	fprintf(f, "%c%s%c", what, text, 0);
}

static void write_orders(FILE *f, const struct guest_spec *spec)
{
	char **arg;

	for (arg = spec->argv; *arg; arg++)
		order(f, GUEST_ARGUMENT, *arg);
	order(f, GUEST_ENVIRONMENT, "PATH=" GUEST_PATH);
	order(f, GUEST_ENVIRONMENT, "HOME=/root");
	if (spec->term)
		fprintf(f, "%cTERM=%s%c", GUEST_ENVIRONMENT, spec->term, 0);
	if (spec->root)
		order(f, GUEST_ROOT, spec->root);
	if (spec->root_readonly)
		order(f, GUEST_ROOT_READONLY, "");
	if (spec->fed)
		order(f, GUEST_FED, "");
	if (spec->rows)
		fprintf(f, "%c%u %u%c", GUEST_WINDOW, spec->rows, spec->columns, 0);
}

/* What was written to @f is all there. */
static int finish(FILE *f)
{
	bool bad = ferror(f);

	return fclose(f) || bad ? log_no_memory() : 0;
}

int guest_archive_build(const struct guest_spec *spec, char **archive,
			size_t *size)
{
	char *orders = NULL;
	size_t orders_size;
	FILE *f = open_memstream(&orders, &orders_size);
	int err;

	*archive = NULL;
	if (!f)
		return log_no_memory();
	write_orders(f, spec);
	err = finish(f);
	if (err)
		goto out;
	f = open_memstream(archive, size);
	if (!f) {
		err = log_no_memory();
		goto out;
	}
	cpio_add(f, GUEST_DIR, DIRECTORY, "", 0);
	cpio_add(f, GUEST_INIT, PROGRAM, spec->init, spec->init_size);
	cpio_add(f, GUEST_ORDERS, PRIVATE, orders, orders_size);
	cpio_end(f);
	err = finish(f);
out:
	free(orders);
	return err;
}
