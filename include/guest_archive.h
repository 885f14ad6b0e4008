/* SPDX-License-Identifier: GPL-2.0-only */
/* The archive that makes a guest run one command: see guest_files.h. */
#ifndef LKVM_GUEST_ARCHIVE_H
#define LKVM_GUEST_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

struct guest_spec {
	const void *init;	/* the program of guest/ */
	size_t init_size;
	char **argv;		/* the command; ends with NULL */
	const char *term;	/* $TERM, or NULL */
	const char *root;	/* device of the root file system, or NULL */
	bool root_readonly;
	bool fed;		/* input is fed: kvm/console.h */
	unsigned int rows, columns;	/* of the terminal; 0: there is none */
};

/* 0 or -errno with a message; the caller frees *@archive. */
int guest_archive_build(const struct guest_spec *spec, char **archive,
			size_t *size);

#endif
