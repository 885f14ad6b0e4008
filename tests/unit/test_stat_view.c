// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lkvm stat shows of two samples: rates, percentiles, threads that own more
 * than one queue; and the form for Prometheus.
 */
#include "stat_view.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Two queues on one thread, one on a thread of its own; half a second apart. */
static const char first[] =
	"{'version':2,'time_ns':1000000000,'disks':[{'name':'vda','queues':["
	"{'index':0,'iothread':'lkvm/vda.q0+','requests':100,'read_bytes':1000,"
	" 'written_bytes':0,'kicks':10,'interrupts':5,'latency_ns':[0,0,0,100]},"
	"{'index':1,'iothread':'lkvm/vda.q1','requests':7,'read_bytes':0,"
	" 'written_bytes':0,'kicks':0,'interrupts':0,'latency_ns':[]},"
	"{'index':2,'iothread':'lkvm/vda.q0+','requests':0,'read_bytes':0,"
	" 'written_bytes':0,'kicks':0,'interrupts':0,'latency_ns':[]}]}],"
	"'iothreads':[{'name':'lkvm/vda.q0+','submits':10,'submitted':100,"
	" 'poll_found_ns':0,'poll_vain_ns':1000},"
	"{'name':'lkvm/vda.q1','submits':1,'submitted':7,'poll_found_ns':0,'poll_vain_ns':0}]}";
static const char second[] =
	"{'version':2,'time_ns':1500000000,'disks':[{'name':'vda','queues':["
	"{'index':0,'iothread':'lkvm/vda.q0+','requests':600,'read_bytes':1001000,"
	" 'written_bytes':1000000,'kicks':60,'interrupts':30,'latency_ns':[0,0,0,100,0,0,0,0,0,0,500]},"
	"{'index':1,'iothread':'lkvm/vda.q1','requests':7,'read_bytes':0,"
	" 'written_bytes':0,'kicks':0,'interrupts':0,'latency_ns':[]},"
	"{'index':2,'iothread':'lkvm/vda.q0+','requests':500,'read_bytes':819200,"
	" 'written_bytes':0,'kicks':1,'interrupts':2,'latency_ns':[0,0,0,0,0,0,0,0,0,0,0,0,490,10]}]}],"
	"'iothreads':[{'name':'lkvm/vda.q0+','submits':60,'submitted':1100,"
	" 'poll_found_ns':100000000,'poll_vain_ns':150001000},"
	"{'name':'lkvm/vda.q1','submits':1,'submitted':7,'poll_found_ns':0,'poll_vain_ns':0}]}";

static json_t *from, *to;

/* C has no use for JSON's quotes. */
static json_t *load(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *json;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, 0, &error);
	ck_assert_msg(json != NULL, "%s", error.text);
	free(copy);
	return json;
}

static void setup(void)
{
	from = load(first);
	to = load(second);
}

static void teardown(void)
{
	json_decref(from);
	json_decref(to);
}

START_TEST(test_sums)
{
	struct stat_sum sum = { 0 };

	stat_add_queue(&sum, from, to, 0, 0, 0);
	ck_assert_double_eq(sum.requests, 500);
	ck_assert_double_eq(sum.bytes, 2000000);
	ck_assert_double_eq(sum.kicks, 50);
	ck_assert_double_eq(sum.interrupts, 25);
	ck_assert_double_eq(sum.submits, 50);
	ck_assert_double_eq(sum.submitted, 1000);
	ck_assert_double_eq(sum.poll_ns, 250000000);
	stat_add_queue(&sum, from, to, 0, 1, 0);
	stat_add_queue(&sum, from, to, 0, 2, 0);	/* its thread is in it */
	ck_assert_double_eq(sum.requests, 1000);
	ck_assert_double_eq(sum.submits, 50);
	ck_assert_uint_eq(sum.threads, 2);
	sum = (struct stat_sum){ 0 };
	stat_add_queue(&sum, from, to, 0, 2, 2);	/* alone it counts */
	ck_assert_uint_eq(sum.threads, 1);
	ck_assert_double_eq(sum.submits, 50);
}
END_TEST

START_TEST(test_percentiles)
{
	struct stat_sum sum = { 0 };

	ck_assert_double_eq(stat_percentile(&sum, 0.5), 0);
	stat_add_queue(&sum, from, to, 0, 0, 0);	/* 500 of 1024 to 2048 ns */
	ck_assert_double_eq(stat_percentile(&sum, 0.5), 1536);
	ck_assert_double_eq(stat_percentile(&sum, 1), 2048);
	sum = (struct stat_sum){ 0 };
	stat_add_queue(&sum, from, to, 0, 2, 0);	/* 490 of 4 us, 10 of 8 us */
	ck_assert_double_eq_tol(stat_percentile(&sum, 0.49), 4096 + 4096 * 0.5, 0.01);
	ck_assert_double_eq_tol(stat_percentile(&sum, 0.99), 8192 + 8192 * 0.5, 0.01);
}
END_TEST

static char *table(const json_t *a, const json_t *b)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	stat_table(out, a, b);
	fclose(out);
	return text;
}

/* Columns as they stand: people and scripts cut them. */
START_TEST(test_table)
{
	char *text = table(from, to), *line, *save, disk[8], queue[8];
	double iops, mb, per, p50, p99, kicks, intr, poll;
	unsigned int n = 0;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!n++) {
			ck_assert_ptr_nonnull(strstr(line, "IOPS"));
			continue;
		}
		ck_assert_int_eq(sscanf(line, "%7s %7s %lf %lf %lf %lf %lf %lf %lf %lf", disk,
					queue, &iops, &mb, &per, &p50, &p99, &kicks,
					&intr, &poll), 10);
		ck_assert_str_eq(disk, "vda");
		if (!strcmp(queue, "0")) {
			ck_assert_double_eq(iops, 1000);
			ck_assert_double_eq(mb, 4);
			ck_assert_double_eq(per, 20);
			ck_assert_double_eq(p50, 1.5);
			ck_assert_double_eq(kicks, 100);
			ck_assert_double_eq(intr, 50);
			ck_assert_double_eq(poll, 50);
		} else if (!strcmp(queue, "2")) {
			ck_assert_double_eq(mb, 1.638);	/* a tenth would be 2 % off */
		} else if (!strcmp(queue, "all")) {
			ck_assert_double_eq(iops, 2000);
			ck_assert_double_eq(per, 20);
			ck_assert_double_eq(poll, 25);
		}
	}
	ck_assert_uint_eq(n, 5);
	free(text);
}
END_TEST

/* Few requests a second are not rounded by some percent, none are a plain 0. */
START_TEST(test_few)
{
	char *text;

	json_object_set_new(to, "time_ns", json_integer(41000000000));
	text = table(from, to);
	ck_assert_ptr_nonnull(strstr(text, " 12.5 "));
	ck_assert_ptr_nonnull(strstr(text, " 0.020 "));
	ck_assert_ptr_nonnull(strstr(text, "  0       0.0 "));
	free(text);
}
END_TEST

/* The same sample twice, and none at all: no division by nothing. */
START_TEST(test_nothing)
{
	json_t *empty = json_object();
	char *text = table(from, from);

	ck_assert_ptr_null(strstr(text, "nan"));
	free(text);
	text = table(empty, to);
	ck_assert_ptr_null(strstr(text, "nan"));
	free(text);
	text = table(to, empty);
	ck_assert_ptr_nonnull(strstr(text, "IOPS"));
	free(text);
	json_decref(empty);
}
END_TEST

static unsigned int occurs(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

START_TEST(test_prometheus)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	stat_prometheus(out, "web", to);
	fclose(out);
	ck_assert_uint_eq(occurs(text, "# HELP lkvm_disk_queue_requests_total "), 1);
	ck_assert_uint_eq(occurs(text, "# TYPE lkvm_disk_queue_requests_total counter\n"), 1);
	ck_assert_uint_eq(occurs(text, "\nlkvm_disk_queue_requests_total{guest=\"web\",disk=\"vda\",queue=\"0\"} 600\n"), 1);
	ck_assert_uint_eq(occurs(text, "\nlkvm_disk_queue_requests_total{"), 3);
	ck_assert_uint_eq(occurs(text, "\nlkvm_iothread_submitted_total{guest=\"web\",iothread=\"lkvm/vda.q0+\"} 1100\n"), 1);
	ck_assert_uint_eq(occurs(text, "\nlkvm_iothread_poll_vain_seconds_total{guest=\"web\",iothread=\"lkvm/vda.q0+\"} 0.150001000\n"), 1);
	/* Cumulative; all of them at the end. */
	ck_assert_uint_eq(occurs(text, "# TYPE lkvm_disk_queue_latency_seconds histogram\n"), 1);
	ck_assert_uint_eq(occurs(text, "queue=\"0\",le=\"1.6e-08\"} 100\n"), 1);
	ck_assert_uint_eq(occurs(text, "queue=\"0\",le=\"2.048e-06\"} 600\n"), 1);
	ck_assert_uint_eq(occurs(text, "queue=\"0\",le=\"+Inf\"} 600\n"), 1);
	ck_assert_uint_eq(occurs(text, "latency_seconds_count{guest=\"web\",disk=\"vda\",queue=\"0\"} 600\n"), 1);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stat-view");
	TCase *tc = tcase_create("view");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_sums);
	tcase_add_test(tc, test_percentiles);
	tcase_add_test(tc, test_table);
	tcase_add_test(tc, test_few);
	tcase_add_test(tc, test_nothing);
	tcase_add_test(tc, test_prometheus);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
