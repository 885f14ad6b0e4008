// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm run: build a machine from the command line, run it to its end, undo it
 * in reverse, and tell how it ended by the exit status.
 */
#include "arch.h"
#include "clock.h"
#include "commands.h"
#include "control.h"
#include "control_requests.h"
#include "drive.h"
#include "kvm/console.h"
#include "kvm/exit_device.h"
#include "kvm/vm.h"
#include "log.h"
#include "output.h"
#include "run.h"
#include "stats.h"
#include "virtio/trace.h"
#include <errno.h>
#include <fcntl.h>
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

#define MEM_DEFAULT (512ULL << 20)
#define THREAD_STACK (1u << 20)

/* What failed is tried again when the guest runs: it may fail and pause it again. */
void run_resume(struct run *run)
{
	if (!vm_resume(&run->vm))
		return;
	for (unsigned int i = 0; i < run->attached; i++)
		drive_retry(&run->drives[i]);
}

u64 run_uptime(const struct run *run)
{
	return now_ns() - run->started_ns;
}

static void run_signalled(void *ctx)
{
	struct run *run = ctx;
	struct signalfd_siginfo info;

	if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR2)
		run_resume(run);
	else
		vm_end(&run->vm, VM_SIGNAL, (int)info.ssi_signo);
}

static void run_timed_out(void *ctx)
{
	struct run *run = ctx;

	vm_end(&run->vm, VM_TIMEOUT, 0);
}

/*
 * From here on the signals that end lkvm, and the one that resumes the guest, are
 * read from a file descriptor by the main loop; threads inherit the mask.
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
	signal(SIGUSR2, SIG_DFL);
	sigaddset(&set, SIGUSR2);
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

/* Without a name of its own a guest that cannot be controlled runs all the same. */
static int run_open_control(struct run *run)
{
	int err = control_new(&run->control, &run->vm, run->name,
			      control_requests, run);

	if (!err)
		run->vm.control_name = run->name;
	if (!err || run->named || err == -EMFILE)
		return err;
	log_warn("the guest runs without a control socket; lkvm list will not find it");
	return 0;
}

static void run_unwatch(struct run *run)
{
	control_free(run->control);
	if (run->timer_fd >= 0)
		close(run->timer_fd);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
}

/* What the main loop looks at: signals, the time, the user's requests. */
static int run_watch(struct run *run)
{
	int err = run_watch_signals(run);

	if (!err)
		err = run_watch_timeout(run);
	if (!err)
		err = run_open_control(run);
	if (err)
		run_unwatch(run);
	return err;
}

static int run_open_stats(struct run *run)
{
	int fd;

	if (!run->stats_path)
		return 0;
	if (!strcmp(run->stats_path, "-")) {
		run->stats = stdout;
		return 0;
	}
	/* Now, so that it fails in time; but what is in it stays until the end. */
	fd = output_open(run->stats_path, O_WRONLY | O_APPEND,
			 &run->stats_created);
	if (fd >= 0)
		run->stats = fdopen(fd, "a");
	if (!run->stats) {
		int err = fd < 0 ? fd : -ENOMEM;

		log_error("--stats %s: %s; give a file that can be written, or -",
			  run->stats_path, strerror(-err));
		return err;
	}
	return 0;
}

static void run_close_stats(struct run *run)
{
	if (!run->stats || run->stats == stdout)
		return;
	if (run->stats_created)
		output_remove(fileno(run->stats), run->stats_path);
	fclose(run->stats);
}

static int run_open_trace(struct run *run)
{
	return run->trace_path ? trace_open(&run->trace, run->trace_path) : 0;
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
	for (unsigned int i = 0; i < run->ndrives; i++) {
		int err = drive_count(&run->drives[i], run->cpus);

		if (err)
			return err;
	}
	drives_measure(run->drives, run->ndrives, run->cpus);
	while (run->attached < run->ndrives) {
		struct drive *d = &run->drives[run->attached];
		int err;

		d->trace = run->trace;
		err = drive_attach(d, &run->vm);
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

/* The devices; run_free_devices() is its mirror.  Drives have the first PCI slots. */
static int run_build_devices(struct run *run)
{
	struct vm *vm = &run->vm;
	int err = console_new(&vm->console, vm, run->console_spec);

	if (err)
		return err;
	err = arch_devices_init(vm);
	if (err)
		goto undo_console;
	err = run_attach_drives(run);
	if (!err)
		err = run_attach_exit_device(run);
	if (err)
		goto undo_drives;
	return 0;
undo_drives:
	run_detach_drives(run);
	arch_devices_exit(vm);
undo_console:
	console_free(vm->console);
	return err;
}

static void run_free_devices(struct run *run)
{
	exit_device_free(run->exit_device);
	run_detach_drives(run);
	arch_devices_exit(&run->vm);
	console_free(run->vm.console);
}

static int run_start_drives(struct run *run)
{
	int err = run->trace ? trace_start(run->trace) : 0;

	for (unsigned int i = 0; !err && i < run->ndrives; i++)
		err = drive_start(&run->drives[i]);
	return err;
}

static void run_stop_drives(struct run *run)
{
	for (unsigned int i = 0; i < run->attached; i++)
		drive_stop(&run->drives[i]);
	if (run->trace)
		trace_stop(run->trace);
}

/* Before anything runs or touches guest memory. */
static int run_place(struct run *run)
{
	int err = affinity_plan(&run->affinity, "", run->cpus, run->drives,
				run->ndrives, &run->vm.numa);

	if (err)
		return err;
	affinity_describe(&run->affinity, run->verbose);
	affinity_apply(&run->affinity, &run->vm, run->drives);
	return 0;
}

/* The kernel and what it boots with into guest memory, the first vCPU to its entry. */
static int run_boot(struct run *run)
{
	struct boot_spec boot = {
		.kernel = run->kernel,
		.initrd = run->initrd,
		.cmdline = run->cmdline,
		.archive = run->archive,
		.archive_size = run->archive_size,
	};

	return arch_boot(&run->vm, &boot);
}

/* The machine, part by part; vm_unbuild() is its mirror. */
static int vm_build(struct run *run)
{
	struct vm *vm = &run->vm;
	int err;

	vm->dedicated = run->dedicated;
	err = numa_build(&run->affinity.numa, run->cpus, run->mem, &vm->numa);
	if (!err && run->hugepages)
		err = numa_check_pages(&run->affinity.numa,
				       guest_hugepage_size());
	if (err)
		return err;
	err = vm_init(vm, run->cpus, run->mem, run->hugepages);
	if (err)
		return err;
	err = vm_cpus_create(vm);
	if (err)
		goto undo_vm;
	err = run_watch(run);
	if (err)
		goto undo_cpus;
	err = run_build_devices(run);
	if (err)
		goto undo_watch;
	err = run_prepare_command(run);
	if (!err)
		err = run_place(run);
	if (!err)
		err = run_boot(run);
	if (err)
		goto undo_devices;
	err = run_start_drives(run);
	if (err)
		goto undo_started;
	return 0;
undo_started:
	run_stop_drives(run);
undo_devices:
	run_free_devices(run);
undo_watch:
	run_unwatch(run);
undo_cpus:
	vm_cpus_destroy(vm);
undo_vm:
	vm_exit(vm);
	return err;
}

static void vm_unbuild(struct run *run)
{
	run_free_devices(run);
	run_unwatch(run);
	vm_cpus_destroy(&run->vm);
	vm_exit(&run->vm);
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
	run->started_ns = now_ns();
	end = vm_run(&run->vm, &detail);
	run_stop_drives(run);
	status = run_status(run, end, detail);
	run_tell_end(run, end, detail);
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
	run.named = run.name != name;
	run_raise_file_limit();
	run_shrink_stacks();
	if (!run_make_cmdline(&run) && !run_check_outputs(&run) &&
	    !run_open_stats(&run) && !run_open_trace(&run))
		status = run_guest(&run);
out:
	for (unsigned int i = 0; i < run.ndrives; i++)
		drive_forget(&run.drives[i]);
	affinity_free(&run.affinity);
	run_close_stats(&run);
	if (run.trace)
		trace_close(run.trace);
	free(run.cmdline);
	free(run.archive);
	free(run.root_text);
	return status;
}
