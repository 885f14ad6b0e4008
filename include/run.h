/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One life of a guest: what the command line of lkvm run says of it
 * (run_options.c), and what is built from that (builtin-run.c).
 */
#ifndef LKVM_RUN_H
#define LKVM_RUN_H

#include "drive.h"
#include "kvm/vm.h"
#include <stdio.h>

#define DRIVES_MAX 31	/* PCI slots less the bridge */

struct run {
	/* The command line. */
	const char *kernel;
	const char *initrd;
	const char *params;
	const char *name;
	const char *console_spec;
	const char *stats_path;
	unsigned int cpus;
	bool dedicated;
	u64 mem;
	bool hugepages;
	unsigned int timeout;
	bool verbose;
	bool help;
	struct drive drives[DRIVES_MAX];
	unsigned int ndrives;

	/* The machine. */
	struct vm vm;
	char *cmdline;
	FILE *stats;
	unsigned int attached;	/* drives */
	int signal_fd;
	int timer_fd;
};

/*
 * Fill in what the command line says; what it does not say stays.  0 or -errno,
 * with a message; after --help 0, and ->help is set.
 */
int run_parse(struct run *run, int argc, char **argv);

#endif
