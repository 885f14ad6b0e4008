// SPDX-License-Identifier: GPL-2.0-only
/*
 * The MMIO transport (virtio 1.2, 4.2) through the bus as vCPUs reach it, by
 * friendly and by hostile drivers.  KVM is fake_event.c's, the device one that
 * only notes what it is told.
 */
/* helpers: fake_event.c guest_ring.c */
#include "fake_event.h"
#include "guest_ring.h"
#include "kvm/vm.h"
#include "virtio/device.h"
#include "virtio/mmio.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0xe1000000ull
#define GSI 5
#define NQUEUES 3
#define RING_SIZE 256
#define CONFIG_LEN 60
#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)
#define RESET (1ull << VIRTIO_F_RING_RESET)
#define OFFERED (VERSION_1 | RESET | 1ull << 29)
#define QUEUE_RESET 0x0c0	/* not in every uapi header */

static struct vm vm;
static struct virtio_device dev;
static struct virtio_mmio *mmio;
static unsigned int starts[NQUEUES], stops[NQUEUES];
static u8 config[CONFIG_LEN];

static int on_start(struct virtio_device *d, unsigned int q)
{
	(void)d;
	starts[q]++;
	return 0;
}

static void on_stop(struct virtio_device *d, unsigned int q)
{
	stops[q]++;
	/* A last event, as of a request that was in flight. */
	d->transport->queue_interrupt(d, q);
}

static void on_negotiated(struct virtio_device *d)
{
	(void)d;
}

static void on_config_read(struct virtio_device *d, u32 offset, void *data,
			   unsigned int len)
{
	expect(pthread_mutex_trylock(&d->lock) == EBUSY);
	expect(offset + len <= CONFIG_LEN);
	memcpy(data, config + offset, len);
}

static void on_config_write(struct virtio_device *d, u32 offset,
			    const void *data, unsigned int len)
{
	expect(pthread_mutex_trylock(&d->lock) == EBUSY);
	expect(offset + len <= CONFIG_LEN);
	memcpy(config + offset, data, len);
}

static const struct virtio_device_ops ops = {
	.id = 2,
	.config_len = CONFIG_LEN,
	.queue_start = on_start,
	.queue_stop = on_stop,
	.negotiated = on_negotiated,
	.config_read = on_config_read,
	.config_write = on_config_write,
};

static void setup(void)
{
	fake_kvm_reset();
	memset(&vm, 0, sizeof(vm));
	memset(&dev, 0, sizeof(dev));
	memset(starts, 0, sizeof(starts));
	memset(stops, 0, sizeof(stops));
	for (unsigned int i = 0; i < CONFIG_LEN; i++)
		config[i] = (u8)(i + 1);
	dev.ops = &ops;
	dev.name = "vdt";
	ck_assert_int_eq(virtio_device_init(&dev, NQUEUES, RING_SIZE, OFFERED),
			 0);
	ck_assert_int_eq(virtio_mmio_new(&mmio, &vm, &dev, BASE, GSI), 0);
}

static void teardown(void)
{
	virtio_mmio_free(mmio);
	virtio_device_exit(&dev);
	ck_assert(!bus_claimed(&vm.mmio, BASE));
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}

/* --- as a vCPU ----------------------------------------------------------- */

static u64 read_any(u32 offset, unsigned int len)
{
	u64 value = 0;

	bus_read(&vm.mmio, BASE + offset, &value, len);
	return value;
}

static void write_any(u32 offset, u64 value, unsigned int len)
{
	bus_write(&vm.mmio, BASE + offset, &value, len);
}

static u32 reg(u32 offset)
{
	return (u32)read_any(offset, 4);
}

static void set_reg(u32 offset, u32 value)
{
	write_any(offset, value, 4);
}

#define REG(name) reg(VIRTIO_MMIO_##name)
#define SET(name, value) set_reg(VIRTIO_MMIO_##name, value)

static void set_features(u64 features)
{
	for (unsigned int i = 0; i < 2; i++) {
		SET(DRIVER_FEATURES_SEL, i);
		SET(DRIVER_FEATURES, (u32)(features >> 32 * i));
	}
}

/* With rings of 64 at addresses of their own. */
static void enable_queue(u32 q)
{
	SET(QUEUE_SEL, q);
	ck_assert_uint_eq(REG(QUEUE_READY), 0);
	ck_assert_uint_eq(REG(QUEUE_NUM_MAX), RING_SIZE);
	SET(QUEUE_NUM, 64);
	SET(QUEUE_DESC_LOW, 0x1000 * q);
	SET(QUEUE_DESC_HIGH, 1);
	SET(QUEUE_AVAIL_LOW, 0x1000 * q + 0x400);
	SET(QUEUE_AVAIL_HIGH, 2);
	SET(QUEUE_USED_LOW, 0x1000 * q + 0x800);
	SET(QUEUE_USED_HIGH, 3);
	SET(QUEUE_READY, 1);
}

static void drive_with(u64 features)
{
	SET(STATUS, 0);
	SET(STATUS, 3);
	set_features(features);
	SET(STATUS, 11);
	for (u32 q = 0; q < NQUEUES; q++)
		enable_queue(q);
	SET(STATUS, 15);
	ck_assert_uint_eq(REG(STATUS), 15);
}

static void drive(void)
{
	drive_with(OFFERED);
}

static unsigned int edges(void)
{
	return fake_kvm.gsi[GSI].delivered;
}

/* --- registers ----------------------------------------------------------- */

START_TEST(test_identity)
{
	ck_assert_uint_eq(REG(MAGIC_VALUE), 0x74726976);
	ck_assert_uint_eq(REG(VERSION), 2);
	ck_assert_uint_eq(REG(DEVICE_ID), 2);
	ck_assert_uint_eq(REG(VENDOR_ID), 0x1af4);
	for (u32 offset = 0; offset < 0x10; offset += 4) {
		u32 was = reg(offset);

		set_reg(offset, ~was);
		ck_assert_uint_eq(reg(offset), was);
	}
}
END_TEST

START_TEST(test_feature_words)
{
	static const u32 want[] = { (u32)OFFERED, (u32)(OFFERED >> 32), 0, 0 };
	static const u32 selects[] = { 0, 1, 2, 0xffffffff };

	for (unsigned int i = 0; i < 4; i++) {
		SET(DEVICE_FEATURES_SEL, selects[i]);
		ck_assert_uint_eq(REG(DEVICE_FEATURES), want[i]);
	}
	SET(DEVICE_FEATURES, 0);	/* read-only */
	ck_assert_uint_eq(dev.features, OFFERED);
	set_features(OFFERED);
	ck_assert_uint_eq(dev.driver_features, OFFERED);
	/* Bits above 63 were never offered. */
	SET(DRIVER_FEATURES_SEL, 2);
	SET(DRIVER_FEATURES, 1);
	SET(STATUS, 11);
	ck_assert_uint_eq(REG(STATUS), 3);
}
END_TEST

/*
 * A bit above 63 refuses the features, and nothing else: no bit is accepted that
 * the driver did not write; when it takes it back, or resets, all is well again.
 */
START_TEST(test_high_features_taken_back)
{
	static const u32 selects[] = { 2, 3, 30, 31, 32, 0xffffffff };
	const u32 select = selects[_i];

	for (unsigned int i = 0; i < 2; i++) {
		SET(STATUS, 3);
		set_features(VERSION_1);
		SET(DRIVER_FEATURES_SEL, select);
		SET(DRIVER_FEATURES, 0x80000000);
		ck_assert_uint_eq(REG(DRIVER_FEATURES), 0);
		ck_assert_uint_eq(dev.driver_features, VERSION_1);
		SET(DRIVER_FEATURES_SEL, select == 2 ? 3 : 2);
		SET(DRIVER_FEATURES, 0);	/* another word */
		set_features(VERSION_1);
		SET(STATUS, 11);
		ck_assert_uint_eq(REG(STATUS), 3);
		if (i) {
			SET(STATUS, 0);
			SET(STATUS, 3);
			set_features(VERSION_1);
		} else {
			SET(DRIVER_FEATURES_SEL, select);
			SET(DRIVER_FEATURES, 0);
		}
		SET(STATUS, 11);
		ck_assert_uint_eq(REG(STATUS), 11);
		ck_assert_uint_eq(dev.driver_features, VERSION_1);
		/* Too late to matter. */
		SET(DRIVER_FEATURES_SEL, select);
		SET(DRIVER_FEATURES, 1);
		SET(STATUS, 15);
		ck_assert_uint_eq(REG(STATUS), 15);
		SET(STATUS, 0);
	}
}
END_TEST

/* 3.1.1: the order of steps, and what is not allowed in it. */
START_TEST(test_status)
{
	SET(STATUS, 1);
	SET(STATUS, 3);
	set_features(VERSION_1 | 2);
	SET(STATUS, 11);
	ck_assert_uint_eq(REG(STATUS), 3);	/* never offered */
	set_features(OFFERED);
	SET(STATUS, 7);
	ck_assert_uint_eq(REG(STATUS), 3);	/* DRIVER_OK is too early */
	SET(STATUS, 11);
	ck_assert_uint_eq(REG(STATUS), 11);
	set_features(VERSION_1);
	ck_assert_uint_eq(dev.driver_features, OFFERED);
	enable_queue(1);
	ck_assert_uint_eq(starts[1], 0);
	SET(STATUS, 15);
	ck_assert_uint_eq(starts[1], 1);
	ck_assert_uint_eq(starts[0], 0);	/* never enabled */
	SET(STATUS, 1);				/* bits stay */
	SET(STATUS, 0xffffff00);		/* that is not 0 */
	ck_assert_uint_eq(REG(STATUS), 15);
	SET(STATUS, 0x40);			/* the device's to set */
	ck_assert_uint_eq(REG(STATUS), 15);
	ck_assert_uint_eq(stops[1], 0);
	SET(STATUS, 0);
	ck_assert_uint_eq(REG(STATUS), 0);
	ck_assert_uint_eq(stops[1], 1);
}
END_TEST

START_TEST(test_needs_reset)
{
	drive();
	virtio_device_break(&dev, 0, "test");
	ck_assert_uint_eq(REG(STATUS), 15 | 0x40);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 2);
	ck_assert_uint_eq(edges(), 1);
	SET(STATUS, 0);
	ck_assert_uint_eq(REG(STATUS), 0);
	drive();
}
END_TEST

START_TEST(test_queue_setup)
{
	enable_queue(1);
	ck_assert_uint_eq(REG(QUEUE_READY), 1);
	ck_assert_uint_eq(dev.queues[1].config.size, 64);
	ck_assert_uint_eq(dev.queues[1].config.desc, 0x100001000ull);
	ck_assert_uint_eq(dev.queues[1].config.avail, 0x200001400ull);
	ck_assert_uint_eq(dev.queues[1].config.used, 0x300001800ull);
	/* Fixed while it is ready. */
	SET(QUEUE_NUM, 8);
	SET(QUEUE_DESC_LOW, 0);
	SET(QUEUE_USED_HIGH, 0);
	ck_assert_uint_eq(dev.queues[1].config.size, 64);
	ck_assert_uint_eq(dev.queues[1].config.desc, 0x100001000ull);
	ck_assert_uint_eq(dev.queues[1].config.used, 0x300001800ull);
	SET(QUEUE_SEL, 0);
	ck_assert_uint_eq(REG(QUEUE_READY), 0);
	ck_assert_uint_eq(dev.queues[0].config.desc, 0);
	/* A greater ring than offered does not count. */
	SET(QUEUE_NUM, 512);
	SET(QUEUE_NUM, 0x10040);
	ck_assert_uint_eq(dev.queues[0].config.size, RING_SIZE);
	SET(QUEUE_NUM_MAX, 512);
	ck_assert_uint_eq(REG(QUEUE_NUM_MAX), RING_SIZE);
	SET(QUEUE_READY, 2);
	ck_assert_uint_eq(REG(QUEUE_READY), 0);
}
END_TEST

START_TEST(test_queue_out_of_range)
{
	static const u32 bad[] = { NQUEUES, 256, 0xffff, 0x10000, 0x10001,
				   0x80000000, 0xffffffff };

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		SET(QUEUE_SEL, bad[i]);
		ck_assert_uint_eq(REG(QUEUE_NUM_MAX), 0);
		ck_assert_uint_eq(REG(QUEUE_READY), 0);
		for (u32 offset = 0x38; offset < 0xfc; offset += 4)
			if (offset != VIRTIO_MMIO_STATUS)
				set_reg(offset, 1);
	}
	for (unsigned int q = 0; q < NQUEUES; q++) {
		ck_assert(!dev.queues[q].enabled);
		ck_assert_uint_eq(dev.queues[q].config.desc, 0);
	}
}
END_TEST

/* 4.2.2.2: a driver stops a queue by 0, and reads it back. */
START_TEST(test_queue_ready_zero)
{
	drive();
	SET(QUEUE_SEL, 2);
	SET(QUEUE_READY, 0);
	ck_assert_uint_eq(stops[2], 1);
	ck_assert_uint_eq(stops[1], 0);
	ck_assert_uint_eq(REG(QUEUE_READY), 0);
	enable_queue(2);
	ck_assert_uint_eq(starts[2], 2);
}
END_TEST

START_TEST(test_queue_reset)
{
	drive();
	SET(QUEUE_SEL, 1);
	ck_assert_uint_eq(reg(QUEUE_RESET), 0);
	set_reg(QUEUE_RESET, 2);
	ck_assert_uint_eq(stops[1], 0);
	set_reg(QUEUE_RESET, 1);
	ck_assert_uint_eq(stops[1], 1);	/* it has ended */
	ck_assert_uint_eq(reg(QUEUE_RESET), 0);
	ck_assert_uint_eq(REG(QUEUE_READY), 0);
	ck_assert_uint_eq(dev.queues[1].config.desc, 0);
	ck_assert_uint_eq(dev.queues[1].config.size, RING_SIZE);
	enable_queue(1);
	ck_assert_uint_eq(REG(QUEUE_READY), 1);
	ck_assert_uint_eq(reg(QUEUE_RESET), 0);
	ck_assert_uint_eq(starts[1], 2);
	ck_assert_uint_eq(REG(STATUS), 15);
	SET(STATUS, 0);
	SET(QUEUE_SEL, 1);
	ck_assert_uint_eq(reg(QUEUE_RESET), 0);
}
END_TEST

START_TEST(test_queue_reset_not_negotiated)
{
	drive_with(VERSION_1);
	SET(QUEUE_SEL, 1);
	set_reg(QUEUE_RESET, 1);
	ck_assert_uint_eq(stops[1], 0);
	ck_assert_uint_eq(REG(QUEUE_READY), 1);
}
END_TEST

START_TEST(test_reset)
{
	drive();
	SET(QUEUE_SEL, 2);
	dev.transport->queue_interrupt(&dev, 0);
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 3);
	SET(STATUS, 0);
	/* Not even of what the queues did to their end. */
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	for (u32 q = 0; q < NQUEUES; q++) {
		ck_assert_uint_eq(stops[q], 1);
		SET(QUEUE_SEL, q);
		ck_assert_uint_eq(REG(QUEUE_READY), 0);
		ck_assert_uint_eq(reg(QUEUE_RESET), 0);
		ck_assert_uint_eq(dev.queues[q].config.size, RING_SIZE);
	}
	ck_assert_uint_eq(dev.driver_features, 0);
	SET(DEVICE_FEATURES_SEL, 1);
	SET(STATUS, 0);
	ck_assert_uint_eq(REG(DEVICE_FEATURES), (u32)OFFERED);
}
END_TEST

START_TEST(test_shared_memory_none)
{
	static const u32 ids[] = { 0, 1, 0xff, 0xffffffff };

	for (unsigned int i = 0; i < 4; i++) {
		SET(SHM_SEL, ids[i]);
		ck_assert_uint_eq(REG(SHM_LEN_LOW), 0xffffffff);
		ck_assert_uint_eq(REG(SHM_LEN_HIGH), 0xffffffff);
		ck_assert_uint_eq(REG(SHM_BASE_LOW), 0xffffffff);
		ck_assert_uint_eq(REG(SHM_BASE_HIGH), 0xffffffff);
	}
}
END_TEST

/* --- the configuration space --------------------------------------------- */

START_TEST(test_config_any_width)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };
	u64 want;

	for (unsigned int w = 0; w < 4; w++)
		for (u32 i = 0; i + widths[w] <= CONFIG_LEN; i++) {
			want = 0;
			memcpy(&want, config + i, widths[w]);
			ck_assert_uint_eq(read_any(0x100 + i, widths[w]), want);
		}
	write_any(0x100 + 3, 0xaa, 1);
	write_any(0x100 + 8, 0x12345678, 4);
	ck_assert_uint_eq(config[3], 0xaa);
	ck_assert_uint_eq(reg(0x108), 0x12345678);
	/* Across its end and behind it. */
	ck_assert_uint_eq(read_any(0x100 + CONFIG_LEN - 3, 4), 0);
	ck_assert_uint_eq(read_any(0x100 + CONFIG_LEN, 1), 0);
	write_any(0x100 + CONFIG_LEN - 3, ~0ull, 4);
	write_any(0x100 + CONFIG_LEN, ~0ull, 8);
	ck_assert_uint_eq(config[CONFIG_LEN - 1], CONFIG_LEN);
}
END_TEST

START_TEST(test_generation)
{
	u32 was = REG(CONFIG_GENERATION);

	ck_assert_uint_eq(REG(CONFIG_GENERATION), was);
	dev.generation++;
	ck_assert_uint_ne(REG(CONFIG_GENERATION), was);
	SET(CONFIG_GENERATION, was);	/* read-only */
	ck_assert_uint_ne(REG(CONFIG_GENERATION), was);
}
END_TEST

/* --- kicks --------------------------------------------------------------- */

/* Each queue's own value goes to its eventfd in the kernel. */
START_TEST(test_kick_values)
{
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
	for (u32 q = 0; q < NQUEUES; q++) {
		ck_assert(fake_kick_at(dev.queues[q].kick_fd,
				       (BASE + 0x50) | FAKE_VALUE(q)));
		ck_assert(fake_kick((BASE + 0x50) | FAKE_VALUE(q)));
		for (u32 i = 0; i < NQUEUES; i++)
			ck_assert(event_pending(dev.queues[i].kick_fd) ==
				  (i == q));
		event_clear(dev.queues[q].kick_fd);
	}
	ck_assert(!fake_kick((BASE + 0x50) | FAKE_VALUE(NQUEUES)));
}
END_TEST

/* What KVM does not take comes here; what names no queue goes nowhere. */
START_TEST(test_kick_by_exit)
{
	static const u32 bad[] = { NQUEUES, 0xffff, 0x10000, 0x10001,
				   0xffffffff };

	SET(QUEUE_NOTIFY, 1);
	ck_assert(event_pending(dev.queues[1].kick_fd));
	event_clear(dev.queues[1].kick_fd);
	for (unsigned int i = 0; i < 5; i++)
		SET(QUEUE_NOTIFY, bad[i]);
	write_any(0x50, 1, 2);
	write_any(0x50, 1, 8);
	for (u32 q = 0; q < NQUEUES; q++)
		ck_assert(!event_pending(dev.queues[q].kick_fd));
	ck_assert_uint_eq(REG(QUEUE_NOTIFY), 0);
}
END_TEST

START_TEST(test_kicks_refused)
{
	virtio_mmio_free(mmio);
	fake_kvm.refuse_kick = -ENOSPC;
	ck_assert_int_eq(virtio_mmio_new(&mmio, &vm, &dev, BASE, GSI), 0);
	SET(QUEUE_NOTIFY, 2);
	ck_assert(event_pending(dev.queues[2].kick_fd));
	virtio_mmio_free(mmio);
	fake_kvm_reset();
	ck_assert_int_eq(virtio_mmio_new(&mmio, &vm, &dev, BASE, GSI), 0);
}
END_TEST

/* --- interrupts ---------------------------------------------------------- */

START_TEST(test_interrupt_status)
{
	drive();
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	ck_assert(dev.transport->queue_interrupt(&dev, 1));
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 1);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 1);	/* until acknowledged */
	ck_assert_uint_eq(edges(), 1);
	SET(INTERRUPT_STATUS, 0);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 1);	/* read-only */
	SET(INTERRUPT_ACK, 1);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	ck_assert_uint_eq(edges(), 1);
	ck_assert_uint_eq(REG(INTERRUPT_ACK), 0);
	SET(INTERRUPT_ACK, ~0u);	/* nothing to acknowledge */
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	ck_assert_uint_eq(edges(), 1);
}
END_TEST

/* An edge for each event, though an earlier one was not acknowledged yet. */
START_TEST(test_interrupt_edges)
{
	drive();
	dev.transport->queue_interrupt(&dev, 0);
	dev.transport->queue_interrupt(&dev, 1);
	ck_assert_uint_eq(edges(), 2);
	ck_assert_uint_eq(fake_gsi_of(fake_kvm.irqfd[0].fd), GSI);
	ck_assert_int_lt(fake_kvm.irqfd[0].resamplefd, 0);
	/* What an acknowledgement leaves is told again. */
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(edges(), 3);
	SET(INTERRUPT_ACK, 1);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 2);
	ck_assert_uint_eq(edges(), 4);
	SET(INTERRUPT_ACK, 2);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	ck_assert_uint_eq(edges(), 4);
}
END_TEST

/* Whoever holds the device's lock: an interrupt handler does not wait for it. */
START_TEST(test_interrupt_without_lock)
{
	drive();
	dev.transport->queue_interrupt(&dev, 0);
	pthread_mutex_lock(&dev.lock);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 1);
	SET(INTERRUPT_ACK, 1);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 0);
	SET(QUEUE_NOTIFY, 0);
	pthread_mutex_unlock(&dev.lock);
}
END_TEST

static u32 status_at_edge;

static void note_status(u32 gsi)
{
	expect(gsi == GSI);
	status_at_edge = REG(INTERRUPT_STATUS);
}

/* A handler that runs at once finds the bit. */
START_TEST(test_interrupt_status_first)
{
	drive();
	fake_kvm.on_delivery = note_status;
	dev.transport->queue_interrupt(&dev, 0);
	ck_assert_uint_eq(status_at_edge, 1);
	SET(INTERRUPT_ACK, 1);
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(status_at_edge, 2);
	dev.transport->queue_interrupt(&dev, 0);
	ck_assert_uint_eq(status_at_edge, 3);
	SET(INTERRUPT_ACK, 2);
	ck_assert_uint_eq(status_at_edge, 1);
}
END_TEST

START_TEST(test_no_interrupt)
{
	struct virtio_mmio *other;

	fake_kvm.refuse_irqfd = -EBUSY;
	ck_assert_int_eq(virtio_mmio_new(&other, &vm, &dev, BASE + 0x1000, GSI),
			 -EBUSY);
	ck_assert(!bus_claimed(&vm.mmio, BASE + 0x1000));
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
}
END_TEST

/* --- hostile accesses ---------------------------------------------------- */

/* 4.2.2.2: below the configuration space only aligned 32 bits count. */
START_TEST(test_wrong_widths_ignored)
{
	static const unsigned int widths[] = { 1, 2, 4, 8 };

	drive();
	dev.transport->queue_interrupt(&dev, 0);
	for (unsigned int w = 0; w < 4; w++)
		for (u32 at = 0; at < 0x100; at++) {
			if (widths[w] == 4 && at % 4 == 0)
				continue;
			ck_assert_uint_eq(read_any(at, widths[w]), 0);
			write_any(at, 0, widths[w]);
			write_any(at, 1, widths[w]);
			write_any(at, ~0ull, widths[w]);
		}
	ck_assert_uint_eq(REG(STATUS), 15);
	ck_assert_uint_eq(REG(INTERRUPT_STATUS), 1);
	ck_assert_uint_eq(dev.driver_features, OFFERED);
	ck_assert_uint_eq(dev.queue_select, NQUEUES - 1);
	for (u32 q = 0; q < NQUEUES; q++) {
		ck_assert_uint_eq(stops[q], 0);
		ck_assert(!event_pending(dev.queues[q].kick_fd));
	}
}
END_TEST

/* Every register takes any value, and the device can be used afterwards. */
START_TEST(test_any_value_anywhere)
{
	static const u32 values[] = { 0, 1, 2, 3, 0x7f, 0xff, 0x100, 0xffff,
				      0x10000, 0x7fffffff, 0x80000000, ~0u };

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		drive();
		for (u32 at = 0; at < VIRTIO_MMIO_SIZE; at += 4) {
			set_reg(at, values[i]);
			reg(at);
		}
		for (u32 at = VIRTIO_MMIO_SIZE; at; at -= 4) {
			set_reg(at - 4, values[i]);
			reg(at - 4);
		}
	}
	drive();
	/* Behind the window nobody answers. */
	ck_assert_uint_eq(reg(VIRTIO_MMIO_SIZE), 0xffffffff);
	ck_assert_uint_eq(read_any(VIRTIO_MMIO_SIZE - 4, 8), ~0ull);
}
END_TEST

static Suite *mmio_suite(void)
{
	Suite *suite = suite_create("mmio");
	TCase *tc = tcase_create("transport");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_feature_words);
	tcase_add_loop_test(tc, test_high_features_taken_back, 0, 6);
	tcase_add_test(tc, test_status);
	tcase_add_test(tc, test_needs_reset);
	tcase_add_test(tc, test_queue_setup);
	tcase_add_test(tc, test_queue_out_of_range);
	tcase_add_test(tc, test_queue_ready_zero);
	tcase_add_test(tc, test_queue_reset);
	tcase_add_test(tc, test_queue_reset_not_negotiated);
	tcase_add_test(tc, test_reset);
	tcase_add_test(tc, test_shared_memory_none);
	tcase_add_test(tc, test_config_any_width);
	tcase_add_test(tc, test_generation);
	tcase_add_test(tc, test_kick_values);
	tcase_add_test(tc, test_kick_by_exit);
	tcase_add_test(tc, test_kicks_refused);
	tcase_add_test(tc, test_interrupt_status);
	tcase_add_test(tc, test_interrupt_edges);
	tcase_add_test(tc, test_interrupt_without_lock);
	tcase_add_test(tc, test_interrupt_status_first);
	tcase_add_test(tc, test_no_interrupt);
	tcase_add_test(tc, test_wrong_widths_ignored);
	tcase_add_test(tc, test_any_value_anywhere);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(mmio_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
