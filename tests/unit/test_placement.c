// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which CPUs a guest gets on the machines of tests/topology/: what is said of it, and what
 * holds on all of them, for guests of all sizes, beside others or not.
 */
/* helpers: topology_rig.c disk_rig.c */
#include "placement.h"
#include "disk_rig.h"
#include "topology_rig.h"
#include "topology_report.h"
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DISKS_MAX 2

static struct topology *t;
static struct topology_device devices[DISKS_MAX];
static struct placement_disk disks[DISKS_MAX];
static struct placement_request request;
static struct cpu_list io_pins, vcpu_pins;
static struct placement plan;
static struct rig_capture capture;

/* A guest of @ncpus with a disk on nvme0n1, served by @nthreads. */
static void ask(unsigned int ncpus, unsigned int nthreads)
{
	bool known = !topology_find_device(t, "/dev/nvme0n1", &devices[0]);

	disks[0] = (struct placement_disk){
		.name = "vda",
		.nthreads = nthreads,
		.pins = &io_pins,
		.device = known ? &devices[0] : NULL,
	};
	request = (struct placement_request){
		.automatic = true,
		.ncpus = ncpus,
		.pins = &vcpu_pins,
		.ndisks = nthreads ? 1 : 0,
		.disk = disks,
	};
	io_pins.n = vcpu_pins.n = 0;
}

/* And one as well served on @device. */
static void ask_second(const char *device)
{
	disks[1] = disks[0];
	disks[1].name = "vdb";
	disks[1].device = &devices[1];
	ck_assert_int_eq(topology_find_device(t, device, &devices[1]), 0);
	request.ndisks = 2;
}

static void choose(void)
{
	ck_assert_int_eq(placement_plan(&plan, t, &request), 0);
}

static void expect_summary(const char *want)
{
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	placement_summary(&plan, out);
	fclose(out);
	ck_assert_str_eq(text, want);
}

static void expect_explained(unsigned int i, const char *want)
{
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	placement_explain(&plan, i, out);
	fclose(out);
	ck_assert_str_eq(text, want);
}

/* --- what is said -------------------------------------------------------- */

START_TEST(test_explained)
{
	static const struct {
		const char *machine;
		unsigned int ncpus, nthreads;
		const char *want;
	} cases[] = {
		/* Two cores of its own to each queue, all at the disk. */
		{ "xeon-2n-smt2", 4, 4,
		  "nvme0n1 of vda is at node 1: vda I/O on CPUs 8-11 (node 1), vCPUs on CPUs 12-15 (node 1), memory on node 1" },
		/* One more: a whole core far away before half of a near one. */
		{ "xeon-2n-smt2", 6, 4,
		  "nvme0n1 of vda is at node 1: vda I/O on CPUs 8-11 (node 1), vCPUs on CPUs 12-15,0,1 (nodes 0,1), memory on node 1; node 1 has no free core: some are elsewhere" },
		/* No core left: vCPUs share with vCPUs, not with I/O. */
		{ "xeon-2n-smt2", 14, 4,
		  "nvme0n1 of vda is at node 1: vda I/O on CPUs 8-11 (node 1), vCPUs on CPUs 12-15,0-7,28,29 (nodes 0,1), memory on node 1; some vCPUs share cores: no whole one is left" },
		{ "xeon-2n-smt2", 28, 4,
		  "nvme0n1 of vda is at node 1: vda I/O on CPUs 8-11 (node 1), vCPUs on CPUs 12-15,0-7,28-31,16-27 (nodes 0,1), memory on node 1; some share cores with I/O threads: no other is left" },
		/* The paper's kind of machine; the disk's node has no memory. */
		{ "power8-20c", 4, 4,
		  "nvme0n1 of vda is at node 3: vda I/O on CPUs 120,128,136,144 (node 3), vCPUs on CPUs 152,80,88,96 (nodes 2,3), memory on node 2; node 3 has no free core: some are elsewhere" },
		{ "power8-20c", 10, 10,
		  "nvme0n1 of vda is at node 3: vda I/O on CPUs 120,128,136,144,152,80,88,96,104,112 (nodes 2,3), vCPUs on CPUs 0,8,16,24,32,40,48,56,64,72 (nodes 0,1), memory on node 2; node 3 has no free core: some are elsewhere" },
		{ "power8-smt8", 2, 2,
		  "nvme0n1 of vda is at node 0: vda I/O on CPUs 0,8 (node 0), vCPUs on CPUs 16,24 (node 0), memory on node 0" },
		{ "power7-8n", 6, 4,
		  "nvme0n1 of vda is at node 9: vda I/O on CPUs 160,164,168,172 (node 9), vCPUs on CPUs 176,180,184,188,128,132 (nodes 8,9), memory on node 9; node 9 has no free core: some are elsewhere" },
		/* A node without CPUs is nobody's home, whatever memory it has. */
		{ "power9-gpu", 2, 2,
		  "nvme0n1 of vda is at node 255: vda I/O on CPUs 0,4 (node 0), vCPUs on CPUs 8,12 (node 0), memory on node 0; node 255 has no CPUs: some are elsewhere" },
		/* A cpuset that leaves the disk's node out. */
		{ "opteron-8n-cpuset", 1, 1,
		  "nvme0n1 of vda is at node 5: vda I/O on CPU 2 (node 1), vCPUs on CPU 3 (node 1), memory on node 1; node 5 has no CPUs that lkvm may use: some are elsewhere" },
		{ "opteron-8n-cpuset", 2, 1,
		  "nvme0n1 of vda is at node 5: vda I/O on CPU 2 (node 1), vCPUs on CPUs 3,0 (nodes 0,1), memory on node 1; node 5 has no CPUs that lkvm may use: some are elsewhere" },
		{ "opteron-sparse", 4, 4,
		  "nvme0n1 of vda is at node 45: vda I/O on CPUs 30-33 (node 45), vCPUs on CPUs 34,35,12,13 (nodes 2,45), memory on node 45; node 45 has no free core: some are elsewhere" },
		{ "kunpeng-4n", 8, 8,
		  "nvme0n1 of vda is at node 2: vda I/O on CPUs 64-71 (node 2), vCPUs on CPUs 72-79 (node 2), memory on node 2" },
		/* The disk tells no node; half of the CPUs have none. */
		{ "r630-no-node0", 6, 4,
		  "vda I/O on CPUs 5,7,9,11 (node 1), vCPUs on CPUs 13,15,17,19,4,6 (node 1 and none), memory on node 1; node 1 has no free core: some are elsewhere" },
		{ "xeon-4s-offline", 4, 2,
		  "nvme0n1 of vda is at node 0: vda I/O on CPUs 0,1 (node 0), vCPUs on CPUs 3,4,6,7 (node 0), memory on node 0" },
		/* Without a disk: where there is most room. */
		{ "kunpeng-4n", 2, 0,
		  "node 1 has most free cores: vCPUs on CPUs 32,33 (node 1), memory on node 1" },
	};

	t = rig_begin(cases[_i].machine);
	ask(cases[_i].ncpus, cases[_i].nthreads);
	choose();
	expect_summary(cases[_i].want);
	placement_free(&plan);
	rig_end(t);
}
END_TEST
#define EXPLAINED 16

START_TEST(test_each_thread_explained)
{
	t = rig_begin("xeon-2n-smt2");
	ask(14, 2);
	choose();
	expect_explained(0, "vda.q0   CPU 8    core 8    node 1: a core of its own, on the node of nvme0n1");
	expect_explained(2, "vcpu0    CPU 10   core 10   node 1: a core of its own, on the node of nvme0n1");
	expect_explained(8, "vcpu6    CPU 0    core 0    node 0: a core of its own, elsewhere: node 1 has no free core");
	placement_free(&plan);
	ask(15, 2);
	choose();
	expect_explained(16, "vcpu14   CPU 26   core 10   node 1: beside a vCPU: no whole core is left");
	placement_free(&plan);
	ask(1, 1);
	request.automatic = false;
	choose();
	expect_explained(1, "vcpu0    wherever the host's scheduler puts it");
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* Home is another disk's, or near to a device that is nowhere: each thread says whose. */
START_TEST(test_home_of_another)
{
	t = rig_begin("opteron-sparse");
	ask(4, 4);
	ck_assert_int_eq(topology_find_device(t, "md0", &devices[0]), 0);
	ask_second("nvme1n1");
	choose();
	expect_explained(0, "vda.q0   CPU 6    core 6    node 1: a core of its own, on the node of nvme1n1 of vdb");
	expect_explained(4, "vdb.q0   CPU 10   core 10   node 1: a core of its own, on the node of nvme1n1");
	placement_free(&plan);
	rig_end(t);
	t = rig_begin("power9-gpu");
	ask(2, 1);
	choose();
	expect_explained(1, "vcpu0    CPU 4    core 4    node 0: a core of its own, on the node nearest to nvme0n1");
	disks[1] = disks[0];
	disks[1].name = "vdb";
	disks[1].device = NULL;
	request.ndisks = 2;
	placement_free(&plan);
	choose();
	expect_explained(1, "vdb.q0   CPU 4    core 4    node 0: a core of its own, on the node nearest to nvme0n1 of vda");
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* --- what holds everywhere ----------------------------------------------- */

/* Whole cores that this guest may have, nobody else has, and it does not use. */
static unsigned int free_cores(void)
{
	struct cpu_mask used = { 0 }, cores = { 0 };

	for (unsigned int i = 0; i < t->ncpus; i++)
		if (cpu_mask_has(&request.taken, t->cpu[i].id))
			cpu_mask_add(&used, t->cpu[i].core);
	for (unsigned int i = 0; i < plan.nthreads; i++)
		cpu_mask_add(&used, topology_cpu(t, (unsigned int)plan.thread[i]
							    .cpu)->core);
	for (unsigned int i = 0; i < t->ncpus; i++)
		if (cpu_mask_has(&t->allowed, t->cpu[i].id) &&
		    !cpu_mask_has(&used, t->cpu[i].core))
			cpu_mask_add(&cores, t->cpu[i].core);
	return cpu_mask_count(&cores);
}

static void check_plan(void)
{
	struct cpu_mask cpus = { 0 }, cores = { 0 };
	bool shared = false, with_guest = false;

	for (unsigned int i = 0; i < plan.nthreads; i++) {
		const struct topology_cpu *c;

		ck_assert_int_ge(plan.thread[i].cpu, 0);
		c = topology_cpu(t, (unsigned int)plan.thread[i].cpu);
		ck_assert_ptr_nonnull(c);
		ck_assert(cpu_mask_has(&t->allowed, c->id));
		ck_assert(!cpu_mask_has(&cpus, c->id));
		shared |= cpu_mask_has(&cores, c->core);
		with_guest |= plan.thread[i].why >= PLACED_BESIDE_GUEST;
		cpu_mask_add(&cpus, c->id);
		cpu_mask_add(&cores, c->core);
	}
	if (free_cores())
		ck_assert(!shared && !with_guest);
	ck_assert_int_ge(plan.memory, 0);
	ck_assert(t->node[plan.memory].memory && t->node[plan.memory].allowed);
}

/* Two threads are on one core, or one is where another guest is, only if no core is free. */
START_TEST(test_no_core_shared_while_others_are_free)
{
	t = rig_begin(rig_machines[_i]);
	for (unsigned int io = 0; io <= 9; io++)
		for (unsigned int n = 1;
		     n + io <= cpu_mask_count(&t->allowed) && n < 70; n++) {
			ask(n, io);
			choose();
			check_plan();
			placement_free(&plan);
		}
	rig_end(t);
}
END_TEST

/* The next guest gets other cores, until there are none. */
START_TEST(test_guests_differ)
{
	struct cpu_mask taken = { 0 }, cores = { 0 }, mine;

	t = rig_begin(rig_machines[_i]);
	for (unsigned int guest = 0; guest < 20; guest++) {
		bool room;

		ask(1 + guest % 3, 1);
		request.taken = taken;
		choose();
		check_plan();
		room = plan.thread[plan.nthreads - 1].why < PLACED_BESIDE_VCPU;
		placement_cpus(&plan, &mine);
		for (unsigned int cpu = 0; cpu < 256; cpu++) {
			if (!cpu_mask_has(&mine, cpu))
				continue;
			if (room)
				ck_assert(!cpu_mask_has(&cores,
					topology_cpu(t, cpu)->core));
			cpu_mask_add(&taken, cpu);
		}
		for (unsigned int cpu = 0; cpu < 256; cpu++)
			if (cpu_mask_has(&mine, cpu))
				cpu_mask_add(&cores,
					     topology_cpu(t, cpu)->core);
		ck_assert(guest || room);
		placement_free(&plan);
	}
	rig_end(t);
}
END_TEST

/* What shares a core with whom: the order of what is worse. */
START_TEST(test_beside_others)
{
	t = rig_begin("xeon-4s-offline");
	ask(2, 0);
	ck_assert_int_eq(cpu_mask_parse(&request.taken, "0-1,3-4,6-7"), 0);
	choose();	/* of seven cores only CPU 10's is free; no second threads */
	ck_assert_int_eq(plan.thread[0].cpu, 10);
	ck_assert_int_eq(plan.thread[1].why, PLACED_BESIDE_GUEST);
	ck_assert_int_eq(plan.thread[1].cpu, 8);
	placement_free(&plan);
	ask(1, 0);
	request.taken = t->online;
	choose();
	ck_assert_int_eq(plan.thread[0].why, PLACED_ON_GUEST);
	expect_summary("vCPUs on CPU 0 (node 0), memory on node 0; some are on CPUs of other guests: no other is left");
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* With all cores taken, free memory decides: of nodes that have CPUs. */
START_TEST(test_full_host)
{
	t = rig_begin("power9-gpu");
	ask(2, 0);
	t->node[0].free = t->node[1].free = 0;
	request.taken = t->online;
	choose();
	ck_assert_int_eq(plan.home, 0);
	ck_assert_int_eq(plan.memory, 0);
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* Disks on two nodes: each one's threads at its own, the vCPUs at the first's. */
START_TEST(test_two_disks)
{
	t = rig_begin("opteron-sparse");
	ask(2, 2);
	ask_second("nvme1n1");
	choose();
	expect_summary("nvme0n1 of vda is at node 45: vda I/O on CPUs 30,31 (node 45), vdb I/O on CPUs 6,7 (node 1), vCPUs on CPUs 32,33 (node 45), memory on node 45");
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* vCPUs of a guest node that has a node of the host. */
START_TEST(test_guest_nodes)
{
	static const int nodes[] = { 0, 0, 1, -1 };
	static const int one[] = { 0, 0 }, two[] = { 0, 1 }, some[] = { 0, -1 };

	t = rig_begin("xeon-2n-smt2");
	ask(4, 1);
	request.vcpu_node = nodes;
	choose();
	expect_explained(1, "vcpu0    CPU 0    core 0    node 0: a core of its own, on the node of its guest node");
	placement_free(&plan);
	request.nguest_nodes = 2;
	request.guest_node = some;
	choose();
	expect_summary("nvme0n1 of vda is at node 1: vda I/O on CPU 8 (node 1), vCPUs on CPUs 0,1,9,10 (nodes 0,1), memory bound to node 0, the rest on node 1");
	placement_free(&plan);
	request.guest_node = two;
	choose();
	expect_summary("nvme0n1 of vda is at node 1: vda I/O on CPU 8 (node 1), vCPUs on CPUs 0,1,9,10 (nodes 0,1), memory bound to nodes 0,1");
	placement_free(&plan);
	request.guest_node = one;
	choose();
	ck_assert_int_eq(plan.memory, -1);
	expect_summary("nvme0n1 of vda is at node 1: vda I/O on CPU 8 (node 1), vCPUs on CPUs 0,1,9,10 (nodes 0,1), memory bound to node 0");
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* --- pins ---------------------------------------------------------------- */

static void pin(struct cpu_list *list, const char *text)
{
	ck_assert_int_eq(cpu_list_parse(list, text), 0);
}

START_TEST(test_pins)
{
	t = rig_begin("xeon-2n-smt2");
	ask(2, 2);
	request.automatic = false;
	pin(&io_pins, "9,8");
	choose();
	ck_assert_int_eq(plan.thread[0].cpu, 9);
	ck_assert_int_eq(plan.thread[1].cpu, 8);
	ck_assert_int_eq(plan.thread[2].cpu, -1);
	ck_assert_int_eq(plan.memory, -1);
	expect_summary("vda I/O on CPUs 9,8 (node 1), vCPUs on any CPU");
	placement_free(&plan);
	/* The rest by itself: around the pins. */
	request.automatic = true;
	choose();
	ck_assert_int_eq(plan.thread[1].cpu, 8);
	ck_assert_int_eq(plan.thread[2].cpu, 10);
	placement_free(&plan);
	/* Two threads of a core are the user's choice; isolated CPUs are for that. */
	CPU_XOR_S(sizeof(t->allowed.set), t->allowed.set, t->online.set,
		  t->online.set);
	t->isolated = t->online;
	pin(&io_pins, "8,24");
	pin(&vcpu_pins, "0,16");
	request.automatic = false;
	choose();
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* Where no device tells a node, home is where the user pins. */
START_TEST(test_home_of_pins)
{
	t = rig_begin("xeon-2n-smt2");
	ask(4, 2);
	disks[0].device = NULL;
	pin(&vcpu_pins, "8-11");
	choose();
	expect_summary("node 1 has the pinned vCPUs: vda I/O on CPUs 12,13 (node 1), vCPUs on CPUs 8-11 (node 1), memory on node 1");
	expect_explained(0, "vda.q0   CPU 12   core 12   node 1: a core of its own, on the node of the pinned vCPUs");
	placement_free(&plan);
	/* Over several nodes: where most are. */
	pin(&vcpu_pins, "0,8-10");
	choose();
	ck_assert_int_eq(plan.home, 1);
	placement_free(&plan);
	vcpu_pins.n = 0;
	pin(&io_pins, "14,15");
	choose();
	expect_summary("node 1 has the pinned I/O threads: vda I/O on CPUs 14,15 (node 1), vCPUs on CPUs 8-11 (node 1), memory on node 1");
	placement_free(&plan);
	/* A device goes first. */
	disks[0].device = &devices[0];
	pin(&vcpu_pins, "0-3");
	choose();
	ck_assert_int_eq(plan.home, 1);
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* Nor pins: where all of the guest's memory is bound to. */
START_TEST(test_home_of_guest_nodes)
{
	static const int same[] = { 1, 1 }, differ[] = { 1, 0 },
			 some[] = { 1, -1 };

	t = rig_begin("xeon-2n-smt2");
	ask(2, 1);
	disks[0].device = NULL;
	request.nguest_nodes = 2;
	request.guest_node = same;
	choose();
	ck_assert_int_eq(plan.home, 1);
	expect_explained(0, "vda.q0   CPU 8    core 8    node 1: a core of its own, on the node of the guest's memory");
	placement_free(&plan);
	request.guest_node = differ;
	choose();
	ck_assert_int_eq(plan.why_home, HOME_ROOMY);
	placement_free(&plan);
	request.guest_node = some;
	choose();
	ck_assert_int_eq(plan.why_home, HOME_ROOMY);
	placement_free(&plan);
	rig_end(t);
}
END_TEST

static void expect_rest(const char *want)
{
	struct cpu_mask rest, wanted;

	choose();
	ck_assert_int_eq(cpu_mask_parse(&wanted, want), 0);
	ck_assert(placement_rest(&plan, &rest));
	ck_assert(CPU_EQUAL_S(sizeof(rest.set), rest.set, wanted.set));
	placement_free(&plan);
}

/* What is not placed keeps off others, but not at the price of one CPU for all vCPUs. */
START_TEST(test_rest)
{
	struct cpu_mask rest;

	t = rig_begin("xeon-2n-smt2");
	ask(4, 1);
	request.automatic = false;
	choose();
	ck_assert(!placement_rest(&plan, &rest));
	placement_free(&plan);
	ck_assert_int_eq(cpu_mask_parse(&t->allowed, "0-7"), 0);
	pin(&io_pins, "6");
	ck_assert_int_eq(cpu_mask_parse(&request.taken, "0-5"), 0);
	expect_rest("0-5,7");
	ck_assert_int_eq(cpu_mask_parse(&request.taken, "0-2"), 0);
	expect_rest("3-5,7");
	/* vCPUs are pinned, too: any CPU is enough for the others. */
	pin(&vcpu_pins, "0-3");
	ck_assert_int_eq(cpu_mask_parse(&request.taken, "4-5"), 0);
	expect_rest("7");
	request.taken = t->online;
	expect_rest("4-5,7");
	rig_end(t);
}
END_TEST

static void expect_refused(const char *a, const char *b, const char *c)
{
	int err;

	rig_capture_start(&capture);
	err = placement_plan(&plan, t, &request);
	rig_capture_end(&capture);
	ck_assert_int_eq(err, -EINVAL);
	ck_assert_ptr_null(plan.thread);
	rig_expect_line(&capture, a, b, c);
}

START_TEST(test_wrong_pins)
{
	t = rig_begin("opteron-8n-cpuset");
	ask(2, 1);
	request.automatic = false;
	pin(&vcpu_pins, "0,16");
	expect_refused("--cpus 2,pin=0,16: ", "no CPU 16", "0-3,5-15");
	pin(&vcpu_pins, "4,5");
	expect_refused("--cpus 2,pin", "CPU 4 is offline", "0-3,5-15");
	pin(&vcpu_pins, "0,7");
	expect_refused("CPU 7", "cpuset", "0-3,5,6,12-15");
	pin(&vcpu_pins, "3,3");
	expect_refused("CPU 3", "vcpu0", "each");
	pin(&vcpu_pins, "0");
	expect_refused("--cpus 2,pin", "1 CPUs", "2 vCPUs");
	pin(&vcpu_pins, "0-2");
	expect_refused("--cpus 2,pin=0-2: ", "3 CPUs", "2 vCPUs");
	vcpu_pins.n = 0;
	pin(&io_pins, "1-2");
	expect_refused("vda", "iothread-cpus=1,2: ", "1 I/O threads");
	pin(&io_pins, "1");
	pin(&vcpu_pins, "0-1");
	expect_refused("--cpus 2,pin", "CPU 1", "vda.q0");
	rig_end(t);
}
END_TEST

/* A list that is too long for a line ends between two numbers. */
START_TEST(test_long_remedy)
{
	t = rig_begin("kunpeng-4n");
	ask(1, 0);
	memset(&t->online, 0, sizeof(t->online));
	for (unsigned int core = 0; core < 128; core++)
		cpu_mask_add(&t->online, 8 * core);
	t->present = t->online;
	pin(&vcpu_pins, "1");
	expect_refused("no CPU 1; give some of 0,8,16,", "520,...\n", "cpus 1,pin=1: ");
	rig_end(t);
}
END_TEST

START_TEST(test_too_many)
{
	t = rig_begin("opteron-8n-cpuset");
	ask(8, 2);
	choose();
	placement_free(&plan);
	ask(9, 2);
	expect_refused("--affinity auto", "2 I/O threads and 9 vCPUs are more than the 10 CPUs",
		       "or lkvm run without --affinity auto");
	/* Those that are pinned count, too. */
	ask(8, 2);
	pin(&io_pins, "0-1");
	choose();
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* --- the report ---------------------------------------------------------- */

/* Table, JSON and drawing of every machine: whole, and about each thread. */
START_TEST(test_reports)
{
	char *text = NULL, name[48];
	json_error_t error;
	size_t len = 0;
	json_t *json;
	FILE *out;

	t = rig_begin(rig_machines[_i]);
	ask(3, 2);
	cpu_mask_add(&request.taken, 0);
	choose();
	out = open_memstream(&text, &len);
	topology_print(&plan, out);
	ck_assert_int_eq(topology_json(&plan, out), 0);
	topology_svg(&plan, out);
	fclose(out);
	json = json_loads(strchr(text, '{'), JSON_DISABLE_EOF_CHECK, &error);
	ck_assert_ptr_nonnull(json);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "cpus")),
			  t->ncpus);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "threads")), 5);
	json_decref(json);
	for (unsigned int i = 0; i < plan.nthreads; i++) {
		placement_name(&plan, i, name);
		ck_assert_ptr_nonnull(strstr(text, name));
		strcat(name, "</text>");
		ck_assert_ptr_nonnull(strstr(text, name));
	}
	ck_assert_ptr_nonnull(strstr(text, "</svg>\n"));
	free(text);
	placement_free(&plan);
	rig_end(t);
}
END_TEST

/* The value @key of CPU @i in the JSON. */
static json_t *json_of_cpu(unsigned int i, const char *key)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *json, *value;

	ck_assert_int_eq(topology_json(&plan, out), 0);
	fclose(out);
	json = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(json);
	value = json_object_get(json_array_get(json_object_get(json, "cpus"), i), key);
	json_incref(value);
	json_decref(json);
	free(text);
	return value;
}

/* Not -1. */
START_TEST(test_unknown_is_null)
{
	json_t *value;

	t = rig_begin_own("xeon-2n-smt2");
	rig_write("sys/devices/system/cpu/cpu9/topology/physical_package_id",
		  "none\n");
	t = rig_again(t);
	ask(1, 1);
	choose();
	value = json_of_cpu(9, "package");
	ck_assert(json_is_null(value));
	json_decref(value);
	value = json_of_cpu(8, "package");
	ck_assert_int_eq(json_integer_value(value), 1);
	json_decref(value);
	placement_free(&plan);
	rig_end(t);
}
END_TEST

static void expect_disk_at(const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(topology_find_device(t, "md0", &devices[0]), 0);
	choose();
	topology_print(&plan, out);
	fclose(out);
	ck_assert_msg(strstr(text, want), "no %s in %s", want, text);
	free(text);
	placement_free(&plan);
}

/* A stripe is on several nodes only if two of its devices say so. */
START_TEST(test_nodes_of_a_stripe)
{
	t = rig_begin_own("opteron-sparse");
	ask(1, 1);
	expect_disk_at(" and 1 more, on several nodes, 6 interrupts");
	rig_write("sys/devices/pci0000:00/0000:01:00.0/numa_node", "-1\n");
	expect_disk_at(" and 1 more, node not told, 6 interrupts");
	rig_write("sys/devices/pci0000:00/0000:02:00.0/numa_node", "-1\n");
	expect_disk_at(" and 1 more, node not told, 6 interrupts");
	rig_end(t);
}
END_TEST

static Suite *placement_suite(void)
{
	Suite *suite = suite_create("placement");
	TCase *tc = tcase_create("placement");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_explained, 0, EXPLAINED);
	tcase_add_test(tc, test_each_thread_explained);
	tcase_add_test(tc, test_home_of_another);
	tcase_add_loop_test(tc, test_no_core_shared_while_others_are_free, 0,
			    RIG_MACHINES);
	tcase_add_loop_test(tc, test_guests_differ, 0, RIG_MACHINES);
	tcase_add_test(tc, test_beside_others);
	tcase_add_test(tc, test_full_host);
	tcase_add_test(tc, test_two_disks);
	tcase_add_test(tc, test_guest_nodes);
	tcase_add_test(tc, test_pins);
	tcase_add_test(tc, test_home_of_pins);
	tcase_add_test(tc, test_home_of_guest_nodes);
	tcase_add_test(tc, test_rest);
	tcase_add_test(tc, test_wrong_pins);
	tcase_add_test(tc, test_long_remedy);
	tcase_add_test(tc, test_too_many);
	tcase_add_test(tc, test_nodes_of_a_stripe);
	tcase_add_test(tc, test_unknown_is_null);
	tcase_add_loop_test(tc, test_reports, 0, RIG_MACHINES);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(placement_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
