/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One life of a guest: what the command line of lkvm run says of it
 * (run_options.c), and what is built from that (builtin-run.c).
 */
#ifndef LKVM_RUN_H
#define LKVM_RUN_H

#include "affinity.h"
#include "drive.h"
#include "kvm/vm.h"
#include <stdio.h>

struct control;
struct exit_device;

#define DRIVES_MAX 31	/* PCI slots less the bridge; with a command, the exit device has one */

struct run {
	/* The command line. */
	const char *kernel;
	const char *initrd;
	const char *params;
	const char *name;
	bool named;		/* by the user */
	const char *console_spec;
	const char *stats_path;
	const char *trace_path;
	unsigned int cpus;
	bool dedicated;
	struct affinity affinity;
	u64 mem;
	bool hugepages;
	unsigned int timeout;
	bool verbose;
	bool help;
	struct drive drives[DRIVES_MAX];
	unsigned int ndrives;
	char **command;		/* behind --; NULL: none */
	char *root_text;	/* what root points into */
	const char *root;	/* the command's root file system, or NULL */
	bool root_readonly;

	/* The machine. */
	struct vm vm;
	char *cmdline;
	char *archive;		/* what goes before the initrd for a command */
	size_t archive_size;
	struct exit_device *exit_device;
	FILE *stats;
	bool stats_created;	/* by us; away with it if nothing is written */
	struct trace *trace;
	unsigned int attached;	/* drives */
	int signal_fd;
	int timer_fd;
	struct control *control;
	u64 started_ns;		/* when the vCPUs were */
};

/*
 * Fill in what the command line says; what it does not say stays.  0 or -errno,
 * with a message; after --help 0, and ->help is set.
 */
int run_parse(struct run *run, int argc, char **argv);
/* What --cpus and --disk do (@ctx: a struct run), for other commands that have them. */
int run_set_cpus(void *ctx, const char *text);
int run_add_drive(void *ctx, const char *text);

/* The kernel's command line, run->cmdline.  0 or -errno. */
int run_make_cmdline(struct run *run);

/* --root, for the table of options. */
int run_set_root(void *ctx, const char *text);
/* Whether all that is said of the command goes together.  0 or -EINVAL. */
int run_check_command(const struct run *run);
/* What the guest needs to run it: run->archive.  The console is there.  0 or -errno. */
int run_prepare_command(struct run *run);
/* Behind the drives, which have the first slots.  0 or -errno. */
int run_attach_exit_device(struct run *run);

/* Whether --stats, --console file: or --trace would overwrite what is precious.  0 or -EINVAL. */
int run_check_outputs(const struct run *run);

/* The exit status: commands.h. */
int run_status(const struct run *run, enum vm_end end, int detail);
/* On stderr, what the status does not tell. */
void run_tell_end(const struct run *run, enum vm_end end, int detail);

/* Main thread: the guest goes on, and what failed is tried again. */
void run_resume(struct run *run);
/* ns since its vCPUs were started. */
u64 run_uptime(const struct run *run);

#endif
