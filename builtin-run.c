// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm run: build a machine from the command line, run it to its end, undo it
 * in reverse, and tell how it ended by the exit status.
 */
#include "arch.h"
#include "commands.h"
#include "drive.h"
#include "kvm/console.h"
#include "kvm/vm.h"
#include "log.h"
#include "options.h"
#include "stats.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DRIVES_MAX 31	/* PCI slots less the bridge */
#define MEM_MIN (16ULL << 20)
#define MEM_DEFAULT (512ULL << 20)
#define THREAD_STACK (256u << 10)
#define TIMEOUT_MAX (10u * 365 * 24 * 3600)

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

static int run_add_drive(void *ctx, const char *text)
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

/* "N[,dedicated=on]" */
static int run_set_cpus(void *ctx, const char *text)
{
	struct run *run = ctx;
	const struct option_spec keys[] = {
		{ .name = "dedicated", .kind = OPTION_FLAG,
		  .value = &run->dedicated, .arg = "on|off" },
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
		log_error("--cpus %s: not a number from 1 to %u", number,
			  arch_max_cpus);
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
			  size, (unsigned long long)host >> 20);
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

static int run_parse(struct run *run, int argc, char **argv)
{
	const struct option_spec specs[] = {
		{ 'k', "kernel", OPTION_STRING, &run->kernel, 0, 0, "FILE",
		  arch_kernel_formats, NULL },
		{ 'i', "initrd", OPTION_STRING, &run->initrd, 0, 0, "FILE",
		  "initial RAM disk", NULL },
		{ 'p', "params", OPTION_STRING, &run->params, 0, 0, "STRING",
		  "kernel command line; a console= is added if it has none",
		  NULL },
		{ 'c', "cpus", OPTION_CALL, run, 0, 0, "N[,dedicated=on]",
		  "vCPUs (1); dedicated: each has a host core of its own", run_set_cpus },
		{ 'm', "mem", OPTION_CALL, run, 0, 0, "SIZE[,hugepages=on]",
		  "guest memory, like 512M or 4G (512M)", run_set_mem },
		{ 'd', "disk", OPTION_CALL, run, 0, 0, "PATH[,KEY=VALUE...]",
		  "add a disk; may be repeated, keys below", run_add_drive },
		{ 'n', "name", OPTION_STRING, &run->name, 0, 0, "NAME",
		  "name of this guest (lkvm-PID)", NULL },
		{ 0, "console", OPTION_STRING, &run->console_spec, 0, 0, "SPEC",
		  "stdio, pty, file:PATH or none (stdio)", NULL },
		{ 0, "timeout", OPTION_UINT, &run->timeout, 1, TIMEOUT_MAX,
		  "SECONDS", "end the guest after this time, status 124", NULL },
		{ 0, "stats", OPTION_STRING, &run->stats_path, 0, 0, "FILE|-",
		  "write counters as JSON at exit", NULL },
		{ 'v', "verbose", OPTION_FLAG, &run->verbose, 0, 0, NULL,
		  "tell what is chosen and how the guest ended", NULL },
		{ 'h', "help", OPTION_FLAG, &run->help, 0, 0, NULL,
		  "this text", NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "run", argc, argv);

	if (next < 0)
		return next;
	if (run->help) {
		printf("usage: lkvm run --kernel FILE [OPTIONS]\n\n");
		options_help(specs);
		printf("\n--disk PATH: a raw image, a block device, or null:SIZE (a comma in it is written ,,)\n");
		drive_help();
		printf("\nExit status: 0 the guest powered off or rebooted, 124 timed out, 125 lkvm could\n"
		       "not run it, 126 the guest died, 127 its kernel panicked, 128+N ended by signal N.\n"
		       "Keys on a terminal: Ctrl-A X ends lkvm, Ctrl-A B sends a break, Ctrl-A Ctrl-A\n"
		       "sends Ctrl-A.\n");
		return 0;
	}
	if (next < argc) {
		log_error("run: unexpected argument %s; see lkvm run --help",
			  argv[next]);
		return -EINVAL;
	}
	if (!run->kernel) {
		log_error("run: no kernel; give --kernel FILE (%s)",
			  arch_kernel_formats);
		return -EINVAL;
	}
	return 0;
}

/* The user's command line, and a console only if it names none. */
static int run_make_cmdline(struct run *run)
{
	const char *params = run->params ? run->params : "";
	const char *extra = arch_console_param;
	const char *named = strstr(params, "console=");

	if (named && (named == params || named[-1] == ' '))
		extra = "";
	if (asprintf(&run->cmdline, "%s%s%s", params,
		     *params && *extra ? " " : "", extra) < 0) {
		run->cmdline = NULL;
		return log_no_memory();
	}
	return 0;
}

static void run_signalled(void *ctx)
{
	struct run *run = ctx;
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) == sizeof(info))
		vm_end(&run->vm, VM_SIGNAL, (int)info.ssi_signo);
}

static void run_timed_out(void *ctx)
{
	struct run *run = ctx;

	vm_end(&run->vm, VM_TIMEOUT, 0);
}

/*
 * From here on the signals that end lkvm are read from a file descriptor by
 * the main loop; threads inherit the mask.
 */
static int run_watch_signals(struct run *run)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction inherited;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		sigaction(ending[i], NULL, &inherited);
		if (inherited.sa_handler != SIG_IGN)	/* nohup(1) */
			sigaddset(&set, ending[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);	/* ulimit -f: the guest gets an error */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0) {
		int err = -errno;

		log_error("signalfd: %s", strerror(-err));
		return err;
	}
	vm_watch(&run->vm, run->signal_fd, POLLIN, run_signalled, run);
	return 0;
}

static int run_watch_timeout(struct run *run)
{
	struct itimerspec when = { .it_value.tv_sec = run->timeout };

	if (!run->timeout)
		return 0;
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (run->timer_fd < 0 ||
	    timerfd_settime(run->timer_fd, 0, &when, NULL) < 0) {
		int err = -errno;

		log_error("--timeout %u: %s", run->timeout, strerror(-err));
		return err;
	}
	vm_watch(&run->vm, run->timer_fd, POLLIN, run_timed_out, run);
	return 0;
}

static int run_open_stats(struct run *run)
{
	if (!run->stats_path)
		return 0;
	/* Now, so that it fails in time; but what is in it stays until the end. */
	run->stats = strcmp(run->stats_path, "-") ?
			     fopen(run->stats_path, "ae") :
			     stdout;
	if (!run->stats) {
		int err = -errno;

		log_error("--stats %s: %s; give a file that can be written, or -",
			  run->stats_path, strerror(-err));
		return err;
	}
	return 0;
}

static void run_close_stats(struct run *run)
{
	if (run->stats && run->stats != stdout)
		fclose(run->stats);
}

/* Every queue and vector is a file descriptor: take as many as we may. */
static void run_raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * The usual stack of 8 MiB has room for huge pages, and the host may give one for
 * the first byte that is touched: 2 MiB for each thread.
 */
static void run_shrink_stacks(void)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr))
		return;
	if (!pthread_attr_setstacksize(&attr, THREAD_STACK))
		pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
}

static int run_attach_drives(struct run *run)
{
	while (run->attached < run->ndrives) {
		int err = drive_attach(&run->drives[run->attached], &run->vm);

		if (err)
			return err;
		run->attached++;
	}
	return 0;
}

static void run_detach_drives(struct run *run)
{
	while (run->attached)
		drive_detach(&run->drives[--run->attached]);
}

static int run_start_drives(struct run *run)
{
	for (unsigned int i = 0; i < run->ndrives; i++) {
		int err = drive_start(&run->drives[i]);

		if (err)
			return err;
	}
	return 0;
}

static void run_stop_drives(struct run *run)
{
	for (unsigned int i = 0; i < run->attached; i++)
		drive_stop(&run->drives[i]);
}

/* The machine, part by part; vm_unbuild() is its mirror. */
static int vm_build(struct run *run)
{
	struct vm *vm = &run->vm;
	struct boot_spec boot = {
		.kernel = run->kernel,
		.initrd = run->initrd,
		.cmdline = run->cmdline,
	};
	int err;

	vm->dedicated = run->dedicated;
	err = vm_init(vm, run->cpus, run->mem, run->hugepages);
	if (err)
		return err;
	err = vm_cpus_create(vm);
	if (err)
		goto undo_vm;
	err = run_watch_signals(run);
	if (err)
		goto undo_cpus;
	err = run_watch_timeout(run);
	if (err)
		goto undo_watches;
	err = console_new(&vm->console, vm, run->console_spec);
	if (err)
		goto undo_watches;
	err = arch_devices_init(vm);
	if (err)
		goto undo_console;
	err = run_attach_drives(run);
	if (err)
		goto undo_drives;
	err = arch_boot(vm, &boot);
	if (err)
		goto undo_drives;
	err = run_start_drives(run);
	if (err)
		goto undo_started;
	return 0;
undo_started:
	run_stop_drives(run);
undo_drives:
	run_detach_drives(run);
	arch_devices_exit(vm);
undo_console:
	console_free(vm->console);
undo_watches:
	if (run->timer_fd >= 0)
		close(run->timer_fd);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
undo_cpus:
	vm_cpus_destroy(vm);
undo_vm:
	vm_exit(vm);
	return err;
}

static void vm_unbuild(struct run *run)
{
	struct vm *vm = &run->vm;

	run_detach_drives(run);
	arch_devices_exit(vm);
	console_free(vm->console);
	if (run->timer_fd >= 0)
		close(run->timer_fd);
	close(run->signal_fd);
	vm_cpus_destroy(vm);
	vm_exit(vm);
}

static void run_describe(const struct run *run)
{
	log_info("%s: %u vCPUs, %llu MiB of memory%s", run->name, run->cpus,
		 (unsigned long long)run->mem >> 20,
		 run->hugepages ? " in huge pages" : "");
	log_info("kernel command line: %s", run->cmdline);
	for (unsigned int i = 0; i < run->ndrives; i++)
		drive_describe(&run->drives[i]);
}

static int run_status(const struct run *run, enum vm_end end, int detail)
{
	switch (end) {
	case VM_POWEROFF:
		return 0;
	case VM_RESET:	/* before pvpanic's driver is there, a panic resets */
		return console_saw_panic(run->vm.console) ?
			       EXIT_GUEST_PANICKED : 0;
	case VM_PANIC:
		return EXIT_GUEST_PANICKED;
	case VM_DIED:
		return EXIT_GUEST_DIED;
	case VM_TIMEOUT:
		return EXIT_TIMED_OUT;
	case VM_SIGNAL:
		return EXIT_SIGNAL_BASE + detail;
	case VM_RUNNING:
	case VM_HOST_ERROR:
		break;
	}
	return EXIT_CANNOT_RUN;
}

static void run_tell_end(const struct run *run, enum vm_end end, int status)
{
	if (status == EXIT_TIMED_OUT)
		log_error("--timeout %u: the guest was still running",
			  run->timeout);
	else if (status == EXIT_GUEST_PANICKED)
		log_error("the guest kernel panicked");
	else if (run->verbose && end == VM_POWEROFF)
		log_info("the guest powered off");
	else if (run->verbose && end == VM_RESET)
		log_info("the guest rebooted; lkvm ends");
}

static void run_write_stats(const struct run *run)
{
	if (!run->stats)
		return;
	/* A pipe or a device cannot be cut, nor needs to be. */
	if ((run->stats != stdout && ftruncate(fileno(run->stats), 0) < 0 &&
	     errno != EINVAL) ||
	    stats_write(run->stats, run->drives, run->ndrives))
		log_error("--stats %s: cannot be written: %s; the counters are lost",
			  run->stats_path, strerror(errno));
}

static int run_guest(struct run *run)
{
	enum vm_end end;
	int status, detail;

	if (vm_build(run))
		return EXIT_CANNOT_RUN;
	if (run->verbose)
		run_describe(run);
	console_begin(run->vm.console);
	end = vm_run(&run->vm, &detail);
	run_stop_drives(run);
	status = run_status(run, end, detail);
	run_tell_end(run, end, status);
	run_write_stats(run);
	vm_unbuild(run);
	return status;
}

int builtin_run(int argc, char **argv)
{
	char name[32];
	struct run run = {
		.name = name,
		.console_spec = "stdio",
		.cpus = 1,
		.mem = MEM_DEFAULT,
		.signal_fd = -1,
		.timer_fd = -1,
	};
	int status = EXIT_CANNOT_RUN;

	snprintf(name, sizeof(name), "lkvm-%d", getpid());
	if (run_parse(&run, argc, argv))
		goto out;
	if (run.help) {
		status = 0;
		goto out;
	}
	run_raise_file_limit();
	run_shrink_stacks();
	if (!run_make_cmdline(&run) && !run_open_stats(&run))
		status = run_guest(&run);
out:
	for (unsigned int i = 0; i < run.ndrives; i++)
		drive_forget(&run.drives[i]);
	run_close_stats(&run);
	free(run.cmdline);
	return status;
}
