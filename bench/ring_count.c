// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a thread does, counted: allocations, locks and system calls by the
 * linker's --wrap, which sees every call of lkvm's own code; instructions by
 * perf or callgrind.  Counters belong to the thread that calls.
 */
#include "bench/ring.h"
#include <libaio.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __CHECKER__	/* sparse does not find what it includes */
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_TOGGLE_COLLECT do { } while (0)
#else
#include <valgrind/callgrind.h>
#endif

#define BLOCKS_MAX 4096

__thread struct ring_counts ring_counts;

void ring_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("ring: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* --- calls ---------------------------------------------------------------- */

/* WRAP(counter, type, name, (parameters), (arguments)) */
#define WRAP(counter, type, name, parameters, arguments) \
	type __real_##name parameters;                   \
	type __wrap_##name parameters;                   \
	type __wrap_##name parameters                    \
	{                                                \
		ring_counts.counter++;                   \
		return __real_##name arguments;          \
	}

WRAP(locks, int, pthread_mutex_lock, (pthread_mutex_t *m), (m))
WRAP(locks, int, pthread_cond_wait, (pthread_cond_t *c, pthread_mutex_t *m),
     (c, m))
WRAP(locks, int, pthread_cond_signal, (pthread_cond_t *c), (c))
WRAP(locks, int, pthread_cond_broadcast, (pthread_cond_t *c), (c))
WRAP(locks, int, sem_wait, (sem_t *s), (s))
WRAP(locks, int, sem_post, (sem_t *s), (s))

WRAP(calls, int, io_getevents,
     (io_context_t ctx, long min, long nr, struct io_event *events,
      struct timespec *timeout),
     (ctx, min, nr, events, timeout))
WRAP(calls, int, epoll_wait,
     (int fd, struct epoll_event *events, int max, int timeout),
     (fd, events, max, timeout))
WRAP(calls, int, epoll_pwait2,
     (int fd, struct epoll_event *events, int max,
      const struct timespec *timeout, const sigset_t *mask),
     (fd, events, max, timeout, mask))
WRAP(calls, int, poll, (struct pollfd *fds, nfds_t n, int timeout),
     (fds, n, timeout))
WRAP(calls, ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(calls, ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))

int __real_io_submit(io_context_t ctx, long n, struct iocb **iocbs);
int __wrap_io_submit(io_context_t ctx, long n, struct iocb **iocbs);
int __wrap_io_submit(io_context_t ctx, long n, struct iocb **iocbs)
{
	ring_counts.submits++;
	ring_counts.calls++;
	return __real_io_submit(ctx, n, iocbs);
}

/* --- the heap -------------------------------------------------------------- */

static struct {
	void *start;
	size_t size;
} blocks[BLOCKS_MAX];
static unsigned int nblocks;	/* several threads may allocate: atomic */

static void *block_note(void *start, size_t size)
{
	unsigned int i;

	ring_counts.allocations++;
	if (!start)
		return NULL;
	i = __atomic_fetch_add(&nblocks, 1, __ATOMIC_RELAXED);
	if (i >= BLOCKS_MAX)
		ring_die("more than %u allocations", BLOCKS_MAX);
	blocks[i].start = start;
	blocks[i].size = size;
	return start;
}

unsigned int ring_blocks(void **start, size_t *size, unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < nblocks; i++) {
		if (!blocks[i].start)
			continue;
		if (n == max)
			ring_die("more than %u heap blocks", max);
		start[n] = blocks[i].start;
		size[n++] = blocks[i].size;
	}
	return n;
}

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_malloc(size_t n)
{
	return block_note(__real_malloc(n), n);
}

void *__real_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_calloc(size_t n, size_t each)
{
	return block_note(__real_calloc(n, each), n * each);
}

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return block_note(__real_aligned_alloc(align, n), n);
}

int __real_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n);
int __wrap_posix_memalign(void **p, size_t align, size_t n)
{
	int err = __real_posix_memalign(p, align, n);

	if (!err)
		block_note(*p, n);
	return err;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	ring_counts.allocations++;
	for (unsigned int i = 0; p && i < nblocks; i++)
		if (blocks[i].start == p)
			blocks[i].start = NULL;
	__real_free(p);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	void *new = __real_realloc(p, n);

	for (unsigned int i = 0; new && p && i < nblocks; i++)
		if (blocks[i].start == p)
			blocks[i].start = NULL;
	return block_note(new, n);
}

/* --- instructions ---------------------------------------------------------- */

static __thread int counter_fd = -1;
static u64 counter_total;

static int perf_open(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1,
			    PERF_FLAG_FD_CLOEXEC);
}

const char *ring_counter_name(void)
{
	int fd = perf_open();

	if (fd < 0)
		return "callgrind";
	close(fd);
	return "perf";
}

void ring_counter_open(void)
{
	if (!RUNNING_ON_VALGRIND)
		counter_fd = perf_open();
}

/* Collection is per thread in callgrind, and off at first: --collect-atstart=no */
void ring_counter_on(void)
{
	if (counter_fd >= 0)
		ioctl(counter_fd, PERF_EVENT_IOC_ENABLE, 0);
	else
		CALLGRIND_TOGGLE_COLLECT;
}

void ring_counter_off(void)
{
	if (counter_fd >= 0)
		ioctl(counter_fd, PERF_EVENT_IOC_DISABLE, 0);
	else
		CALLGRIND_TOGGLE_COLLECT;
}

void ring_counter_close(void)
{
	u64 n = 0;

	if (counter_fd < 0)
		return;
	if (__real_read(counter_fd, &n, sizeof(n)) == sizeof(n))
		__atomic_fetch_add(&counter_total, n, __ATOMIC_RELAXED);
	close(counter_fd);
	counter_fd = -1;
}

u64 ring_counter_total(void)
{
	return counter_total;
}

/* --- samples -------------------------------------------------------- */

static u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

u64 ring_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

void ring_sample_thread(struct ring_sample *s)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	s->ns = ring_now();
	s->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	s->sleeps = (u64)usage.ru_nvcsw;
	s->counts = ring_counts;
}

void ring_sample_add(struct ring_sample *sum, const struct ring_sample *from,
		     const struct ring_sample *to)
{
	sum->ns += to->ns - from->ns;
	sum->cpu_ns += to->cpu_ns - from->cpu_ns;
	sum->driver_ns += to->driver_ns - from->driver_ns;
	sum->requests += to->requests - from->requests;
	sum->batches += to->batches - from->batches;
	sum->interrupts += to->interrupts - from->interrupts;
	sum->sleeps += to->sleeps - from->sleeps;
	sum->counts.allocations += to->counts.allocations - from->counts.allocations;
	sum->counts.locks += to->counts.locks - from->counts.locks;
	sum->counts.submits += to->counts.submits - from->counts.submits;
	sum->counts.calls += to->counts.calls - from->counts.calls;
}

void ring_result_add(struct ring_result *result, const struct ring_sample *from,
		     const struct ring_sample *to)
{
	ring_sample_add(&result->sum, from, to);
	if (result->ns < to->ns - from->ns)
		result->ns = to->ns - from->ns;
}

/*
 * The driver's part of the turns is not the device's time.  With more threads
 * than CPUs that part is not known: others ran in the middle of it.
 */
double ring_result_rate(const struct ring_result *result, unsigned int threads)
{
	double ns = (double)result->ns;

	if (threads <= (unsigned int)sysconf(_SC_NPROCESSORS_ONLN))
		ns -= (double)result->sum.driver_ns / threads;
	return ns > 0 ? (double)result->sum.requests * 1e9 / ns : 0;
}
