// SPDX-License-Identifier: GPL-2.0-only
/*
 * --disk from its text to a device of the guest's, and back: defaults, every
 * key, what is refused and how it is told.  KVM is fake_event.c's.
 */
/* helpers: fake_event.c disk_rig.c */
#include "disk_rig.h"
#include "arch.h"
#include "drive.h"
#include "fake_event.h"
#include "kvm/iothread.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include "kvm/wakeup.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include <check.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct drive d;
static struct vm vm;
static struct rig_capture capture;

/* In place of what is measured. */
static u64 wakeup_ns;
static unsigned int cpus;

unsigned int cpus_allowed(void)
{
	return cpus;
}

u64 wakeup_cost(void)
{
	return wakeup_ns;
}

#define expect_refused(result, ...)                     \
	do {                                            \
		int result_;                            \
		rig_capture_start(&capture);            \
		result_ = result;                       \
		rig_capture_end(&capture);              \
		ck_assert_int_lt(result_, 0);           \
		rig_expect_line(&capture, __VA_ARGS__); \
	} while (0)

#define parse_refused(arg, ...)                                         \
	do {                                                             \
		expect_refused(drive_parse(&d, arg, 0), "--disk",        \
			       __VA_ARGS__);                             \
		ck_assert_ptr_null(d.text);                              \
	} while (0)

static void parse(const char *text)
{
	ck_assert_int_eq(drive_parse(&d, text, 0), 0);
}

/* --- text ---------------------------------------------------------------- */

START_TEST(test_defaults)
{
	parse("disk.img");
	ck_assert_str_eq(d.path, "disk.img");
	ck_assert_str_eq(d.name, "vda");
	ck_assert_str_eq(d.serial, "vda");
	ck_assert_uint_eq(d.queues, 0);		/* as many as vCPUs */
	ck_assert_uint_eq(d.iothreads, 0);	/* as many as queues */
	ck_assert_uint_eq(d.queue_size, 256);
	ck_assert(!d.readonly && d.lock && d.merge && d.discard);
	ck_assert(!d.packed);
	ck_assert_uint_eq(d.batch, 0);		/* no limit */
	ck_assert_uint_eq(d.poll.index, 1);	/* adaptive */
	ck_assert_uint_eq(d.format.index, 0);	/* probe */
	ck_assert_uint_eq(d.aio.index, 0);	/* auto */
	ck_assert_uint_eq(d.irq_delay.index, 0);	/* off */
	ck_assert_uint_eq(d.transport.index, 0);	/* pci */
	ck_assert_uint_eq(d.cache.index, DISK_CACHE_NONE);
	ck_assert_uint_eq(d.block_size.index, 2);	/* the host's */
	ck_assert_uint_eq(d.iops | d.iops_burst | d.bps | d.bps_burst, 0);
	ck_assert_uint_eq(d.rerror.index, VIRTIO_BLK_REPORT);
	ck_assert_uint_eq(d.werror.index, VIRTIO_BLK_REPORT);
	drive_forget(&d);
	ck_assert_ptr_null(d.text);
}
END_TEST

START_TEST(test_every_key)
{
	parse("a,,b.img,queues=4,queue-size=128,iothreads=2,ro,"
	      "serial=01234567890123456789,lock=off,aio=threads,poll=50,"
	      "merge=off,format=raw,irq-delay=7,cache=directsync,discard=off,"
	      "packed=on,batch=3,transport=mmio,iops=5000,iops-burst=100,"
	      "bps=100M,bps-burst=1G,iothread-cpus=4,2-3");
	ck_assert_str_eq(d.path, "a,b.img");
	ck_assert_uint_eq(d.queues, 4);
	ck_assert_uint_eq(d.queue_size, 128);
	ck_assert_uint_eq(d.iothreads, 2);
	ck_assert_uint_eq(d.cpus.n, 3);
	ck_assert_uint_eq(d.cpus.cpu[0], 4);
	ck_assert(d.readonly && !d.lock && !d.merge && !d.discard);
	ck_assert_str_eq(d.serial, "01234567890123456789");
	ck_assert_uint_eq(d.format.index, 1);
	ck_assert_uint_eq(d.aio.index, 3);
	ck_assert_uint_eq(d.poll.number, 50);
	ck_assert_uint_eq(d.irq_delay.number, 7);
	ck_assert(d.packed);
	ck_assert_uint_eq(d.batch, 3);
	ck_assert_uint_eq(d.cache.index, DISK_CACHE_DIRECTSYNC);
	ck_assert_uint_eq(d.transport.index, 1);
	ck_assert_uint_eq(d.iops, 5000);
	ck_assert_uint_eq(d.iops_burst, 100);
	ck_assert_uint_eq(d.bps, 100u << 20);
	ck_assert_uint_eq(d.bps_burst, 1u << 30);
	drive_forget(&d);
}
END_TEST

/* Packed rings are offered if, and only if, they are asked for. */
START_TEST(test_packed)
{
	static const char *const texts[] = { "null:1G", "null:1G,packed=off",
					     "null:1G,packed=on" };

	for (unsigned int i = 0; i < 3; i++) {
		parse(texts[i]);
		ck_assert_int_eq(drive_attach(&d, &vm), 0);
		ck_assert_uint_eq(virtio_blk_device(d.blk)->features >>
					  VIRTIO_F_RING_PACKED & 1, i == 2);
		drive_detach(&d);
		drive_forget(&d);
	}
}
END_TEST

/* A key's alternatives are in the order of the disk's. */
START_TEST(test_cache_names)
{
	static const char *const names[] = { "none", "writeback",
					     "writethrough", "directsync",
					     "unsafe" };
	char text[64];

	snprintf(text, sizeof(text), "null:1G,cache=%s", names[_i]);
	parse(text);
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	ck_assert_str_eq(disk_info(d.disk)->cache, names[_i]);
	drive_detach(&d);
}
END_TEST

/* The same of rerror= and werror=, and virtio-blk's. */
START_TEST(test_error_names)
{
	static const char *const names[] = { "report", "stop", "ignore",
					     "enospc" };
	char text[64];

	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "x,werror=%s,rerror=%s", names[i],
			 names[i % 3]);
		parse(text);
		ck_assert_uint_eq(d.werror.index, (unsigned int)i);
		ck_assert_uint_eq(d.rerror.index, (unsigned int)i % 3);
		drive_forget(&d);
	}
	ck_assert_int_eq(VIRTIO_BLK_STOP, 1);
	ck_assert_int_eq(VIRTIO_BLK_IGNORE, 2);
	ck_assert_int_eq(VIRTIO_BLK_ENOSPC, 3);
}
END_TEST

START_TEST(test_names)
{
	static const struct {
		unsigned int index;
		const char *name;
	} want[] = {
		{ 0, "vda" },	{ 1, "vdb" },	{ 25, "vdz" },
		{ 26, "vdaa" }, { 27, "vdab" }, { 51, "vdaz" },
		{ 52, "vdba" },
	};

	for (unsigned int i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert_int_eq(drive_parse(&d, "x", want[i].index), 0);
		ck_assert_str_eq(d.name, want[i].name);
		drive_forget(&d);
	}
}
END_TEST

START_TEST(test_ranges)
{
	static const char *const good[] = {
		"x,queues=1", "x,queues=256", "x,iothreads=1",
		"x,iothreads=256", "x,queue-size=4", "x,queue-size=1024",
		"x,ro=off", "x,ro=on", "x,lock", "x,serial=s",
	};

	for (unsigned int i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		parse(good[i]);
		drive_forget(&d);
	}
}
END_TEST

START_TEST(test_refused)
{
	parse_refused("x,queues=0", "queues", "0", "1", "256");
	parse_refused("x,queues=257", "queues", "257", "256");
	parse_refused("x,queues=5000", "queues", "5000", "256");
	parse_refused("x,queues=-1", "queues", "-1");
	parse_refused("x,queues=4x", "queues", "4x");
	parse_refused("x,iothreads=0", "iothreads", "0", "1");
	parse_refused("x,iothreads=1000", "iothreads", "1000", "256");
	parse_refused("x,queue-size=2", "queue-size", "2", "4", "1024");
	parse_refused("x,queue-size=2048", "queue-size", "2048", "1024");
	parse_refused("x,queue-size=100", "queue-size", "100",
		      "power of two");
	parse_refused("x,queue-size=1000", "queue-size", "power of two");
	parse_refused("x,serial=012345678901234567890", "serial",
		      "012345678901234567890", "20");
	parse_refused("x,format=qcow2", "format qcow2", "probe|raw");
	parse_refused("x,aio=posix", "aio posix",
		      "auto|native|io_uring|threads");
	parse_refused("x,cache=on", "cache on",
		      "none|writeback|writethrough|directsync|unsafe");
	parse_refused("x,poll=often", "poll often", "off|adaptive|always|MAX_US",
		      "1 to 100000");
	parse_refused("x,poll=0", "poll 0", "1 to 100000");
	parse_refused("x,batch=-1", "batch", "-1");
	parse_refused("x,batch=262145", "batch", "262145");
	parse_refused("x,irq-delay=-1", "irq-delay -1");
	parse_refused("x,merge=maybe", "merge", "maybe", "on or off");
	parse_refused("x,block-size=1024", "block-size 1024", "512|4096");
	parse_refused("x,block-size=", "block-size", "512|4096");
	parse_refused("x,discard=unmap", "discard", "unmap", "on or off");
	parse_refused("x,irq-delay=1001", "irq-delay 1001", "off|auto|US",
		      "1 to 1000");
	parse_refused("x,iops=many", "iops many", "0 to 10000000");
	parse_refused("x,iops=10000001", "iops 10000001", "0 to 10000000");
	parse_refused("x,iops-burst=5", "iops-burst 5", "give iops=");
	parse_refused("x,bps=fast", "bps fast", "100M");
	parse_refused("x,bps=101G", "bps 101G", "100G");
	parse_refused("x,bps-burst=1M", "bps-burst 1048576", "give bps=");
	parse_refused("x,rerror=enospc", "rerror enospc", "report|stop|ignore");
	parse_refused("x,werror=panic", "werror panic",
		      "report|stop|ignore|enospc");
	parse_refused("x,ro=maybe", "ro", "maybe", "on or off");
	parse_refused("x,rw", "unknown key", "rw", "queues", "queue-size",
		      "iothreads", "ro", "block-size", "serial", "lock", "aio",
		      "cache", "poll", "merge", "discard", "irq-delay",
		      "iops", "iops-burst", "bps", "bps-burst", "rerror",
		      "werror");
	parse_refused("", "path");
	parse_refused(",ro", "path");
}
END_TEST

/* --- on the bus ---------------------------------------------------------- */

static void plug(void)
{
	fake_kvm_reset();
	memset(&vm, 0, sizeof(vm));
	memset(&d, 0, sizeof(d));
	vm.ncpus = 3;
	vm.mem = (struct guest_memory){
		.nregions = 1,
		.size = 1 << 20,
		.region = { { .gpa = 0, .size = 1 << 20 } },
	};
	ck_assert_int_eq(guest_memory_map(&vm.mem, false), 0);
	ck_assert_int_eq(pci_host_new(&vm.pci, &vm), 0);
}

static void unplug(void)
{
	drive_forget(&d);
	pci_host_free(vm.pci);
	guest_memory_unmap(&vm.mem);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
}

static unsigned int open_files(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(test_attach_defaults)
{
	unsigned int files = open_files();

	parse("null:1G");
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	ck_assert_uint_eq(d.queues, 3);
	ck_assert_uint_eq(d.iothreads, 3);
	ck_assert_uint_eq(virtio_blk_device(d.blk)->nqueues, 3);
	ck_assert_ptr_nonnull(pci_host_function(vm.pci, 1));
	ck_assert_int_eq(drive_start(&d), 0);
	drive_stop(&d);
	drive_detach(&d);
	ck_assert_ptr_null(pci_host_function(vm.pci, 1));
	ck_assert_uint_eq(open_files(), files);
}
END_TEST

/* "+" tells of a thread that has more queues than the one it is named by. */
START_TEST(test_threads)
{
	static const char *const names[] = { "lkvm/vda.q0+", "lkvm/vda.q1+",
					     "lkvm/vda.q2" };

	parse("null:1G,queues=5,iothreads=3");
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_str_eq(iothread_name(d.threads[i]), names[i]);
	for (unsigned int q = 0; q < 5; q++)
		ck_assert_ptr_eq(virtio_blk_thread(d.blk, q),
				 d.threads[q % 3]);
	drive_detach(&d);
}
END_TEST

/*
 * The budget for polling: 100 wake-ups, but 200 us to 5 ms, and no more than the
 * least if there are not CPUs for three vCPUs and the threads; or the user's.
 */
START_TEST(test_poll_budget)
{
	static const struct {
		const char *text;
		unsigned int cpus;
		u64 wakeup, budget;
	} cases[] = {
		{ "null:1G", 6, 0, 200000 },
		{ "null:1G,poll=adaptive", 6, 1999, 200000 },
		{ "null:1G", 6, 2001, 200100 },
		{ "null:1G", 6, 30000, 3000000 },
		{ "null:1G", 5, 30000, 200000 },
		{ "null:1G,queues=1", 4, 30000, 3000000 },
		{ "null:1G,queues=1", 3, 30000, 200000 },
		{ "null:1G", 6, 49999, 4999900 },
		{ "null:1G", 6, 50001, 5000000 },
		{ "null:1G", 6, 1000000000, 5000000 },
		{ "null:1G,poll=700", 1, 60000, 700000 },
		{ "null:1G,poll=20000", 1, 1, 20000000 },
		{ "null:1G,poll=off", 6, 60000, 0 },
		{ "null:1G,poll=always", 6, 60000, 0 },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(cases[i].text);
		cpus = cases[i].cpus;
		wakeup_ns = cases[i].wakeup;
		ck_assert_int_eq(drive_count(&d, vm.ncpus), 0);
		drives_measure(&d, 1, vm.ncpus);
		ck_assert_int_eq(drive_attach(&d, &vm), 0);
		for (unsigned int t = 0; t < d.iothreads; t++)
			ck_assert_uint_eq(
				iothread_stats(d.threads[t])->poll_max_ns,
				cases[i].budget);
		drive_detach(&d);
		drive_forget(&d);
	}
}
END_TEST

/* All drives' threads count; what is measured holds, whatever CPUs the main thread keeps to later. */
START_TEST(test_poll_of_two_drives)
{
	static struct drive drives[2];

	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(drive_parse(&drives[i], "null:1G,queues=2", i),
				 0);
		ck_assert_int_eq(drive_count(&drives[i], vm.ncpus), 0);
	}
	wakeup_ns = 30000;
	cpus = 6;
	drives_measure(drives, 2, vm.ncpus);
	ck_assert_uint_eq(drives[0].adaptive_ns, 200000);
	cpus = 7;
	drives_measure(drives, 2, vm.ncpus);
	ck_assert_int_eq(drive_attach(&drives[1], &vm), 0);
	cpus = 1;
	ck_assert_int_eq(drive_set_poll(&drives[1], "off"), 0);
	ck_assert_int_eq(drive_set_poll(&drives[1], "adaptive"), 0);
	ck_assert_uint_eq(iothread_stats(drives[1].threads[0])->poll_max_ns,
			  3000000);
	drive_detach(&drives[1]);
	for (unsigned int i = 0; i < 2; i++)
		drive_forget(&drives[i]);
}
END_TEST

START_TEST(test_config)
{
	struct virtio_device *dev;
	struct virtio_blk_config c = { 0 };

	parse("null:1G,queues=7,queue-size=64,ro");
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	dev = virtio_blk_device(d.blk);
	dev->ops->config_read(dev, 0, &c, VIRTIO_BLK_CONFIG_LEN);
	ck_assert_uint_eq(c.capacity, (1u << 30) / 512);
	ck_assert_uint_eq(c.num_queues, 7);
	ck_assert_uint_eq(c.seg_max, 62);
	ck_assert(dev->features >> VIRTIO_BLK_F_RO & 1);
	ck_assert_uint_eq(dev->queues[6].size_max, 64);
	rig_capture_start(&capture);
	drive_describe(&d);
	rig_capture_end(&capture);
	rig_expect_line(&capture, "vda", "null", "cache=none", "read-only",
			"7 queues of 64",
			"7 I/O threads");
	drive_detach(&d);
}
END_TEST

START_TEST(test_block_size)
{
	static const struct {
		const char *text;
		u32 block;
	} want[] = { { "null:1G", 512 }, { "null:1G,block-size=512", 512 },
		     { "null:1G,block-size=4096", 4096 } };
	struct virtio_device *dev;
	struct virtio_blk_config c = { 0 };

	for (unsigned int i = 0; i < 3; i++) {
		parse(want[i].text);
		ck_assert_int_eq(drive_attach(&d, &vm), 0);
		dev = virtio_blk_device(d.blk);
		dev->ops->config_read(dev, 0, &c, VIRTIO_BLK_CONFIG_LEN);
		ck_assert_uint_eq(c.blk_size, want[i].block);
		ck_assert_uint_eq(c.capacity, (1u << 30) / 512);
		ck_assert_uint_eq(c.physical_block_exp, 0);
		ck_assert_uint_eq(c.discard_sector_alignment,
				  want[i].block / 512);
		drive_detach(&d);
		drive_forget(&d);
	}
	parse("null:512,block-size=4096");
	expect_refused(drive_attach(&d, &vm), "--disk", "null:512",
		       "block-size=4096", "multiple");
}
END_TEST

/* Each in a slot of its own; the ninth is told what to do instead. */
START_TEST(test_transport_mmio)
{
	struct arch_mmio_slot slot;
	struct drive more[9];
	unsigned int files = open_files(), n;

	for (n = 0; arch_mmio_slot(n, &slot); n++) {
		ck_assert_int_eq(drive_parse(&more[n], "null:1G,transport=mmio",
					     n), 0);
		ck_assert_int_eq(drive_attach(&more[n], &vm), 0);
		ck_assert(bus_claimed(&vm.mmio, slot.addr));
	}
	ck_assert_ptr_null(pci_host_function(vm.pci, 1));
	parse("null:1G,transport=mmio");
	expect_refused(drive_attach(&d, &vm), "--disk null:1G", "transport=mmio",
		       "8 such disks", "transport=pci");
	/* One that is gone makes room; PCI is not concerned. */
	drive_detach(&more[3]);
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	drive_detach(&d);
	drive_forget(&d);
	parse("null:1G,transport=pci");
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	ck_assert_ptr_nonnull(pci_host_function(vm.pci, 1));
	drive_detach(&d);
	for (unsigned int i = 0; i < n; i++) {
		drive_detach(&more[i]);
		drive_forget(&more[i]);
	}
	ck_assert(arch_mmio_slot(0, &slot) &&
		  !bus_claimed(&vm.mmio, slot.addr));
	ck_assert_uint_eq(open_files(), files);
}
END_TEST

START_TEST(test_most_queues)
{
	parse("null:1G,queues=256,iothreads=4,queue-size=4");
	ck_assert_int_eq(drive_attach(&d, &vm), 0);
	ck_assert_int_eq(drive_start(&d), 0);
	drive_stop(&d);
	drive_detach(&d);
}
END_TEST

/* More threads than queues can only be told when the queues are known. */
START_TEST(test_too_many_threads)
{
	parse("null:1G,queues=2,iothreads=3");
	expect_refused(drive_attach(&d, &vm), "--disk", "null:1G", "iothreads",
		       "3", "2");
	drive_forget(&d);
	parse("null:1G,iothreads=4");
	expect_refused(drive_attach(&d, &vm), "iothreads", "4", "3");
}
END_TEST

/* PEERS 16: a disk that cannot be opened leaves nothing behind. */
START_TEST(test_open_fails)
{
	unsigned int files = open_files();

	parse("/nonexistent/disk.img");
	expect_refused(drive_attach(&d, &vm), "--disk",
		       "/nonexistent/disk.img");
	ck_assert_ptr_null(d.disk);
	ck_assert_ptr_null(d.threads);
	drive_forget(&d);
	parse("null:0");
	expect_refused(drive_attach(&d, &vm), "null:0");
	ck_assert_uint_eq(open_files(), files);
	ck_assert_ptr_null(pci_host_function(vm.pci, 1));
}
END_TEST

/* PEERS 16: as many disks as there are slots, then a line, not an end. */
START_TEST(test_many_disks)
{
	static struct drive many[PCI_SLOTS];
	unsigned int n = 0;

	for (; n < PCI_SLOTS - 1; n++) {
		ck_assert_int_eq(drive_parse(&many[n], "null:1M,queues=1", n),
				 0);
		ck_assert_int_eq(drive_attach(&many[n], &vm), 0);
	}
	parse("null:1M,queues=1");
	expect_refused(drive_attach(&d, &vm), "31");
	ck_assert_ptr_null(d.blk);
	while (n--) {
		drive_detach(&many[n]);
		drive_forget(&many[n]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drive");
	TCase *tc = tcase_create("text"), *tb = tcase_create("on the bus");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_every_key);
	tcase_add_test(tc, test_error_names);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_refused);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tb, 60);
	tcase_add_checked_fixture(tb, plug, unplug);
	tcase_add_test(tb, test_attach_defaults);
	tcase_add_loop_test(tb, test_cache_names, 0, 5);
	tcase_add_test(tb, test_threads);
	tcase_add_test(tb, test_poll_budget);
	tcase_add_test(tb, test_poll_of_two_drives);
	tcase_add_test(tb, test_config);
	tcase_add_test(tb, test_packed);
	tcase_add_test(tb, test_block_size);
	tcase_add_test(tb, test_transport_mmio);
	tcase_add_test(tb, test_most_queues);
	tcase_add_test(tb, test_too_many_threads);
	tcase_add_test(tb, test_open_fails);
	tcase_add_test(tb, test_many_disks);
	suite_add_tcase(suite, tb);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
