// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lkvm reads from sysfs, on machines that others have published
 * (tests/topology/), and from files that are not as they should be.
 */
/* helpers: topology_rig.c disk_rig.c */
#include "topology_rig.h"
#include "disk_rig.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct topology *t;
static struct topology_device device;

/* --- lists --------------------------------------------------------------- */

static void expect_mask(const struct cpu_mask *m, const char *want)
{
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	cpu_mask_print(m, out);
	fclose(out);
	ck_assert_str_eq(text, want);
}

START_TEST(test_masks)
{
	static const char *const same[] = { "0", "0,1", "0-2", "1,3,5-8",
					    "8190,8191", "none" };
	static const char *const bad[] = { "x", "1-", "-1", "3-1", "1,", ",",
					   "1 2", "8192", "0-8192", "1--2",
					   "99999999999999999999" };
	struct cpu_mask m;

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		ck_assert_int_eq(cpu_mask_parse(&m, *same[i] == 'n' ? "" :
							       same[i]), 0);
		expect_mask(&m, same[i]);
	}
	ck_assert_int_eq(cpu_mask_parse(&m, "5,3,3-4"), 0);
	expect_mask(&m, "3-5");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(cpu_mask_parse(&m, bad[i]), -EINVAL);
}
END_TEST

/* What does not fit ends behind a comma. */
START_TEST(test_mask_text)
{
	static const char *const want[] = { "...", "...", "0,...", "0,...",
					    "0,10,20-22", "0,10,20-22" };
	static const size_t size[] = { 4, 5, 6, 8, 11, 256 };
	char text[256];
	struct cpu_mask m;

	ck_assert_int_eq(cpu_mask_parse(&m, "0,10,20-22"), 0);
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		cpu_mask_text(&m, text, size[i]);
		ck_assert_str_eq(text, want[i]);
	}
}
END_TEST

/* The order is the user's, and a CPU may come twice. */
START_TEST(test_lists)
{
	static const char *const bad[] = { "", "x", "1,", "2-1" };
	char text[64] = "";
	struct cpu_list list;
	FILE *out = fmemopen(text, sizeof(text), "w");

	ck_assert_int_eq(cpu_list_parse(&list, "9,4-6,4"), 0);
	ck_assert_uint_eq(list.n, 5);
	ck_assert_uint_eq(list.cpu[0], 9);
	ck_assert_uint_eq(list.cpu[4], 4);
	cpu_list_print(&list, out);
	fclose(out);
	ck_assert_str_eq(text, "9,4-6,4");
	ck_assert_int_eq(cpu_list_parse(&list, "0-255"), 0);
	ck_assert_uint_eq(list.n, CPU_LIST_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(cpu_list_parse(&list, bad[i]), -EINVAL);
	ck_assert_int_eq(cpu_list_parse(&list, "0-256"), -E2BIG);
	ck_assert_int_eq(cpu_list_parse(&list, "8191"), 0);
	ck_assert_int_eq(cpu_list_parse(&list, "0-8192"), -ERANGE);
	ck_assert_int_eq(cpu_list_parse(&list, "1,99999999999999999999"), -ERANGE);
}
END_TEST

/* --- machines ------------------------------------------------------------ */

static unsigned int count_cores(void)
{
	struct cpu_mask cores = { 0 };

	for (unsigned int i = 0; i < t->ncpus; i++)
		cpu_mask_add(&cores, t->cpu[i].core);
	return cpu_mask_count(&cores);
}

START_TEST(test_machines)
{
	/* In the order of rig_machines. */
	static const struct {
		unsigned int online, present, allowed, cores, nodes, no_memory;
	} want[RIG_MACHINES] = {
		{ 128, 128, 128, 128, 4, 0 }, { 15, 16, 10, 15, 8, 0 },
		{ 48, 48, 48, 48, 8, 0 },     { 256, 256, 256, 64, 8, 0 },
		{ 20, 160, 20, 20, 4, 2 },    { 160, 160, 160, 20, 4, 2 },
		{ 32, 176, 32, 8, 8, 0 },     { 17, 24, 17, 17, 1, 0 },
		{ 32, 32, 32, 16, 2, 0 },     { 12, 16, 12, 7, 1, 0 },
	};
	unsigned int no_memory = 0;

	t = rig_begin(rig_machines[_i]);
	ck_assert_uint_eq(t->ncpus, want[_i].online);
	ck_assert_uint_eq(cpu_mask_count(&t->present), want[_i].present);
	ck_assert_uint_eq(cpu_mask_count(&t->allowed), want[_i].allowed);
	ck_assert_uint_eq(count_cores(), want[_i].cores);
	ck_assert_uint_eq(t->nnodes, want[_i].nodes);
	for (unsigned int i = 0; i < t->nnodes; i++) {
		no_memory += !t->node[i].memory;
		ck_assert_uint_eq(t->node[i].distance[i], 10);
	}
	ck_assert_uint_eq(no_memory, want[_i].no_memory);
	rig_end(t);
}
END_TEST

/* Numbers of nodes have gaps; distances stand in the order of nodes. */
START_TEST(test_sparse_nodes)
{
	t = rig_begin("opteron-sparse");
	ck_assert_int_eq(topology_node(t, 45), 5);
	ck_assert_int_eq(topology_node(t, 3), -1);
	ck_assert_uint_eq(topology_distance(t, 0, topology_node(t, 45)), 22);
	ck_assert_uint_eq(topology_distance(t, -1, 0), TOPOLOGY_FAR);
	ck_assert_int_eq(topology_cpu(t, 35)->node, topology_node(t, 45));
	ck_assert_int_eq(topology_cpu(t, 35)->package, 2);
	rig_end(t);
}
END_TEST

START_TEST(test_siblings)
{
	t = rig_begin("xeon-4s-offline");
	ck_assert_uint_eq(topology_cpu(t, 12)->core, 4);
	ck_assert_uint_eq(topology_cpu(t, 10)->core, 10);	/* 2 is offline */
	ck_assert_ptr_null(topology_cpu(t, 2));
	rig_end(t);
}
END_TEST

START_TEST(test_cpus_without_node)
{
	t = rig_begin("r630-no-node0");
	ck_assert_int_eq(topology_cpu(t, 4)->node, -1);
	ck_assert_int_eq(topology_cpu(t, 5)->node, 0);
	ck_assert_uint_eq(t->node[0].id, 1);
	rig_end(t);
}
END_TEST

START_TEST(test_allowed)
{
	t = rig_begin_own("opteron-8n-cpuset");
	expect_mask(&t->allowed, "0-3,5,6,12-15");
	ck_assert(!t->node[0].allowed && t->node[1].allowed);
	/* What is offline is not allowed, whatever the mask says. */
	rig_write("proc/self/status",
		  "Cpus_allowed_list:\t4-5,99\nMems_allowed_list:\t0\n");
	rig_write("sys/devices/system/cpu/isolated", "4,14-15\n");
	t = rig_again(t);
	expect_mask(&t->allowed, "5");
	expect_mask(&t->isolated, "14,15");
	rig_end(t);
}
END_TEST

/* --- devices ------------------------------------------------------------- */

static void expect_device(const char *path, const char *name, int node,
			  unsigned int irqs)
{
	ck_assert_int_eq(topology_find_device(t, path, &device), 0);
	ck_assert_str_eq(device.name, name);
	ck_assert_int_eq(device.node, node < 0 ? -1 :
					topology_node(t, (unsigned int)node));
	ck_assert_uint_eq(device.nirqs, irqs);
}

START_TEST(test_devices)
{
	t = rig_begin("opteron-sparse");
	expect_device("/dev/nvme0n1", "nvme0n1", 45, 3);
	ck_assert_uint_eq(device.irq[0], 40);
	expect_device("nvme0n1p1", "nvme0n1", 45, 3);
	expect_device("/dev/dm-0", "nvme0n1", 45, 3);
	/* On two nodes: that is none. */
	expect_device("/dev/md0", device.name, -1, 6);
	ck_assert_uint_eq(device.ndevices, 2);
	ck_assert(device.several);
	ck_assert_int_eq(topology_find_device(t, "/dev/sda", &device), -ENODEV);
	ck_assert_int_eq(device.node, -1);
	rig_end(t);
	t = rig_begin("r630-no-node0");
	expect_device("/dev/nvme0n1", "nvme0n1", -1, 1);
	rig_end(t);
}
END_TEST

/* A device without MSI has one interrupt, named in a file; its bridge's are not its own. */
START_TEST(test_legacy_interrupt)
{
	const char *bridge = "sys/devices/pci0000:00/msi_irqs/24";
	const char *nvme = "sys/devices/pci0000:00/0000:01:00.0";
	char path[256];

	t = rig_begin_own("xeon-2n-smt2");
	rig_write(bridge, "msi\n");
	snprintf(path, sizeof(path), "%s/irq", nvme);
	rig_write(path, "16\n");
	expect_device("/dev/nvme0n1", "nvme0n1", 1, 4);	/* MSI is what it uses */
	snprintf(path, sizeof(path), "rm -r %s/%s/msi_irqs/*", rig_root, nvme);
	ck_assert_int_eq(system(path), 0);
	expect_device("/dev/nvme0n1", "nvme0n1", 1, 1);	/* the folder stays, empty */
	ck_assert_uint_eq(device.irq[0], 16);
	snprintf(path, sizeof(path), "rmdir %s/%s/msi_irqs", rig_root, nvme);
	ck_assert_int_eq(system(path), 0);
	expect_device("/dev/nvme0n1", "nvme0n1", 1, 1);
	ck_assert_uint_eq(device.irq[0], 16);
	snprintf(path, sizeof(path), "%s/irq", nvme);
	rig_write(path, "0\n");	/* it has none */
	rig_write("sys/devices/pci0000:00/irq", "17\n");
	expect_device("/dev/nvme0n1", "nvme0n1", 1, 0);
	rig_end(t);
}
END_TEST

/* A disk of two controllers: it is below none of them, they are beside it. */
START_TEST(test_nvme_multipath)
{
	const char *subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0";
	char path[256];

	t = rig_begin_own("xeon-2n-smt2");
	snprintf(path, sizeof(path), "%s/nvme0n9/size", subsystem);
	rig_write(path, "8\n");
	snprintf(path, sizeof(path), "%s/%s/nvme0", rig_root, subsystem);
	ck_assert_int_eq(symlink("../../../pci0000:00/0000:01:00.0/nvme/nvme0",
				 path), 0);
	snprintf(path, sizeof(path), "%s/sys/class/block/nvme0n9", rig_root);
	ck_assert_int_eq(symlink("../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n9",
				 path), 0);
	expect_device("/dev/nvme0n9", "nvme0", 1, 4);
	rig_end(t);
}
END_TEST

/* Devices that are made of each other end, too. */
START_TEST(test_device_loop)
{
	char path[256];

	t = rig_begin_own("opteron-sparse");
	snprintf(path, sizeof(path),
		 "%s/sys/devices/virtual/block/dm-0/slaves/dm-0", rig_root);
	ck_assert_int_eq(symlink("../../dm-0", path), 0);
	topology_find_device(t, "/dev/dm-0", &device);
	rig_end(t);
}
END_TEST

/* This machine, whatever it is. */
START_TEST(test_this_host)
{
	ck_assert_int_eq(topology_read(&t, ""), 0);
	ck_assert_uint_eq(cpu_mask_count(&t->online),
			  (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
	ck_assert_uint_ge(t->nnodes, 1);
	ck_assert_int_eq(topology_find_device(t, "/proc/self/status", &device),
			 -ENODEV);
	ck_assert_int_eq(topology_find_device(t, "null:1G", &device), -ENODEV);
	topology_free(t);
}
END_TEST

/* --- what is not as it should be ----------------------------------------- */

START_TEST(test_no_sysfs)
{
	struct rig_capture capture;
	int err;

	rig_capture_start(&capture);
	err = topology_read(&t, "/nonexistent");
	rig_capture_end(&capture);
	ck_assert_int_eq(err, -ENOENT);
	rig_expect_line(&capture, "/nonexistent/sys", "No such file", NULL);
}
END_TEST

START_TEST(test_no_numa)
{
	t = rig_begin_own("xeon-2n-smt2");
	rig_write("sys/devices/system/node/online", "");
	rig_write("proc/meminfo", "MemTotal:  2048 kB\nMemFree:  1024 kB\n");
	t = rig_again(t);
	ck_assert_uint_eq(t->nnodes, 1);
	ck_assert_uint_eq(t->node[0].memory, 2 << 20);
	ck_assert_int_eq(topology_cpu(t, 31)->node, 0);
	rig_end(t);
}
END_TEST

START_TEST(test_odd_files)
{
	t = rig_begin_own("xeon-2n-smt2");
	rig_write("sys/devices/system/node/node1/distance", "21\n");
	rig_write("sys/devices/system/node/node1/meminfo", "Node 1\n");
	rig_write("sys/devices/system/node/node0/cpulist", "what?\n");
	rig_write("sys/devices/system/cpu/cpu8/topology/thread_siblings_list",
		  "9-10\n");
	rig_write("sys/devices/system/cpu/cpu9/topology/physical_package_id",
		  "none\n");
	rig_write("proc/self/status", "Cpus_allowed_list:\tx\n");
	t = rig_again(t);
	ck_assert_uint_eq(t->node[1].distance[0], 21);
	ck_assert_uint_eq(t->node[1].distance[1], 10);
	ck_assert_uint_eq(t->node[1].memory, 0);
	ck_assert_int_eq(topology_cpu(t, 0)->node, -1);
	ck_assert_uint_eq(topology_cpu(t, 8)->core, 8);
	ck_assert_int_eq(topology_cpu(t, 9)->package, -1);
	ck_assert_uint_eq(cpu_mask_count(&t->allowed), 32);
	rig_end(t);
}
END_TEST

static Suite *topology_suite(void)
{
	Suite *suite = suite_create("topology");
	TCase *tc = tcase_create("topology");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_masks);
	tcase_add_test(tc, test_mask_text);
	tcase_add_test(tc, test_lists);
	tcase_add_loop_test(tc, test_machines, 0, RIG_MACHINES);
	tcase_add_test(tc, test_sparse_nodes);
	tcase_add_test(tc, test_siblings);
	tcase_add_test(tc, test_cpus_without_node);
	tcase_add_test(tc, test_allowed);
	tcase_add_test(tc, test_devices);
	tcase_add_test(tc, test_legacy_interrupt);
	tcase_add_test(tc, test_nvme_multipath);
	tcase_add_test(tc, test_device_loop);
	tcase_add_test(tc, test_this_host);
	tcase_add_test(tc, test_no_sysfs);
	tcase_add_test(tc, test_no_numa);
	tcase_add_test(tc, test_odd_files);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(topology_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
