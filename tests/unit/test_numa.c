// SPDX-License-Identifier: GPL-2.0-only
/*
 * --numa: nodes of a guest, what is refused, and what of it a host can do.
 */
/* helpers: topology_rig.c disk_rig.c */
#include "numa_options.h"
#include "disk_rig.h"
#include "kvm/memory.h"
#include "topology_rig.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define GIB (1ull << 30)

static struct numa_options options;
static struct guest_numa numa;
static struct rig_capture capture;

static void setup(void)
{
	memset(&options, 0, sizeof(options));
}

static void give(const char *text)
{
	ck_assert_int_eq(numa_parse(&options, text), 0);
}

#define expect_refused(result, ...)                     \
	do {                                            \
		int result_;                            \
		rig_capture_start(&capture);            \
		result_ = result;                       \
		rig_capture_end(&capture);              \
		ck_assert_int_lt(result_, 0);           \
		rig_expect_line(&capture, "--numa", __VA_ARGS__); \
	} while (0)

/* --- the command line ---------------------------------------------------- */

START_TEST(test_nodes)
{
	give("node=1,cpus=1,3,mem=1G,host=8");
	give("node=0,mem=512M,cpus=0,2");
	give("node=2,mem=512M");	/* memory alone */
	ck_assert_int_eq(numa_build(&options, 4, 2 * GIB, &numa), 0);
	ck_assert_uint_eq(numa.nnodes, 3);
	ck_assert_uint_eq(numa.size[1], GIB);
	ck_assert_uint_eq(numa.cpu_node[2], 0);
	ck_assert_uint_eq(numa.cpu_node[3], 1);
	ck_assert_uint_eq(numa.distance[1][1], 10);
	ck_assert_uint_eq(numa.distance[1][2], 20);
	ck_assert(options.node[1].bound && !options.node[0].bound);
	ck_assert_uint_eq(options.node[1].host, 8);
}
END_TEST

START_TEST(test_none)
{
	ck_assert_int_eq(numa_build(&options, 4, GIB, &numa), 0);
	ck_assert_uint_eq(numa.nnodes, 0);
}
END_TEST

START_TEST(test_wrong_text)
{
	static const char *const wrong[][2] = {
		{ "", "--numa (empty): begin with node=N" },
		{ "cpus=0,mem=1G", "begin with node=N" },
		{ "node=16,mem=1G", "node=16" },
		{ "node=x,mem=1G", "node=x" },
		{ "node=1", "mem" },
		{ "node=1,mem=1M", "1M" },
		{ "node=1,mem=16777217", "16777217" },
		{ "node=1,mem=1G,cpus=2-1", "2-1" },
		{ "node=1,mem=1G,cpus=", "cpus" },
		{ "node=1,mem=1G,cpus=1-", "no list of vCPUs" },
		{ "node=1,mem=1G,cpus=9000", "no such vCPU" },
		{ "node=1,mem=1G,host=-1", "host -1" },
		{ "node=1,mem=1G,size=2", "size" },
		{ "node=0,mem=1G", "twice" },
	};

	give("node=0,mem=1G");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_refused(numa_parse(&options, wrong[i][0]), wrong[i][1]);
	ck_assert_uint_eq(options.n, 1);
}
END_TEST

START_TEST(test_wrong_sums)
{
	give("node=0,cpus=0-1,mem=1G");
	expect_refused(numa_build(&options, 2, 2 * GIB, &numa), "1024M",
		       "2048M");
	expect_refused(numa_build(&options, 3, GIB, &numa), "vCPU 2", "no node");
	expect_refused(numa_build(&options, 1, GIB, &numa), "no vCPU 1",
		       "0 to 0");
	give("node=2,cpus=1,mem=1G");
	expect_refused(numa_build(&options, 2, 2 * GIB, &numa), "no node=1");
	give("node=1,cpus=1,mem=1G");
	expect_refused(numa_build(&options, 2, 3 * GIB, &numa), "node=1",
		       "vCPU 1", "twice");
}
END_TEST

START_TEST(test_wrong_pages)
{
	give("node=0,cpus=0,mem=1G");
	give("node=1,mem=1025M");
	ck_assert_int_eq(numa_check_pages(&options, 1 << 20), 0);
	expect_refused(numa_check_pages(&options, 2 << 20), "node=1", "1025M",
		       "2M", "hugepages");
}
END_TEST

/* --- where memory is ----------------------------------------------------- */

START_TEST(test_ranges)
{
	struct guest_memory mem = {
		.nregions = 2,
		.region = { { .gpa = 0, .size = 3 * GIB },
			    { .gpa = 4 * GIB, .size = 2 * GIB } },
	};
	u64 gpa, size;

	numa = (struct guest_numa){ .nnodes = 3,
				    .size = { 2 * GIB, 2 * GIB, GIB } };
	ck_assert(guest_node_range(&numa, 0, &mem, 0, &gpa, &size));
	ck_assert(gpa == 0 && size == 2 * GIB);
	ck_assert(!guest_node_range(&numa, 0, &mem, 1, &gpa, &size));
	ck_assert(guest_node_range(&numa, 1, &mem, 0, &gpa, &size));
	ck_assert(gpa == 2 * GIB && size == GIB);
	ck_assert(guest_node_range(&numa, 1, &mem, 1, &gpa, &size));
	ck_assert(gpa == 4 * GIB && size == GIB);
	ck_assert(!guest_node_range(&numa, 2, &mem, 0, &gpa, &size));
	ck_assert(guest_node_range(&numa, 2, &mem, 1, &gpa, &size));
	ck_assert(gpa == 5 * GIB && size == GIB);
}
END_TEST

/* On this host: node 0 is always there, node 1023 is not. */
START_TEST(test_bind)
{
	struct guest_memory mem = { .size = 16u << 20 };

	mem.base = mmap(NULL, mem.size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(mem.base, MAP_FAILED);
	ck_assert_int_eq(guest_memory_bind(&mem, 1u << 20, 1u << 20, 0, true),
			 0);
	memset(mem.base, 1, mem.size);
	ck_assert_int_lt(guest_memory_bind(&mem, 0, mem.size, 1023, true), 0);
	ck_assert_int_eq(guest_memory_bind(&mem, 0, mem.size, 1024, true),
			 -EINVAL);
	munmap(mem.base, mem.size);
}
END_TEST

/* Each I/O thread that locks it counts, as the kernel counts; root may lock all. */
START_TEST(test_lockable)
{
	const struct guest_memory mem = { .size = 1u << 20 };
	struct rlimit limit, saved;
	bool root = !geteuid();

	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &saved), 0);
	limit = saved;
	limit.rlim_cur = 3 * mem.size - 1;
	if (root)
		ck_assert(guest_memory_lockable(&mem, 1000000));
	ck_assert(!root || !seteuid(65534));
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	ck_assert(guest_memory_lockable(&mem, 2));
	ck_assert(!guest_memory_lockable(&mem, 3));
	ck_assert(!root || !seteuid(0));
	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &saved), 0);
}
END_TEST

/* --- on hosts ------------------------------------------------------------ */

START_TEST(test_host)
{
	struct topology *t = rig_begin("power8-20c");
	int nodes[3];

	give("node=0,cpus=0,mem=1G,host=2");
	give("node=1,cpus=1,mem=1G,host=0");
	give("node=2,cpus=2,mem=1G");
	ck_assert_int_eq(numa_build(&options, 3, 3 * GIB, &numa), 0);
	ck_assert_int_eq(numa_resolve(&options, t, 3, &numa, nodes), 0);
	ck_assert(nodes[0] == 2 && nodes[1] == 0 && nodes[2] == -1);
	ck_assert_uint_eq(numa.distance[0][1], 40);
	ck_assert_uint_eq(numa.distance[0][0], 10);
	ck_assert_uint_eq(numa.distance[0][2], 20);
	rig_end(t);
}
END_TEST

START_TEST(test_wrong_host)
{
	static const struct {
		const char *machine, *node, *said;
	} cases[] = {
		{ "power8-20c", "node=0,mem=1G,cpus=0,host=1", "no memory" },
		{ "power8-20c", "node=0,mem=1G,cpus=0,host=4", "no such node" },
		{ "opteron-8n-cpuset", "node=0,mem=1G,cpus=0,host=0", "cpuset" },
		{ "opteron-8n-cpuset", "node=0,mem=9G,cpus=0,host=1", "8192M" },
	};
	struct topology *t = rig_begin(cases[_i].machine);
	int node;

	give(cases[_i].node);
	expect_refused(numa_resolve(&options, t, 1, &numa, &node), "node=0",
		       cases[_i].said);
	rig_end(t);
}
END_TEST

/* Each would fit by itself. */
START_TEST(test_wrong_host_sum)
{
	struct topology *t = rig_begin("opteron-8n-cpuset");
	int nodes[2];

	give("node=0,mem=5G,cpus=0,host=1");
	give("node=1,mem=3G,cpus=1,host=1");
	ck_assert_int_eq(numa_resolve(&options, t, 2, &numa, nodes), 0);
	options.node[1].mem = 4 * GIB;
	expect_refused(numa_resolve(&options, t, 2, &numa, nodes), "node=1",
		       "host 1", "9216M", "8192M");
	rig_end(t);
}
END_TEST

static Suite *numa_suite(void)
{
	Suite *suite = suite_create("numa");
	TCase *tc = tcase_create("numa");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_nodes);
	tcase_add_test(tc, test_none);
	tcase_add_test(tc, test_wrong_text);
	tcase_add_test(tc, test_wrong_sums);
	tcase_add_test(tc, test_wrong_pages);
	tcase_add_test(tc, test_wrong_host_sum);
	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_bind);
	tcase_add_test(tc, test_lockable);
	tcase_add_test(tc, test_host);
	tcase_add_loop_test(tc, test_wrong_host, 0, 4);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(numa_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
