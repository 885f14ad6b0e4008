// SPDX-License-Identifier: GPL-2.0-only
/*
 * lkvm check-host: can this host run guests, and how well?
 */
#include "commands.h"
#include "kvm/caps.h"
#include "kvm/memory.h"
#include "kvm/speed.h"
#include "log.h"
#include "options.h"
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXIT_SLOW 1
#define MIPS_EMULATED 30.0	/* hardware is a hundred times faster, emulators slower */
#define AIO_EVENTS_WANTED 16384	/* 16 disks of 4 queues of 256 */

static void tell(const char *topic, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void tell(const char *topic, const char *fmt, ...)
{
	va_list args;

	printf("%-14s ", topic);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* The number in a file of /proc or /sys; 0 if there is none. */
static unsigned long long file_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static void check_limits(void)
{
	unsigned long long max = file_number("/proc/sys/fs/aio-max-nr");
	unsigned long long used = file_number("/proc/sys/fs/aio-nr");
	unsigned long long left = max > used ? max - used : 0;

	tell("Linux AIO", "%llu of %llu events free (fs.aio-max-nr)%s", left,
	     max, left < AIO_EVENTS_WANTED ?
		     ": little; sysctl -w fs.aio-max-nr=1048576" :
		     ": enough");
}

static void check_hugepages(void)
{
	unsigned long long size = guest_hugepage_size(), n;
	char path[96];

	snprintf(path, sizeof(path),
		 "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 size >> 10);
	n = file_number(path);
	if (n)
		tell("huge pages", "%llu of %llu MiB free: --mem SIZE,hugepages=on can use them",
		     n, size >> 20);
	else
		tell("huge pages", "none reserved; sysctl -w vm.nr_hugepages=N for --mem SIZE,hugepages=on");
}

static void check_numa(void)
{
	DIR *dir = opendir("/sys/devices/system/node");
	struct dirent *entry;
	unsigned int nodes = 0;

	while (dir && (entry = readdir(dir)))
		if (!fnmatch("node[0-9]*", entry->d_name, 0))
			nodes++;
	if (dir)
		closedir(dir);
	tell("CPUs", "%ld online, %u NUMA node%s", sysconf(_SC_NPROCESSORS_ONLN),
	     nodes ? nodes : 1, nodes > 1 ? "s" : "");
}

static int check_kvm(void)
{
	int fd = kvm_open();

	if (fd < 0)
		return fd;
	tell("/dev/kvm", "usable, all required capabilities; up to %d vCPUs",
	     ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS));
	close(fd);
	return 0;
}

static int check_speed(void)
{
	double mips;

	if (guest_speed(&mips))
		return EXIT_CANNOT_RUN;
	if (mips < MIPS_EMULATED) {
		tell("guest kernel", "%.1f million instructions per second: SLOW. This KVM emulates", mips);
		tell("", "kernel code; a Linux guest will not boot in useful time. Use a host with");
		tell("", "hardware virtualisation, or nested virtualisation.");
		return EXIT_SLOW;
	}
	tell("guest kernel", "%.0f million instructions per second: hardware speed", mips);
	return 0;
}

int builtin_check_host(int argc, char **argv)
{
	bool help = false, quiet = false;
	const struct option_spec specs[] = {
		{ 'q', "quiet", OPTION_FLAG, &quiet, 0, 0, NULL,
		  "print errors only; the exit status tells", NULL },
		{ 'h', "help", OPTION_FLAG, &help, 0, 0, NULL, "this text",
		  NULL },
		{ .name = NULL },
	};
	int next = options_parse(specs, "check-host", argc, argv);
	int status;

	if (next < 0)
		return EXIT_CANNOT_RUN;
	if (help) {
		printf("usage: lkvm check-host [OPTIONS]\n\n");
		options_help(specs);
		printf("\nExit status: 0 guests run at full speed, 1 only slowly, 125 not at all.\n");
		return 0;
	}
	if (next < argc) {
		options_unexpected("check-host", argv[next]);
		return EXIT_CANNOT_RUN;
	}
	if (quiet && !freopen("/dev/null", "w", stdout))
		return EXIT_CANNOT_RUN;
	status = check_kvm() ? EXIT_CANNOT_RUN : check_speed();
	check_limits();
	check_hugepages();
	check_numa();
	tell("verdict", "%s", status == 0 ? "this host runs guests well" :
			      status == EXIT_SLOW ?
			      "this host runs tiny guests only" :
			      "this host cannot run guests");
	return status;
}
