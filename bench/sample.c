// SPDX-License-Identifier: GPL-2.0-only
/*
 * sample DISK SETTLE_MS WINDOW_MS [PID [calls]] - count what happens per request,
 * on the host, inside a running load
 *
 * Waits until the block device DISK (nullb0) is busy, and SETTLE_MS more; then
 * prints by how much each counter grew within WINDOW_MS, as words KEY=NUMBER:
 *
 *	requests	4 KiB pieces that DISK read or wrote
 *	kvm.NAME	of the VM of process PID, as debugfs names them (exits)
 *	switches	context switches of PID's threads, voluntary or not
 *	vcpu_ns, io_ns	CPU time of its vCPU threads, guest included, and of all others
 *	calls, sys.N	with "calls": their system calls, all and by number, by a
 *			tracepoint, which slows each call a little
 *
 * A mark (mark.h) stands at both ends, for those who count instructions.
 * Single-threaded; all is read within some hundred microseconds, by files that
 * are opened before, so what it costs is not in the window.
 */
#include "mark.h"
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNTERS_MAX 128
#define THREADS_MAX 256
#define START_MS 60000	/* within which the load must begin */
#define START_SECTORS 128
#define SYS_ENTER "/sys/kernel/tracing/events/raw_syscalls/sys_enter"

/* Such a file can be read once: one descriptor for each end of the window. */
struct counter {
	char name[64];
	int fds[2];
	unsigned long long before, after;
};

static struct counter counters[COUNTERS_MAX];
static unsigned int ncounters;
/* fds of /proc/PID/task/TID/status and schedstat. */
static struct { int status, schedstat; bool vcpu; } threads[THREADS_MAX];
static unsigned int nthreads;
/* "hist:... if common_pid==1||common_pid==2"; the first byte is for '!'. */
static char trigger[THREADS_MAX * 32];

static void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static void mark(void)
{
	__asm__ volatile(MARK_ASM);
}

/* A small file of /proc or /sys from its start, as a string. */
static void read_file(int fd, char *text, size_t size)
{
	ssize_t got = pread(fd, text, size - 1, 0);

	text[got < 0 ? 0 : got] = 0;
}

static unsigned long long sectors(int fd)
{
	unsigned long long rd = 0, wr = 0;
	char text[512];

	read_file(fd, text, sizeof(text));
	if (sscanf(text, "%*u %*u %llu %*u %*u %*u %llu", &rd, &wr) != 2)
		errx(1, "the disk's counters are gone");
	return rd + wr;
}

static unsigned long long field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* "voluntary_ctxt_switches:" is the end of "nonvoluntary_...", too. */
static unsigned long long switches(void)
{
	unsigned long long sum = 0;
	char text[4096];

	for (unsigned int i = 0; i < nthreads; i++) {
		read_file(threads[i].status, text, sizeof(text));
		sum += field(text, "\nvoluntary_ctxt_switches:") +
		       field(text, "\nnonvoluntary_ctxt_switches:");
	}
	return sum;
}

/* CPU time of the threads that are vCPUs, or that are not. */
static unsigned long long cpu_ns(bool vcpu)
{
	unsigned long long sum = 0;
	char text[128];

	for (unsigned int i = 0; i < nthreads; i++) {
		if (threads[i].vcpu != vcpu)
			continue;
		read_file(threads[i].schedstat, text, sizeof(text));
		sum += strtoull(text, NULL, 10);
	}
	return sum;
}

static unsigned long long number(int fd)
{
	char text[64] = "";

	if (read(fd, text, sizeof(text) - 1) < 0)
		errx(1, "a counter of the VM is gone");
	return strtoull(text, NULL, 10);
}

static int open_of_thread(const char *pid, const char *tid, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "/proc/%s/task/%s/%s", pid, tid, name);
	return open(path, O_RDONLY);
}

/* As lkvm and kvmtool ("vcpu") and QEMU ("CPU 0/KVM") name them. */
static bool is_vcpu(const char *pid, const char *tid)
{
	int fd = open_of_thread(pid, tid, "comm");
	char name[32] = "";

	if (fd >= 0)
		read_file(fd, name, sizeof(name));
	close(fd);
	return strstr(name, "vcpu") || strstr(name, "/KVM");
}

static void open_threads(const char *pid)
{
	char path[300];
	struct dirent *e;
	size_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	if (!dir)
		errx(1, "process %s: %s", pid, strerror(errno));
	len = (size_t)sprintf(trigger, "!hist:keys=id:size=512 if ");
	while ((e = readdir(dir)) && nthreads < THREADS_MAX) {
		if (e->d_name[0] == '.')
			continue;
		threads[nthreads].status =
			open_of_thread(pid, e->d_name, "status");
		threads[nthreads].schedstat =
			open_of_thread(pid, e->d_name, "schedstat");
		if (threads[nthreads].status < 0)
			continue;
		threads[nthreads].vcpu = is_vcpu(pid, e->d_name);
		len += (size_t)snprintf(trigger + len, sizeof(trigger) - len,
					"%scommon_pid==%.10s",
					nthreads ? "||" : "", e->d_name);
		nthreads++;
	}
	closedir(dir);
}

/* All counters of the VM: /sys/kernel/debug/kvm/PID-FD/NAME. */
static void open_kvm(const char *pid)
{
	char path[600], vm[256] = "";
	struct dirent *e;
	DIR *dir = opendir("/sys/kernel/debug/kvm");

	while (dir && (e = readdir(dir)))
		if (!strncmp(e->d_name, pid, strlen(pid)) &&
		    e->d_name[strlen(pid)] == '-')
			snprintf(vm, sizeof(vm), "%.255s", e->d_name);
	if (dir)
		closedir(dir);
	if (!*vm)
		errx(1, "no VM of process %s in /sys/kernel/debug/kvm", pid);
	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", vm);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) && ncounters < COUNTERS_MAX) {
		struct counter *c = &counters[ncounters];

		if (e->d_name[0] == '.' || e->d_type != DT_REG)
			continue;
		snprintf(c->name, sizeof(c->name), "%.63s", e->d_name);
		snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s/%s", vm,
			 e->d_name);
		c->fds[0] = open(path, O_RDONLY);
		c->fds[1] = open(path, O_RDONLY);
		if (c->fds[0] >= 0 && c->fds[1] >= 0)
			ncounters++;
	}
	if (dir)
		closedir(dir);
}

/* Give the tracepoint a command. */
static void trace(const char *command)
{
	int fd = open(SYS_ENTER "/trigger", O_WRONLY | O_APPEND);

	if (fd < 0 || write(fd, command, strlen(command)) < 0)
		errx(1, "%s/trigger: %s", SYS_ENTER, strerror(errno));
	close(fd);
}

static void print_calls(void)
{
	unsigned long long id, hits, all = 0;
	FILE *hist = fopen(SYS_ENTER "/hist", "r");
	char line[256];

	while (hist && fgets(line, sizeof(line), hist))
		if (sscanf(line, "{ id: %llu } hitcount: %llu", &id, &hits) ==
		    2) {
			printf(" sys.%llu=%llu", id, hits);
			all += hits;
		}
	printf(" calls=%llu", all);
	if (hist)
		fclose(hist);
}

static void await_load(int disk)
{
	unsigned long long first = sectors(disk);

	for (unsigned int ms = 0; sectors(disk) < first + START_SECTORS;
	     ms += 50) {
		if (ms >= START_MS)
			errx(1, "no load in %u s", START_MS / 1000);
		sleep_ms(50);
	}
}

int main(int argc, char **argv)
{
	unsigned long long first, last, switched = 0, vcpu_ns, io_ns;
	bool calls = argc == 6 && !strcmp(argv[5], "calls");
	char path[300];
	int disk;

	if (argc < 4 || argc > 6 || (argc == 6 && !calls))
		errx(1, "usage: sample DISK SETTLE_MS WINDOW_MS [PID [calls]]");
	snprintf(path, sizeof(path), "/sys/block/%s/stat", argv[1]);
	disk = open(path, O_RDONLY);
	if (disk < 0)
		errx(1, "%s: %s", path, strerror(errno));
	await_load(disk);
	sleep_ms((unsigned int)atoi(argv[2]));
	if (argc > 4) {
		open_threads(argv[4]);
		open_kvm(argv[4]);
	}

	if (calls)
		trace(trigger + 1);
	for (unsigned int i = 0; i < ncounters; i++)
		counters[i].before = number(counters[i].fds[0]);
	switched = switches();
	vcpu_ns = cpu_ns(true);
	io_ns = cpu_ns(false);
	first = sectors(disk);
	mark();
	sleep_ms((unsigned int)atoi(argv[3]));
	last = sectors(disk);
	mark();		/* takes a while; so both marks follow their sectors */
	vcpu_ns = cpu_ns(true) - vcpu_ns;
	io_ns = cpu_ns(false) - io_ns;
	switched = switches() - switched;
	for (unsigned int i = 0; i < ncounters; i++)
		counters[i].after = number(counters[i].fds[1]);

	printf("requests=%llu", (last - first) / 8);
	if (calls) {
		print_calls();
		trace(trigger);
	}
	if (argc > 4)
		printf(" switches=%llu vcpu_ns=%llu io_ns=%llu", switched,
		       vcpu_ns, io_ns);
	for (unsigned int i = 0; i < ncounters; i++)
		if (counters[i].after > counters[i].before)
			printf(" kvm.%s=%llu", counters[i].name,
			       counters[i].after - counters[i].before);
	putchar('\n');
	return 0;
}
