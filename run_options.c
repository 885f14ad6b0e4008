// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line of lkvm run.
 */
#include "arch.h"
#include "kvm/memory.h"
#include "log.h"
#include "options.h"
#include "run.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEM_MIN (16ULL << 20)
#define TIMEOUT_MAX (10u * 365 * 24 * 3600)

int run_add_drive(void *ctx, const char *text)
{
	struct run *run = ctx;
	int err;

	if (run->ndrives == DRIVES_MAX) {
		log_error("--disk %s: at most %d disks", text, DRIVES_MAX);
		return -EINVAL;
	}
	err = drive_parse(&run->drives[run->ndrives], text, run->ndrives);
	if (!err)
		run->ndrives++;
	return err;
}

/* "N[,dedicated=on][,pin=LIST]" */
int run_set_cpus(void *ctx, const char *text)
{
	struct run *run = ctx;
	const struct option_spec keys[] = {
		{ .name = "dedicated", .kind = OPTION_FLAG,
		  .value = &run->dedicated, .arg = "on|off" },
		{ .name = "pin", .kind = OPTION_CALL, .value = &run->affinity,
		  .call = affinity_parse_pins, .arg = "LIST" },
		{ .name = NULL },
	};
	const char *number;
	char *copy;
	int err;

	err = options_parse_keys(keys, "--cpus", text, &copy, &number);
	if (err)
		return err;
	err = parse_number(number, 1, arch_max_cpus, &run->cpus);
	if (err)
		log_error("--cpus %s: not a number from 1 to %u",
			  log_word(number), arch_max_cpus);
	if (!err && run->dedicated && !arch_tells_dedicated) {
		log_error("--cpus %s: a guest of this architecture cannot be told dedicated=on; leave it out",
			  text);
		err = -EINVAL;
	}
	free(copy);
	return err;
}

/* "SIZE[,hugepages=on]" */
static int run_set_mem(void *ctx, const char *text)
{
	struct run *run = ctx;
	const struct option_spec keys[] = {
		{ .name = "hugepages", .kind = OPTION_FLAG,
		  .value = &run->hugepages, .arg = "on|off" },
		{ .name = NULL },
	};
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);
	const char *size;
	char *copy;
	u64 unit = 4096;
	int err;

	err = options_parse_keys(keys, "--mem", text, &copy, &size);
	if (err)
		return err;
	if (!parse_size(size, &run->mem) || run->mem < MEM_MIN ||
	    run->mem > host) {
		log_error("--mem %s: not a size from 16M to this host's %lluM; write it like 512M or 4G",
			  log_word(size), (unsigned long long)host >> 20);
		err = -EINVAL;
	}
	if (run->hugepages)
		unit = guest_hugepage_size();
	if (!err && (!unit || run->mem < unit)) {
		log_error("--mem %s,hugepages=on: this host's huge pages have %lluM (0: it has none); give at least one, or leave out hugepages=on",
			  size, (unsigned long long)unit >> 20);
		err = -EINVAL;
	}
	run->mem &= ~(unit - 1);
	free(copy);
	return err;
}

static void run_help(const struct option_spec *specs)
{
	printf("usage: lkvm run --kernel FILE [OPTIONS] [-- COMMAND [ARG...]]\n\n");
	options_help(specs);
	printf("\nA disk is a raw image, a block device, or null:SIZE; a comma in its path or in a\n"
	       "value is written twice. Keys of --disk:\n");
	drive_help();
	printf("\nCOMMAND runs in the guest, on the console, and its exit status becomes lkvm's.\n"
	       "It needs an initrd with its program (lkvm mkinitrd makes one) or --root.\n"
	       "\nExit status: 0 the guest powered off or rebooted, 124 timed out, 125 lkvm could\n"
	       "not run it, 126 the guest died, 127 its kernel panicked, 128+N lkvm was ended by\n"
	       "signal N; else it is COMMAND's own.\n"
	       "Keys on a terminal: Ctrl-A X ends lkvm, Ctrl-A B sends a break, Ctrl-A Ctrl-A\n"
	       "sends Ctrl-A.\n");
}

/* What stands behind the options, from argv[@next] on: a command behind "--". */
static int run_take_command(struct run *run, int next, int argc, char **argv)
{
	bool dashes = next > 1 && !strcmp(argv[next - 1], "--");

	if (next < argc && !dashes) {
		log_error("run: unexpected argument %s; a command for the guest goes behind --; see lkvm run --help",
			  log_word(argv[next]));
		return -EINVAL;
	}
	if (next == argc && dashes) {
		log_error("run: there is no command behind --; give one, or leave out --");
		return -EINVAL;
	}
	if (next < argc && !*argv[next]) {
		log_error("run: the command behind -- is empty; give one, or leave out --");
		return -EINVAL;
	}
	if (next < argc)
		run->command = argv + next;
	return 0;
}

int run_parse(struct run *run, int argc, char **argv)
{
	const struct option_spec specs[] = {
		{ 'k', "kernel", OPTION_STRING, &run->kernel, 1, 0, "FILE",
		  arch_kernel_formats, NULL },
		{ 'i', "initrd", OPTION_STRING, &run->initrd, 1, 0, "FILE",
		  "initial RAM disk", NULL },
		{ 'p', "params", OPTION_STRING, &run->params, 0, 0, "STRING",
		  "kernel command line; a console= is added if it has none",
		  NULL },
		{ 'c', "cpus", OPTION_CALL, run, 0, 0, "N[,dedicated=on][,pin=LIST]",
		  "vCPUs (1); dedicated: each has a host core of its own; pin: these CPUs, like 4-7 or 4,6", run_set_cpus },
		{ 0, "affinity", OPTION_CALL, &run->affinity, 0, 0, "auto[,irq]|off",
		  "auto: CPUs for vCPUs and I/O threads, memory near the disk; irq: its interrupts, too (off)",
		  affinity_parse },
		{ 'm', "mem", OPTION_CALL, run, 0, 0, "SIZE[,hugepages=on]",
		  "guest memory, like 512M or 4G (512M)", run_set_mem },
		{ 0, "numa", OPTION_CALL, &run->affinity.numa, 0, 0,
		  "node=N,cpus=LIST,mem=SIZE[,host=N]",
		  "a NUMA node of the guest, its vCPUs, its memory, of which host node; repeated",
		  numa_parse },
		{ 'd', "disk", OPTION_CALL, run, 0, 0, "PATH[,KEY=VALUE...]",
		  "add a disk; may be repeated, keys below", run_add_drive },
		{ 0, "root", OPTION_CALL, run, 0, 0, "DEVICE[,ro]",
		  "the guest's disk that COMMAND runs in, like /dev/vda", run_set_root },
		{ 'n', "name", OPTION_STRING, &run->name, 0, 0, "NAME",
		  "name of this guest (lkvm-PID)", NULL },
		{ 0, "console", OPTION_STRING, &run->console_spec, 1, 0,
		  "stdio|pty|file:PATH|none",
		  "where the guest's console goes (stdio)", NULL },
		{ 0, "timeout", OPTION_UINT, &run->timeout, 1, TIMEOUT_MAX,
		  "SECONDS", "end the guest after this time, status 124", NULL },
		{ 0, "stats", OPTION_STRING, &run->stats_path, 1, 0, "FILE|-",
		  "write counters as JSON at exit", NULL },
		{ 0, "trace", OPTION_STRING, &run->trace_path, 1, 0, "FILE",
		  "record every request, for lkvm trace FILE", NULL },
		{ 'v', "verbose", OPTION_FLAG, &run->verbose, 0, 0, NULL,
		  "tell what is chosen and how the guest ended", NULL },
		{ 'h', "help", OPTION_FLAG, &run->help, 0, 0, NULL,
		  "this text", NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "run", argc, argv), err;

	if (next < 0)
		return next;
	if (run->help) {
		run_help(specs);
		return 0;
	}
	err = run_take_command(run, next, argc, argv);
	if (err)
		return err;
	if (!run->kernel) {
		log_error("run: no kernel; give --kernel FILE (%s)",
			  arch_kernel_formats);
		return -EINVAL;
	}
	return run_check_command(run);
}
