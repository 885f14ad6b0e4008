// SPDX-License-Identifier: GPL-2.0-only
/*
 * --trace: records in their order, past the end of a ring, dropped ones counted,
 * files that cannot be written; and reading them back, also what is cut off, foreign
 * or hostile.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "trace_show.h"
#include "virtio/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char path[] = "/tmp/lkvm-test-trace-XXXXXX";
static struct trace *trace;
static struct trace_queue *queues[2];

static void make_file(void)
{
	memcpy(path + strlen(path) - 6, "XXXXXX", 6);
	close(mkstemp(path));
}

static void remove_file(void)
{
	unlink(path);
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

/* What messages would be is nobody's concern, or too much of it. */
static void silence(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

static void open_trace(void)
{
	ck_assert_int_eq(trace_open(&trace, path), 0);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(trace_add(trace, "vdt", i, 64, &queues[i]), 0);
}

/* --- what was read ------------------------------------------------------- */

#define SEEN_MAX 200000

static struct seen {
	u32 nlanes;
	u32 n[QUEUES_MAX];
	u64 dropped[QUEUES_MAX];
	u64 popped_in_batches, published, interrupts;
	struct trace_request requests[QUEUES_MAX][SEEN_MAX];
} seen;

static int see_begin(void *ctx, const struct trace_lane *lanes, u32 n)
{
	(void)ctx;
	(void)lanes;
	seen.nlanes = n;
	return 0;
}

static int see_request(void *ctx, const struct trace_request *r)
{
	(void)ctx;
	expect(r->popped <= r->completed);
	expect(r->completed <= r->published);
	expect(r->submitted == TRACE_UNKNOWN ||
	       (r->popped <= r->submitted && r->submitted <= r->completed));
	expect(r->lane < seen.nlanes);
	if (r->lane < QUEUES_MAX && seen.n[r->lane] < SEEN_MAX)
		seen.requests[r->lane][seen.n[r->lane]++] = *r;
	return 0;
}

static void see_batch(void *ctx, u32 lane, u64 ns, u32 n)
{
	(void)ctx;
	(void)lane;
	(void)ns;
	seen.popped_in_batches += n;
}

static void see_publish(void *ctx, u32 lane, u64 ns, u32 n)
{
	(void)ctx;
	(void)lane;
	(void)ns;
	seen.published += n;
}

static void see_interrupt(void *ctx, u32 lane, u64 ns, bool sent)
{
	(void)ctx;
	(void)lane;
	(void)ns;
	seen.interrupts += sent;
}

static void see_dropped(void *ctx, u32 lane, u64 n)
{
	(void)ctx;
	if (lane < QUEUES_MAX)
		seen.dropped[lane] += n;
}

static int see_end(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct trace_sink see = {
	.begin = see_begin,
	.request = see_request,
	.batch = see_batch,
	.publish = see_publish,
	.interrupt = see_interrupt,
	.dropped = see_dropped,
	.end = see_end,
};

static int read_trace(void)
{
	memset(&seen, 0, offsetof(struct seen, requests));
	return trace_read(path, &see, NULL);
}

/* --- the recorder -------------------------------------------------------- */

/* @n requests one by one, from sector @from on, with all their stages. */
static void record(struct trace_queue *q, u32 from, u32 n)
{
	for (u32 i = from; i < from + n; i++) {
		u64 now = now_ns();

		trace_popped(q, now, 1);
		expect(trace_pending(q));
		trace_submit(q, now + 1);
		expect(!trace_pending(q));
		trace_request(q, now + 3, now, TRACE_WRITE, 0, 512ull * i, 4096);
		trace_publish(q, now + 7, 1);
		trace_interrupt(q, now + 8, i % 2);
	}
}

static void wait_written(const struct trace_queue *q)
{
	while (load_acquire(&q->tail) != q->head)
		usleep(1000);
}

/* Three rings' worth, from two queues, each in its order. */
START_TEST(test_order)
{
	/* Four records each: the end of a ring comes in the middle of a part. */
	const u32 part = TRACE_RING / 8 - 77, n = 6 * part;

	open_trace();
	ck_assert_int_eq(trace_start(trace), 0);
	for (u32 i = 0; i < n; i += part) {
		record(queues[0], i, part);
		record(queues[1], i, part);
		wait_written(queues[0]);
		wait_written(queues[1]);
	}
	trace_stop(trace);
	trace_close(trace);
	ck_assert_int_eq(read_trace(), 0);
	ck_assert_uint_eq(seen.nlanes, 2);
	ck_assert_uint_eq(seen.popped_in_batches, 2 * n);
	ck_assert_uint_eq(seen.published, 2 * n);
	ck_assert_uint_eq(seen.interrupts, n);
	for (unsigned int q = 0; q < 2; q++) {
		ck_assert_uint_eq(seen.n[q], n);
		ck_assert_uint_eq(seen.dropped[q], 0);
		for (u32 i = 0; i < n; i++) {
			const struct trace_request *r = &seen.requests[q][i];

			expect(r->sector == i && r->bytes == 4096);
			expect(r->op == TRACE_WRITE);
			expect(r->submitted - r->popped == 1);
			expect(r->completed - r->popped == 3);
			expect(r->published - r->popped == 7);
		}
	}
}
END_TEST

/* The first record of a page costs no more than the next. */
START_TEST(test_rings_are_resident)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t size = TRACE_RING * sizeof(struct trace_record);
	unsigned char *resident = calloc(1, size / page);

	open_trace();
	ck_assert_int_eq(mincore(queues[1]->records, size, resident), 0);
	for (size_t i = 0; i < size / page; i++)
		expect(resident[i] & 1);
	trace_close(trace);
	free(resident);
}
END_TEST

/* A writer that does not come: what is there stays, what follows is counted. */
START_TEST(test_dropped)
{
	open_trace();
	ck_assert_int_eq(trace_start(trace), 0);
	record(queues[1], 0, 1);
	wait_written(queues[1]);
	/* Of a writer that comes at the end only there is a ring, four records each. */
	for (u32 i = 0; i < 3; i++)
		record(queues[0], i * TRACE_RING, TRACE_RING);
	trace_stop(trace);
	ck_assert_uint_gt(queues[0]->dropped, 0);
	ck_assert_int_eq(read_trace(), 0);
	ck_assert_uint_eq(seen.dropped[0], queues[0]->dropped);
	ck_assert_uint_eq(seen.dropped[1], 0);
	ck_assert_uint_eq(seen.n[1], 1);
	ck_assert_uint_ge(seen.n[0], TRACE_RING / 4);
	for (u32 i = 1; i < seen.n[0]; i++)
		expect(seen.requests[0][i - 1].sector <
		       seen.requests[0][i].sector);
	trace_close(trace);
}
END_TEST

START_TEST(test_other_files_stay)
{
	int fd = open(path, O_WRONLY);
	struct stat st;

	ck_assert_int_eq(write(fd, "a disk image", 12), 12);
	close(fd);
	silence();
	ck_assert_int_eq(trace_open(&trace, path), -EEXIST);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 12);
	ck_assert_int_eq(trace_open(&trace, "/nowhere/at/all"), -ENOENT);
	ck_assert_int_eq(read_trace(), -EINVAL);
	unlink(path);
	ck_assert_int_eq(read_trace(), -ENOENT);
}
END_TEST

/* One writer at a time. */
START_TEST(test_in_use)
{
	struct trace *other;

	silence();
	open_trace();
	ck_assert_int_eq(trace_open(&other, path), -EBUSY);
	trace_close(trace);
	ck_assert_int_eq(trace_open(&other, path), 0);
	trace_close(other);
}
END_TEST

/* Neither is a disk overwritten, nor does a pipe that nobody reads hold up the end. */
START_TEST(test_regular_files_only)
{
	int socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	silence();
	ck_assert_int_eq(trace_open(&trace, "/dev/null"), -EINVAL);
	ck_assert_int_eq(trace_open(&trace, "/dev/full"), -EINVAL);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(trace_open(&trace, path), -EINVAL);
	unlink(path);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(socket_fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	ck_assert_int_eq(trace_open(&trace, path), -ENXIO);
	close(socket_fd);
	/* A host's disk, where there is one that this test may open. */
	unlink(path);
	if (!mknod(path, S_IFBLK | 0600, makedev(1, 0)))
		ck_assert_int_lt(trace_open(&trace, path), 0);
}
END_TEST

START_TEST(test_trace_is_overwritten)
{
	for (unsigned int i = 2; i; i--) {
		open_trace();
		ck_assert_int_eq(trace_start(trace), 0);
		record(queues[0], 0, i);
		trace_stop(trace);
		trace_close(trace);
	}
	ck_assert_int_eq(read_trace(), 0);
	ck_assert_uint_eq(seen.n[0], 1);
}
END_TEST

/* The host's disk is full: recording goes on, and nobody waits. */
START_TEST(test_no_room)
{
	struct rlimit limit, small;

	signal(SIGXFSZ, SIG_IGN);
	silence();
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 65536;
	setrlimit(RLIMIT_FSIZE, &small);
	open_trace();
	ck_assert_int_eq(trace_start(trace), 0);
	for (u32 i = 0; i < 3; i++)
		record(queues[0], i * TRACE_RING, TRACE_RING);
	trace_stop(trace);
	trace_close(trace);
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(read_trace(), 0);	/* with a warning */
	ck_assert_uint_gt(seen.n[0], 10);
	ck_assert_uint_lt(seen.n[0], 65536 / 32);
}
END_TEST

/* --- through virtio-blk -------------------------------------------------- */

static void blk_traced(unsigned int nqueues, unsigned int nthreads)
{
	ck_assert_int_eq(trace_open(&trace, path), 0);
	blk_params.trace = trace;
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), nqueues, nthreads,
		 64);
	ck_assert_int_eq(trace_start(trace), 0);
	drive(DRIVER_FEATURES);
}

static void blk_end_trace(void)
{
	set_status(0);
	trace_stop(trace);
	close_blk();
	trace_close(trace);
	blk_params.trace = NULL;
	ck_assert_int_eq(read_trace(), 0);
}

/* Each request once, with all its times, on two threads for four queues. */
START_TEST(test_every_request)
{
	const unsigned int n = 500;

	blk_traced(4, 2);
	for (unsigned int q = 0; q < 4; q++)
		pump(q, n);
	blk_end_trace();
	ck_assert_uint_eq(seen.nlanes, 4);
	for (unsigned int q = 0; q < 4; q++) {
		ck_assert_uint_eq(seen.dropped[q], 0);
		ck_assert_uint_ge(seen.n[q], n);
		for (u32 i = 0; i < seen.n[q]; i++) {
			const struct trace_request *r = &seen.requests[q][i];

			ck_assert_uint_ne(r->submitted, TRACE_UNKNOWN);
			ck_assert_uint_ne(r->published, TRACE_UNKNOWN);
		}
	}
	ck_assert_uint_eq(seen.popped_in_batches, seen.published);
	ck_assert_uint_eq(seen.n[0] + seen.n[1] + seen.n[2] + seen.n[3],
			  seen.published);
}
END_TEST

static const struct {
	u32 type;
	u64 sector;
	u32 len;
	enum trace_op op;
	u8 status;
	bool refused;
} kinds[] = {
	{ VIRTIO_BLK_T_IN, 8, 4096, TRACE_READ, VIRTIO_BLK_S_OK, false },
	{ VIRTIO_BLK_T_OUT, 16, 512, TRACE_WRITE, VIRTIO_BLK_S_OK, false },
	{ VIRTIO_BLK_T_FLUSH, 0, 0, TRACE_FLUSH, VIRTIO_BLK_S_OK, false },
	{ VIRTIO_BLK_T_IN, SECTORS, 512, TRACE_READ, VIRTIO_BLK_S_IOERR, true },
	{ VIRTIO_BLK_T_OUT, SECTORS, 512, TRACE_WRITE, VIRTIO_BLK_S_IOERR, true },
	{ VIRTIO_BLK_T_IN, 3, 0, TRACE_READ, VIRTIO_BLK_S_OK, true },
	{ VIRTIO_BLK_T_GET_ID, 0, 20, TRACE_OTHER, VIRTIO_BLK_S_OK, true },
	{ 99, 0, 512, TRACE_OTHER, VIRTIO_BLK_S_UNSUPP, true },
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

START_TEST(test_every_kind)
{
	u32 written;

	blk_traced(1, 1);
	for (size_t i = 0; i < NKINDS; i++)
		ck_assert_uint_eq(request(kinds[i].type, kinds[i].sector,
					  kinds[i].len, &written),
				  kinds[i].status);
	blk_end_trace();
	ck_assert_uint_eq(seen.n[0], NKINDS);
	for (size_t i = 0; i < NKINDS; i++) {
		const struct trace_request *r = &seen.requests[0][i];
		bool ranged = kinds[i].op != TRACE_OTHER;

		ck_assert_int_eq(r->op, kinds[i].op);
		ck_assert_uint_eq(r->status, kinds[i].status);
		ck_assert_uint_eq(r->sector, ranged ? kinds[i].sector : 0);
		ck_assert_uint_eq(r->bytes, ranged ? kinds[i].len : 0);
		ck_assert_uint_ne(r->published, TRACE_UNKNOWN);
		if (kinds[i].refused)
			ck_assert_uint_eq(r->submitted, r->popped);
		else
			ck_assert_uint_gt(r->submitted, r->popped);
	}
}
END_TEST

/* --- hostile files ------------------------------------------------------- */

static u8 file[4096];
static size_t file_size;

static void make_good_file(void)
{
	int fd;

	open_trace();
	ck_assert_int_eq(trace_start(trace), 0);
	record(queues[0], 0, 5);
	record(queues[1], 0, 5);
	trace_stop(trace);
	trace_close(trace);
	fd = open(path, O_RDONLY);
	file_size = (size_t)read(fd, file, sizeof(file));
	close(fd);
	ck_assert_uint_gt(file_size, 1000);
	ck_assert_uint_lt(file_size, sizeof(file));
	silence();
}

static int read_bytes(const u8 *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
	return read_trace();
}

START_TEST(test_cut_off)
{
	const size_t head = sizeof(struct trace_header) +
			    2 * sizeof(struct trace_lane);

	make_good_file();
	for (size_t n = 0; n < file_size; n++)
		ck_assert_int_eq(read_bytes(file, n), n < head ? -EINVAL : 0);
	ck_assert_int_eq(read_bytes(file, file_size), 0);
	ck_assert_uint_eq(seen.n[0] + seen.n[1], 10);
}
END_TEST

START_TEST(test_foreign)
{
	struct trace_header *h = (struct trace_header *)file;
	struct trace_lane *l = (struct trace_lane *)(h + 1);

	make_good_file();
	h->byte_order = __builtin_bswap32(h->byte_order);
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	h->byte_order = TRACE_BYTE_ORDER;
	h->version++;
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	h->version--;
	h->nlanes = ~0u;
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	h->nlanes = 2;
	memset(l->disk, 'x', sizeof(l->disk));
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	strcpy(l->disk, "\033[2J");
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	strcpy(l->disk, "vda");
	l->depth = ~0u;
	ck_assert_int_eq(read_bytes(file, file_size), -EINVAL);
	l->depth = 1;
	ck_assert_int_eq(read_bytes(file, file_size), 0);
}
END_TEST

/* Call @change on each record of the file of kind @kind. */
static void change_records(enum trace_kind kind,
			   void (*change)(struct trace_record *r))
{
	size_t at = sizeof(struct trace_header) + 2 * sizeof(struct trace_lane);

	while (at < file_size) {
		struct trace_chunk *chunk = (struct trace_chunk *)(file + at);
		struct trace_record *r = (struct trace_record *)(chunk + 1);

		for (u32 i = 0; i < chunk->n; i++)
			if (r[i].kind == kind)
				change(&r[i]);
		at += sizeof(*chunk) + chunk->n * sizeof(*r);
	}
}

static void lose(struct trace_record *r)
{
	r->kind = TRACE_INTERRUPT;
}

static void miscount(struct trace_record *r)
{
	r->count++;
}

static void all_unknown(bool submitted, bool published)
{
	ck_assert_int_eq(read_bytes(file, file_size), 0);
	ck_assert_uint_eq(seen.n[0], 5);
	for (u32 i = 0; i < 5; i++) {
		const struct trace_request *r = &seen.requests[0][i];

		ck_assert_uint_eq(r->sector, i);
		ck_assert(submitted == (r->submitted == TRACE_UNKNOWN));
		ck_assert(published == (r->published == TRACE_UNKNOWN));
	}
}

/* Where records were dropped, requests are still told, their times not made up. */
START_TEST(test_lost)
{
	struct trace_header *h = (struct trace_header *)file;
	struct trace_lane *l = (struct trace_lane *)(h + 1);

	make_good_file();
	all_unknown(false, false);
	change_records(TRACE_PUBLISH, miscount);
	all_unknown(false, true);
	change_records(TRACE_PUBLISH, lose);
	all_unknown(false, true);
	l->depth = 1;
	all_unknown(false, true);
	change_records(TRACE_BATCH, lose);
	all_unknown(true, true);
}
END_TEST

/* Whatever a file says: an error or requests in order, and the whole way of them. */
START_TEST(test_noise)
{
	static struct trace_request taken[SEEN_MAX];
	struct trace_lane lanes[QUEUES_MAX] = { { .disk = "a" }, { .disk = "b" } };
	unsigned int good = 0;
	u8 noisy[sizeof(file)];
	FILE *nothing = fopen("/dev/null", "w");

	make_good_file();
	srand(1);
	for (unsigned int round = 0; round < 3000; round++) {
		memcpy(noisy, file, file_size);
		for (int flips = 1 + rand() % 4; flips; flips--)
			noisy[sizeof(struct trace_header) +
			      (size_t)rand() % (file_size - sizeof(struct trace_header))] =
				(u8)(rand() % 3 ? rand() : 1 << rand() % 8);
		if (read_bytes(noisy, file_size))
			continue;
		good++;
		memcpy(taken, seen.requests[0], seen.n[0] * sizeof(*taken));
		ck_assert_int_eq(trace_svg(nothing, lanes, taken, seen.n[0]), 0);
	}
	fclose(nothing);
	ck_assert_uint_gt(good, 100);
}
END_TEST

/* --- sums ---------------------------------------------------------------- */

START_TEST(test_percentiles)
{
	const struct trace_lane lane = { .disk = "vda", .depth = 1 };
	struct trace_table *table;
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	double p50, p99, max;

	ck_assert_int_eq(trace_table_new(&table, &lane, 1), 0);
	for (u64 us = 1; us <= 1000; us++) {
		struct trace_request r = { .published = us * 1000 };

		ck_assert_int_eq(trace_table_request(table, &r), 0);
	}
	trace_table_print(table, to);
	trace_table_free(table);
	fclose(to);
	/* The last three fields of the only line of a kind: in all. */
	ck_assert_int_eq(sscanf(strstr(text, "\nvda") + 1,
				"%*s %*s read 1000 0 0 %*f %*f %*f %*f %*f %*f %lf %lf %lf",
				&p50, &p99, &max), 3);
	ck_assert_double_eq_tol(p50, 500, 500 / 32.0);
	ck_assert_double_eq_tol(p99, 990, 990 / 32.0);
	ck_assert_double_eq_tol(max, 1000, 0.1);
	free(text);
}
END_TEST

/* A hostile trace is 2^64 ns long, a short one less than a tick: the axis rises. */
START_TEST(test_axis)
{
	const struct trace_lane lane = { .disk = "vda", .depth = 1 };
	const u64 ends[] = { 25000, ~0ull - 1 };

	for (unsigned int i = 0; i < 2; i++) {
		struct trace_request r = { .completed = ends[i],
					   .published = ends[i] };
		double us, last = -1;
		unsigned int ticks = 0;
		char *text;
		size_t size;
		FILE *to = open_memstream(&text, &size);

		ck_assert_int_eq(trace_svg(to, &lane, &r, 1), 0);
		fclose(to);
		for (const char *at = text; (at = strstr(at, "\"middle\">")); ticks++) {
			at += strlen("\"middle\">");
			ck_assert_int_eq(sscanf(at, "%lf us", &us), 1);
			ck_assert_double_gt(us, last);
			last = us;
		}
		ck_assert_uint_eq(ticks, 11);
		ck_assert_double_eq_tol(last, (double)ends[i] / 1000, 0.1);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tc = tcase_create("trace");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, make_file, remove_file);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_rings_are_resident);
	tcase_add_test(tc, test_dropped);
	tcase_add_test(tc, test_other_files_stay);
	tcase_add_test(tc, test_in_use);
	tcase_add_test(tc, test_regular_files_only);
	tcase_add_test(tc, test_trace_is_overwritten);
	tcase_add_test(tc, test_no_room);
	tcase_add_test(tc, test_every_request);
	tcase_add_test(tc, test_every_kind);
	tcase_add_test(tc, test_cut_off);
	tcase_add_test(tc, test_foreign);
	tcase_add_test(tc, test_lost);
	tcase_add_test(tc, test_noise);
	tcase_add_test(tc, test_percentiles);
	tcase_add_test(tc, test_axis);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
