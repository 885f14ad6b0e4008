// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bridge and the virtio transport on it, through the buses as vCPUs
 * reach them: configuration space by ECAM, registers by the MMIO window.  KVM
 * is fake_event.c's, the device one that only notes what it is told.
 */
/* helpers: fake_event.c guest_ring.c */
#include "arch.h"
#include "fake_event.h"
#include "guest_ring.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#define ECAM (1ull << 40)
#define NQUEUES 3
#define REGISTERS_BAR 0
#define PORTS_BAR 2
#define MSIX_BAR 4
#define RING_SIZE 256
#define CONFIG_LEN 60
#define CLASS 0x018000
#define VERSION_1 (1ull << VIRTIO_F_VERSION_1)
#define RESET (1ull << VIRTIO_F_RING_RESET)
#define OFFERED (VERSION_1 | RESET | 1ull << 29)
#define BUS_ON (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
#define MSG_ADDR 0xfee00000u

static struct vm vm;
static struct pci_host *host;
static struct virtio_device dev;
static struct virtio_pci *vp;
static unsigned int starts[NQUEUES], stops[NQUEUES];

static int on_start(struct virtio_device *d, unsigned int q)
{
	(void)d;
	starts[q]++;
	return 0;
}

static void on_stop(struct virtio_device *d, unsigned int q)
{
	(void)d;
	stops[q]++;
}

static u8 config_written[CONFIG_LEN];

static void on_config_read(struct virtio_device *d, u32 offset, void *data,
			   unsigned int len)
{
	(void)d;
	expect(offset + len <= CONFIG_LEN);
	for (unsigned int i = 0; i < len; i++)
		((u8 *)data)[i] = (u8)(offset + i + 1);
}

static void on_negotiated(struct virtio_device *d)
{
	(void)d;
}

static void on_config_write(struct virtio_device *d, u32 offset,
			    const void *data, unsigned int len)
{
	/* Under the device's lock, as all that it is asked for. */
	expect(pthread_mutex_trylock(&d->lock) == EBUSY);
	expect(offset + len <= CONFIG_LEN);
	memcpy(config_written + offset, data, len);
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

static void plug(void)
{
	fake_kvm_reset();
	memset(&vm, 0, sizeof(vm));
	memset(&dev, 0, sizeof(dev));
	memset(starts, 0, sizeof(starts));
	memset(stops, 0, sizeof(stops));
	ck_assert_int_eq(pci_host_new(&host, &vm), 0);
	bus_add(&vm.mmio, ECAM, PCI_ECAM_BUS_SIZE, &pci_ecam_ops, host);
	dev.ops = &ops;
	dev.name = "vdt";
	ck_assert_int_eq(virtio_device_init(&dev, NQUEUES, RING_SIZE, OFFERED),
			 0);
	ck_assert_int_eq(virtio_pci_new(&vp, &vm, host, &dev, CLASS), 0);
}

static void unplug(void)
{
	virtio_pci_free(vp);
	virtio_device_exit(&dev);
	pci_host_free(host);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	ck_assert_uint_eq(fake_kvm.nirqfds, 0);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}

/* --- as a vCPU ----------------------------------------------------------- */

static u64 mmio_read(u64 addr, unsigned int len)
{
	u64 value = 0;

	bus_read(&vm.mmio, addr, &value, len);
	return value;
}

static void mmio_write(u64 addr, u64 value, unsigned int len)
{
	bus_write(&vm.mmio, addr, &value, len);
}

/* Configuration space of @slot, or with @fn another function of it. */
static u64 ecam(unsigned int slot, unsigned int fn, unsigned int offset)
{
	return ECAM + (slot << 15 | fn << 12 | offset);
}

static u32 cfg(unsigned int offset, unsigned int len)
{
	return (u32)mmio_read(ecam(1, 0, offset), len);
}

static void set_cfg(unsigned int offset, u32 value, unsigned int len)
{
	mmio_write(ecam(1, 0, offset), value, len);
}

static u32 bar_reg(unsigned int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

/* Where BAR 0 is by its register. */
static u64 bar0(void)
{
	return cfg(bar_reg(0), 4) & ~0xfu;
}

static void command(u16 value)
{
	set_cfg(PCI_COMMAND, value, 2);
}

/* The capability of virtio @type, or -1 for the PCI capability @id. */
static unsigned int find_cap(u8 id, int type)
{
	unsigned int at = cfg(PCI_CAPABILITY_LIST, 1), n = 0;

	for (; at; at = cfg(at + PCI_CAP_LIST_NEXT, 1)) {
		ck_assert_uint_eq(at % 4, 0);
		ck_assert_uint_lt(n++, 48);
		if (cfg(at, 1) == id &&
		    (type < 0 || cfg(at + 3, 1) == (u32)type))
			return at;
	}
	return 0;
}

/* The same, in @bar. */
static unsigned int find_cap_in(u8 bar, int type)
{
	unsigned int at = cfg(PCI_CAPABILITY_LIST, 1);

	while (at && (cfg(at, 1) != PCI_CAP_ID_VNDR ||
		      cfg(at + 3, 1) != (u32)type ||
		      cfg(at + VIRTIO_PCI_CAP_BAR, 1) != bar))
		at = cfg(at + PCI_CAP_LIST_NEXT, 1);
	return at;
}

static u64 region(int type)
{
	unsigned int cap = find_cap_in(0, type);

	ck_assert_uint_ne(cap, 0);
	return bar0() + cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4);
}

static u64 common(unsigned int reg)
{
	return region(VIRTIO_PCI_CAP_COMMON_CFG) + reg;
}

static u64 notify(unsigned int q)
{
	return region(VIRTIO_PCI_CAP_NOTIFY_CFG) + 4ull * q;
}

static void setup(void)
{
	plug();
	command(BUS_ON);
}

#define COMMON(reg) common(VIRTIO_PCI_COMMON_##reg)

static void select_queue(unsigned int q)
{
	mmio_write(COMMON(Q_SELECT), q, 2);
}

static void set_features(u64 features)
{
	for (unsigned int i = 0; i < 2; i++) {
		mmio_write(COMMON(GFSELECT), i, 4);
		mmio_write(COMMON(GF), features >> 32 * i & 0xffffffff, 4);
	}
}

static void drive(void)
{
	mmio_write(COMMON(STATUS), 3, 1);
	set_features(OFFERED);
	mmio_write(COMMON(STATUS), 11, 1);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		select_queue(q);
		mmio_write(COMMON(Q_ENABLE), 1, 2);
	}
	mmio_write(COMMON(STATUS), 15, 1);
	ck_assert_uint_eq(mmio_read(COMMON(STATUS), 1), 15);
}

/* --- configuration space ------------------------------------------------- */

START_TEST(test_identity)
{
	ck_assert_uint_eq(cfg(PCI_VENDOR_ID, 4), 0x10421af4);
	ck_assert_uint_eq(cfg(PCI_CLASS_REVISION, 4), CLASS << 8 | 1);
	ck_assert_uint_eq(cfg(PCI_SUBSYSTEM_VENDOR_ID, 2), 0x1af4);
	ck_assert_uint_ge(cfg(PCI_SUBSYSTEM_ID, 2), 0x40);
	ck_assert_uint_eq(cfg(PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	ck_assert_uint_eq(cfg(PCI_INTERRUPT_PIN, 1), 1);
	ck_assert_uint_eq(cfg(PCI_INTERRUPT_LINE, 1), arch_pci_intx_gsi(1));
	ck_assert(cfg(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	/* And the bridge in slot 0. */
	ck_assert_uint_eq(mmio_read(ecam(0, 0, PCI_CLASS_REVISION + 2), 2),
			  0x0600);
}
END_TEST

START_TEST(test_nothing_there)
{
	ck_assert_uint_eq(mmio_read(ecam(2, 0, 0), 4), 0xffffffff);
	ck_assert_uint_eq(mmio_read(ecam(31, 0, 0), 4), 0xffffffff);
	for (unsigned int fn = 1; fn < 8; fn++)
		ck_assert_uint_eq(mmio_read(ecam(1, fn, 0), 4), 0xffffffff);
	mmio_write(ecam(2, 0, 4), ~0ull, 4);
	mmio_write(ecam(1, 7, 4), ~0ull, 4);
	/* Behind the 256 bytes, and across their end. */
	ck_assert_uint_eq(cfg(0x100, 4), 0xffffffff);
	ck_assert_uint_eq(cfg(0xffc, 4), 0xffffffff);
	ck_assert_uint_eq(cfg(0xfe, 4), 0xffffffff);
	ck_assert_uint_eq(mmio_read(ecam(1, 0, 0xffd), 8), ~0ull);
	set_cfg(0xfe, 0, 4);
	set_cfg(0x100, 0, 4);
}
END_TEST

START_TEST(test_any_width)
{
	u32 id = cfg(0, 4);

	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(cfg(i, 1), id >> 8 * i & 0xff);
	for (unsigned int i = 0; i < 3; i++)	/* unaligned, too */
		ck_assert_uint_eq(cfg(i, 2), id >> 8 * i & 0xffff);
	ck_assert_uint_eq(mmio_read(ecam(1, 0, 0), 8),
			  id | (u64)cfg(4, 4) << 32);
	ck_assert_uint_eq(cfg(1, 4), id >> 8 | cfg(4, 1) << 24);
}
END_TEST

/* Whatever is written anywhere: only what may change does. */
START_TEST(test_read_only)
{
	u8 before[256];

	for (unsigned int i = 0; i < 256; i++)
		before[i] = (u8)cfg(i, 1);
	for (unsigned int i = 0; i < 64; i++)
		if (i < PCI_COMMAND || i > PCI_COMMAND + 1)
			set_cfg(i, 0xff, 1);
	for (unsigned int i = 0; i < 64; i++) {
		bool writable = i == PCI_COMMAND || i == PCI_COMMAND + 1 ||
				i == PCI_CACHE_LINE_SIZE ||
				i == PCI_INTERRUPT_LINE ||
				(i >= bar_reg(0) && i < bar_reg(PORTS_BAR) + 4) ||
				(i >= bar_reg(MSIX_BAR) && i < bar_reg(MSIX_BAR) + 8);

		if (!writable)
			ck_assert_msg(cfg(i, 1) == before[i],
				      "byte 0x%x changed", i);
	}
	command(0xffff);
	ck_assert_uint_eq(cfg(PCI_COMMAND, 2),
			  PCI_COMMAND_IO | BUS_ON | PCI_COMMAND_INTX_DISABLE);
}
END_TEST

/* --- BARs ---------------------------------------------------------------- */

static u32 bar_size(unsigned int bar)
{
	u32 was = cfg(bar_reg(bar), 4), mask;

	set_cfg(bar_reg(bar), 0xffffffff, 4);
	mask = cfg(bar_reg(bar), 4);
	set_cfg(bar_reg(bar), was, 4);
	return mask ? ~(mask & ~0xfu) + 1 : 0;
}

/* PCI Local Bus 3.0, 6.2.5.1: 64 bits, not prefetchable, placed as by firmware. */
static void expect_memory_bar(unsigned int bar)
{
	u32 size = bar_size(bar), low = cfg(bar_reg(bar), 4);
	u32 addr = low & ~0xfu;

	ck_assert_uint_ge(size, 4096);
	ck_assert_uint_eq(size & (size - 1), 0);
	ck_assert_uint_eq(low & 0xf, PCI_BASE_ADDRESS_MEM_TYPE_64);
	ck_assert_uint_eq(addr % size, 0);
	ck_assert_uint_ge(addr, arch_pci_window.base);
	ck_assert_uint_le((u64)addr + size,
			  arch_pci_window.base + arch_pci_window.size);
	ck_assert_uint_eq(cfg(bar_reg(bar) + 4, 4), 0);
	set_cfg(bar_reg(bar) + 4, ~0u, 4);	/* all of it can be set */
	ck_assert_uint_eq(cfg(bar_reg(bar) + 4, 4), ~0u);
	set_cfg(bar_reg(bar) + 4, 0, 4);
}

START_TEST(test_bar_sizing)
{
	expect_memory_bar(REGISTERS_BAR);
	expect_memory_bar(MSIX_BAR);
	ck_assert_uint_eq(cfg(bar_reg(PORTS_BAR + 1), 4), 0);
	ck_assert_uint_eq(bar_size(PORTS_BAR + 1), 0);
	/* It still decodes where it was. */
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 2), NQUEUES);
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
}
END_TEST

static void expect_kicks_at(u64 bar)
{
	u32 offset = (u32)(notify(0) - bar0());

	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert(fake_kick_at(dev.queues[q].kick_fd,
				       bar + offset + 4 * q));
}

START_TEST(test_bar_moves)
{
	u64 old = bar0(), new = arch_pci_window.base + 0x1000000;
	u64 numq = COMMON(NUMQ) - old;

	expect_kicks_at(old);
	set_cfg(bar_reg(0), (u32)new, 4);
	expect_kicks_at(new);
	ck_assert_uint_eq(mmio_read(new + numq, 2), NQUEUES);
	ck_assert_uint_eq(mmio_read(old + numq, 2), 0xffff);
	/* In two halves, as a guest may. */
	set_cfg(bar_reg(0) + 2, (u32)(old >> 16), 2);
	set_cfg(bar_reg(0), (u32)old & 0xffff, 2);
	expect_kicks_at(old);
	/* Outside the window: nowhere. */
	set_cfg(bar_reg(0), 0x1000, 4);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	set_cfg(bar_reg(0), 0xfffff000, 4);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	set_cfg(bar_reg(0), (u32)old, 4);
	expect_kicks_at(old);
	set_cfg(bar_reg(0) + 4, 1, 4);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	set_cfg(bar_reg(0) + 4, ~0u, 4);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	set_cfg(bar_reg(0) + 4, 0, 4);
	expect_kicks_at(old);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}
END_TEST

START_TEST(test_memory_enable)
{
	unsigned int attaches;
	u64 numq = COMMON(NUMQ);

	command(PCI_COMMAND_MASTER);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	ck_assert_uint_eq(mmio_read(numq, 2), 0xffff);
	mmio_write(notify(0), 0, 2);
	ck_assert(!event_pending(dev.queues[0].kick_fd));
	/* Moved while it is off, it decodes there when it is on. */
	set_cfg(bar_reg(0), (u32)bar0() + 0x2000000, 4);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	command(BUS_ON);
	expect_kicks_at(bar0());
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 2), NQUEUES);
	attaches = fake_kvm.attaches;
	command(BUS_ON);	/* no change, no work */
	ck_assert_uint_eq(fake_kvm.attaches, attaches);
}
END_TEST

/* Not decoded before the guest says so. */
START_TEST(test_off_at_start)
{
	unplug();
	plug();
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 2), 0xffff);
}
END_TEST

/* Two BARs at one address: the guest's mess, nobody's crash. */
START_TEST(test_bars_overlap)
{
	u32 was = cfg(bar_reg(MSIX_BAR), 4);

	set_cfg(bar_reg(MSIX_BAR), (u32)bar0(), 4);
	mmio_read(COMMON(NUMQ), 2);
	set_cfg(bar_reg(MSIX_BAR), was, 4);
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 2), NQUEUES);
}
END_TEST

/* --- virtio capabilities ------------------------------------------------- */

START_TEST(test_all_capabilities)
{
	static const struct {
		int type;
		u32 len;	/* at least */
		u32 align;
	} want[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, 56, 4 },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, 4 * NQUEUES, 2 },
		{ VIRTIO_PCI_CAP_ISR_CFG, 1, 1 },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG_LEN, 4 },
	};
	unsigned int cap;
	u64 ends[4], begins[4];

	for (unsigned int i = 0; i < 4; i++) {
		u32 offset, len;

		cap = find_cap_in(0, want[i].type);
		ck_assert_uint_ne(cap, 0);
		ck_assert_uint_ge(cfg(cap + VIRTIO_PCI_CAP_LEN, 1), 16);
		offset = cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4);
		len = cfg(cap + VIRTIO_PCI_CAP_LENGTH, 4);
		ck_assert_uint_eq(offset % want[i].align, 0);
		ck_assert_uint_ge(len, want[i].len);
		ck_assert_uint_le(offset + len, bar_size(0));
		begins[i] = offset;
		ends[i] = offset + len;
		for (unsigned int k = 0; k < i; k++)
			ck_assert(ends[k] <= begins[i] || ends[i] <= begins[k]);
	}
	cap = find_cap_in(0, VIRTIO_PCI_CAP_NOTIFY_CFG);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_LEN, 1), 20);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4), 4);
	cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
	ck_assert_uint_ne(cap, 0);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_LEN, 1), 20);
	ck_assert_uint_ne(find_cap(PCI_CAP_ID_MSIX, -1), 0);
	/* Only PCI_CFG has writable fields. */
	cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_COMMON_CFG);
	set_cfg(cap + VIRTIO_PCI_CAP_OFFSET, 0xdead0000, 4);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4), begins[0]);
}
END_TEST

/* --- the PCI_CFG window (PEERS 14) --------------------------------------- */

static void window(u8 bar, u32 offset, u32 len)
{
	unsigned int cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);

	set_cfg(cap + VIRTIO_PCI_CAP_BAR, bar, 1);
	set_cfg(cap + VIRTIO_PCI_CAP_OFFSET, offset, 4);
	set_cfg(cap + VIRTIO_PCI_CAP_LENGTH, len, 4);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_BAR, 1), bar);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4), offset);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_LENGTH, 4), len);
}

static unsigned int window_data(void)
{
	return find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG) + 16;
}

START_TEST(test_window)
{
	u32 device = (u32)(region(VIRTIO_PCI_CAP_DEVICE_CFG) - bar0());
	u32 notify2 = (u32)(notify(2) - bar0());

	if (_i)		/* it works with memory decoding off, too */
		command(0);
	window(0, VIRTIO_PCI_COMMON_NUMQ, 2);
	ck_assert_uint_eq(cfg(window_data(), 2), NQUEUES);
	window(0, device + 3, 1);
	ck_assert_uint_eq(cfg(window_data(), 1), 4);
	window(0, device + 4, 4);
	ck_assert_uint_eq(cfg(window_data(), 4), 0x08070605);
	window(0, VIRTIO_PCI_COMMON_Q_SELECT, 2);
	set_cfg(window_data(), 2, 2);
	ck_assert_uint_eq(cfg(window_data(), 2), 2);
	window(0, VIRTIO_PCI_COMMON_STATUS, 1);
	set_cfg(window_data(), 3, 1);
	ck_assert_uint_eq(dev.status, 3);
	window(0, notify2, 2);
	set_cfg(window_data(), 2, 2);
	ck_assert(event_pending(dev.queues[2].kick_fd));
	ck_assert(!event_pending(dev.queues[0].kick_fd));
	window(PORTS_BAR, 4, 2);
	set_cfg(window_data(), 1, 2);
	ck_assert(event_pending(dev.queues[1].kick_fd));
	ck_assert(!event_pending(dev.queues[0].kick_fd));
	window(1, 8, 4);	/* MSI-X data of vector 0 */
	set_cfg(window_data(), 0x1234, 4);
	ck_assert_uint_eq(cfg(window_data(), 4), 0x1234);
}
END_TEST

START_TEST(test_illegal_windows)
{
	static const struct {
		u8 bar;
		u32 offset, len;
	} bad[] = {
		{ 0, 0, 0 },	      { 0, 0, 3 },
		{ 0, 0, 5 },	      { 0, 0, 8 },
		{ 0, 0, 0xffffffff }, { 0, 1, 2 },
		{ 0, 2, 4 },	      { 0, 1, 4 },
		{ 2, 0x100, 4 },      { 2, 1, 2 },
		{ 3, 0, 4 },	      { 5, 0, 4 },
		{ 6, 0, 4 },	      { 255, 0, 4 },
		{ 0, 0x4000, 4 },     { 0, 0x80000000, 4 },
		{ 0, 0xfffffffc, 4 }, { 0, 0xffffffff, 1 },
		{ 1, 0x10000000, 4 },
	};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		window(bad[i].bar, bad[i].offset, bad[i].len);
		set_cfg(window_data(), 0xffffffff, 4);
		cfg(window_data(), 4);
		ck_assert_uint_eq(dev.status, 0);
		ck_assert_uint_eq(mmio_read(COMMON(DFSELECT), 4), 0);
	}
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert(!event_pending(dev.queues[q].kick_fd));
}
END_TEST

/* --- registers ----------------------------------------------------------- */

START_TEST(test_feature_words)
{
	static const u32 want[] = { (u32)OFFERED, (u32)(OFFERED >> 32), 0, 0 };
	static const u32 selects[] = { 0, 1, 2, 0xffffffff };

	for (unsigned int i = 0; i < 4; i++) {
		mmio_write(COMMON(DFSELECT), selects[i], 4);
		ck_assert_uint_eq(mmio_read(COMMON(DF), 4), want[i]);
	}
	set_features(OFFERED);
	ck_assert_uint_eq(dev.driver_features, OFFERED);
	mmio_write(COMMON(GFSELECT), 1, 4);
	ck_assert_uint_eq(mmio_read(COMMON(GF), 4), OFFERED >> 32);
	/* Bits above 63 were never offered. */
	mmio_write(COMMON(GFSELECT), 2, 4);
	mmio_write(COMMON(GF), 1, 4);
	mmio_write(COMMON(STATUS), 11, 1);
	ck_assert_uint_eq(mmio_read(COMMON(STATUS), 1), 3);
}
END_TEST

START_TEST(test_wrong_widths_ignored)
{
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 1), 0);
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ), 4), 0);
	ck_assert_uint_eq(mmio_read(COMMON(NUMQ) + 1, 2), 0);
	ck_assert_uint_eq(mmio_read(COMMON(DFSELECT) + 1, 4), 0);
	mmio_write(COMMON(Q_SELECT), 1, 1);
	mmio_write(COMMON(Q_SELECT), 1, 4);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SELECT), 2), 0);
	mmio_write(COMMON(STATUS), 15, 2);
	mmio_write(COMMON(STATUS), 15, 4);
	ck_assert_uint_eq(dev.status, 0);
	/* Behind the registers. */
	ck_assert_uint_eq(mmio_read(common(0x40), 4), 0);
	ck_assert_uint_eq(mmio_read(common(0xffc), 8), 0);
	mmio_write(common(0x40), ~0ull, 8);
}
END_TEST

START_TEST(test_queue_addresses)
{
	static const unsigned int regs[] = { VIRTIO_PCI_COMMON_Q_DESCLO,
					     VIRTIO_PCI_COMMON_Q_AVAILLO,
					     VIRTIO_PCI_COMMON_Q_USEDLO };

	select_queue(1);
	for (unsigned int i = 0; i < 3; i++) {
		u64 addr = 0x123456789a000000ull + 0x1000 * i;

		if (_i) {	/* 4.1.3.1: halves; some drivers write all */
			mmio_write(common(regs[i]), addr, 8);
		} else {
			mmio_write(common(regs[i] + 4), addr >> 32, 4);
			mmio_write(common(regs[i]), (u32)addr, 4);
		}
		ck_assert_uint_eq(mmio_read(common(regs[i]), 8), addr);
		ck_assert_uint_eq(mmio_read(common(regs[i] + 4), 4),
				  addr >> 32);
	}
	ck_assert_uint_eq(dev.queues[1].config.used, 0x123456789a002000ull);
	ck_assert_uint_eq(dev.queues[0].config.used, 0);
	/* Fixed while the queue is enabled. */
	mmio_write(COMMON(Q_ENABLE), 1, 2);
	mmio_write(COMMON(Q_DESCLO), 0, 4);
	mmio_write(COMMON(Q_SIZE), 8, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_DESCLO), 4), 0x9a000000);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), RING_SIZE);
	ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 1);
}
END_TEST

/* PEERS 11: a smaller ring counts; a greater one than offered does not. */
START_TEST(test_queue_size_register)
{
	select_queue(2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), RING_SIZE);
	mmio_write(COMMON(Q_SIZE), 64, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), 64);
	ck_assert_uint_eq(dev.queues[2].config.size, 64);
	mmio_write(COMMON(Q_SIZE), 512, 2);
	mmio_write(COMMON(Q_SIZE), 0xffff, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), 64);
	/* A split ring has a power of two, and some. */
	for (unsigned int size = 0; size <= 64; size++) {
		mmio_write(COMMON(Q_SIZE), 64, 2);
		mmio_write(COMMON(Q_SIZE), size, 2);
		ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2),
				  __builtin_popcount(size) == 1 ? size : 64);
	}
	/* A packed one any number, but not none. */
	dev.driver_features = 1ull << VIRTIO_F_RING_PACKED;
	mmio_write(COMMON(Q_SIZE), 63, 2);
	mmio_write(COMMON(Q_SIZE), 0, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), 63);
	ck_assert_uint_eq(mmio_read(COMMON(Q_NOFF), 2), 2);
	mmio_write(COMMON(STATUS), 0, 1);
	select_queue(2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), RING_SIZE);
}
END_TEST

START_TEST(test_queue_out_of_range)
{
	static const u32 bad[] = { NQUEUES, 256, 0x7fff, 0xffff };

	for (unsigned int i = 0; i < 4; i++) {
		select_queue(bad[i]);
		ck_assert_uint_eq(mmio_read(COMMON(Q_SIZE), 2), 0);
		ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 0);
		for (unsigned int reg = 24; reg < 64; reg += 2) {
			mmio_write(common(reg), 1, 2);
			mmio_write(common(reg), 1, 4);
		}
	}
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert(!dev.queues[q].enabled);
}
END_TEST

START_TEST(test_vectors)
{
	unsigned int last = NQUEUES;	/* one more than queues */

	select_queue(0);
	ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2), VIRTIO_MSI_NO_VECTOR);
	ck_assert_uint_eq(mmio_read(COMMON(MSIX), 2), VIRTIO_MSI_NO_VECTOR);
	mmio_write(COMMON(Q_MSIX), last, 2);
	mmio_write(COMMON(MSIX), last, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2), last);
	ck_assert_uint_eq(mmio_read(COMMON(MSIX), 2), last);
	mmio_write(COMMON(Q_MSIX), last + 1, 2);
	mmio_write(COMMON(MSIX), 0xfffe, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2), VIRTIO_MSI_NO_VECTOR);
	ck_assert_uint_eq(mmio_read(COMMON(MSIX), 2), VIRTIO_MSI_NO_VECTOR);
	mmio_write(COMMON(Q_MSIX), 1, 2);
	mmio_write(COMMON(STATUS), 0, 1);
	ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2), VIRTIO_MSI_NO_VECTOR);
}
END_TEST

START_TEST(test_device_config)
{
	u64 at = region(VIRTIO_PCI_CAP_DEVICE_CFG);

	ck_assert_uint_eq(mmio_read(at, 1), 1);
	ck_assert_uint_eq(mmio_read(at + 2, 2), 0x0403);
	ck_assert_uint_eq(mmio_read(at, 8), 0x0807060504030201ull);
	ck_assert_uint_eq(mmio_read(at + CONFIG_LEN - 1, 1), CONFIG_LEN);
	/* Behind its end, and across it. */
	ck_assert_uint_eq(mmio_read(at + CONFIG_LEN, 1), 0);
	ck_assert_uint_eq(mmio_read(at + CONFIG_LEN - 4, 8), 0);
	ck_assert_uint_eq(mmio_read(at + 0xffc, 4), 0);
}
END_TEST

START_TEST(test_device_config_written)
{
	u64 at = region(VIRTIO_PCI_CAP_DEVICE_CFG);
	static const u8 untouched[CONFIG_LEN];

	memset(config_written, 0, sizeof(config_written));
	/* Behind its end, and across it. */
	mmio_write(at + CONFIG_LEN, ~0ull, 1);
	mmio_write(at + CONFIG_LEN - 4, ~0ull, 8);
	mmio_write(at + 0xffc, ~0ull, 4);
	ck_assert_mem_eq(config_written, untouched, CONFIG_LEN);
	mmio_write(at, 0x5a, 1);
	mmio_write(at + 32, 0x0201, 2);
	mmio_write(at + CONFIG_LEN - 1, 0xa5, 1);
	ck_assert_uint_eq(config_written[0], 0x5a);
	ck_assert_uint_eq(config_written[1], 0);
	ck_assert_uint_eq(config_written[32], 1);
	ck_assert_uint_eq(config_written[33], 2);
	ck_assert_uint_eq(config_written[CONFIG_LEN - 1], 0xa5);
	window(0, (u32)(at - bar0()) + 8, 1);
	set_cfg(window_data(), 0x77, 1);
	ck_assert_uint_eq(config_written[8], 0x77);
}
END_TEST

/* 4.1.3.2: the halves of a 64-bit field, each alone, before any feature is agreed on. */
START_TEST(test_device_config_halves)
{
	u64 at = region(VIRTIO_PCI_CAP_DEVICE_CFG);

	ck_assert_uint_eq(mmio_read(COMMON(STATUS), 1), 0);
	ck_assert_uint_eq(mmio_read(at + 4, 4), 0x08070605);
	ck_assert_uint_eq(mmio_read(at, 4), 0x04030201);
}
END_TEST

/* Across the end of a BAR: nobody's. */
START_TEST(test_across_bar_end)
{
	u64 end = bar0() + bar_size(0);

	ck_assert_uint_eq(mmio_read(end - 2, 4), 0xffffffff);
	mmio_write(end - 2, 0, 4);
}
END_TEST

/* --- kicks --------------------------------------------------------------- */

START_TEST(test_kick_addresses)
{
	for (unsigned int q = 0; q < NQUEUES; q++) {
		ck_assert(fake_kick(notify(q)));
		for (unsigned int k = 0; k < NQUEUES; k++)
			ck_assert_int_eq(event_pending(dev.queues[k].kick_fd),
					 k == q);
		event_clear(dev.queues[q].kick_fd);
	}
	ck_assert(!fake_kick(notify(NQUEUES)));
}
END_TEST

/* KVM takes no ioeventfd: the exit does its work. */
START_TEST(test_kick_refused)
{
	command(0);
	fake_kvm.refuse_kick = -ENOSPC;
	command(BUS_ON);
	ck_assert_uint_eq(fake_kvm.nkicks, 0);
	mmio_write(notify(1), 1, 2);
	ck_assert(event_pending(dev.queues[1].kick_fd));
	ck_assert(!event_pending(dev.queues[0].kick_fd));
	mmio_write(notify(NQUEUES), 0, 2);
	mmio_write(notify(0) + 0xffc, 0, 4);
	ck_assert(!event_pending(dev.queues[0].kick_fd));
	fake_kvm.refuse_kick = 0;
	command(0);
	fake_kvm.bad_detaches = 0;	/* of what was refused: harmless */
}
END_TEST

/* --- ports ---------------------------------------------------------------- */

static u64 port(unsigned int q)
{
	return (cfg(bar_reg(PORTS_BAR), 4) & ~3u) + 4ull * q;
}

/* How many of the queues' ports have ioeventfds where the BAR says. */
static unsigned int ports_with_kicks(void)
{
	unsigned int n = 0;

	for (unsigned int q = 0; q < NQUEUES; q++)
		n += fake_kick_at(dev.queues[q].kick_fd, FAKE_PORT | port(q));
	return n;
}

/* An I/O BAR for all queues; its capability comes before that in memory. */
START_TEST(test_ports)
{
	unsigned int cap = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_NOTIFY_CFG);
	u32 size;

	ck_assert_uint_eq(cap, find_cap_in(PORTS_BAR, VIRTIO_PCI_CAP_NOTIFY_CFG));
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_OFFSET, 4), 0);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_CAP_LENGTH, 4), 4 * NQUEUES);
	ck_assert_uint_eq(cfg(cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4), 4);
	ck_assert_uint_eq(cfg(bar_reg(PORTS_BAR), 4) & 3,
			  PCI_BASE_ADDRESS_SPACE_IO);
	size = bar_size(PORTS_BAR);
	ck_assert_uint_ge(size, 4 * NQUEUES);
	ck_assert_uint_le(size, 256);	/* PCI 3.0, 6.2.5.1 */
	ck_assert_uint_eq(port(0) % size, 0);
	ck_assert_uint_ge(port(0), arch_pci_io_window.base);
	ck_assert_uint_le(port(0) + size,
			  arch_pci_io_window.base + arch_pci_io_window.size);
}
END_TEST

/* They come and go with I/O decoding, whatever memory decoding does. */
START_TEST(test_ports_move)
{
	u64 old = port(0);

	ck_assert_uint_eq(ports_with_kicks(), 0);
	command(PCI_COMMAND_IO);
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
	ck_assert_uint_eq(ports_with_kicks(), NQUEUES);
	command(PCI_COMMAND_IO | BUS_ON);
	ck_assert_uint_eq(fake_kvm.nkicks, 2 * NQUEUES);
	set_cfg(bar_reg(PORTS_BAR), (u32)old + 0x1000, 4);
	ck_assert_uint_eq(port(0), old + 0x1000);
	ck_assert_uint_eq(ports_with_kicks(), NQUEUES);
	ck_assert_uint_eq(fake_kvm.nkicks, 2 * NQUEUES);
	set_cfg(bar_reg(PORTS_BAR), 0x100, 4);	/* outside the window */
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
	set_cfg(bar_reg(PORTS_BAR), (u32)old, 4);
	command(BUS_ON);
	ck_assert_uint_eq(fake_kvm.nkicks, NQUEUES);
	ck_assert_uint_eq(ports_with_kicks(), 0);
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
}
END_TEST

/* KVM takes no ioeventfd: the exit kicks that queue alone, memory likewise. */
START_TEST(test_ports_refused)
{
	u16 value = 0;
	u32 data = 0x1234;

	command(0);
	fake_kvm.refuse_kick = -ENOSPC;
	command(PCI_COMMAND_IO | BUS_ON);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		bus_write(&vm.pio, port(q), &value, 2);
		for (unsigned int k = 0; k < NQUEUES; k++)
			ck_assert_int_eq(event_pending(dev.queues[k].kick_fd),
					 k == q);
		event_clear(dev.queues[q].kick_fd);
	}
	/* Not a queue's; the memory of that number is another place. */
	bus_write(&vm.pio, port(0) + bar_size(PORTS_BAR) - 2, &value, 2);
	mmio_write(port(0), 0, 2);
	bus_write(&vm.pio, notify(0) & 0xffff, &value, 2);
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert(!event_pending(dev.queues[q].kick_fd));
	bus_read(&vm.pio, port(0), &data, 4);
	ck_assert_uint_eq(data, 0);
	command(BUS_ON);
	data = 0;
	bus_read(&vm.pio, port(0), &data, 4);
	ck_assert_uint_eq(data, 0xffffffff);
	fake_kvm.refuse_kick = 0;
	command(0);
	fake_kvm.bad_detaches = 0;	/* of what was refused: harmless */
}
END_TEST

/* --- status, reset ------------------------------------------------------- */

START_TEST(test_reset)
{
	drive();
	for (unsigned int q = 0; q < NQUEUES; q++)
		ck_assert_uint_eq(starts[q], 1);
	select_queue(2);
	mmio_write(COMMON(Q_MSIX), 2, 2);
	mmio_write(COMMON(STATUS), 0, 1);
	ck_assert_uint_eq(mmio_read(COMMON(STATUS), 1), 0);
	ck_assert_uint_eq(mmio_read(COMMON(Q_SELECT), 2), 0);
	ck_assert_uint_eq(mmio_read(COMMON(GF), 4), 0);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		ck_assert_uint_eq(stops[q], 1);
		select_queue(q);
		ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 0);
		ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2),
				  VIRTIO_MSI_NO_VECTOR);
	}
	drive();
	ck_assert_uint_eq(starts[0], 2);
}
END_TEST

START_TEST(test_queue_reset_register)
{
	drive();
	select_queue(1);
	mmio_write(COMMON(Q_RESET), 0, 2);
	ck_assert_uint_eq(stops[1], 0);
	mmio_write(COMMON(Q_RESET), 1, 2);
	ck_assert_uint_eq(stops[1], 1);
	ck_assert_uint_eq(mmio_read(COMMON(Q_RESET), 2), 0);
	ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 0);
	mmio_write(COMMON(Q_ENABLE), 0, 2);	/* means nothing */
	ck_assert_uint_eq(starts[1], 1);
	mmio_write(COMMON(Q_ENABLE), 1, 2);
	ck_assert_uint_eq(starts[1], 2);
	ck_assert_uint_eq(stops[0] + stops[2], 0);
}
END_TEST

/* 4.1.4.3.1: queue_reset is 0 on reset, after its own end and once enabled. */
START_TEST(test_queue_reset_reads_zero)
{
	drive();
	select_queue(1);
	ck_assert_uint_eq(mmio_read(COMMON(Q_RESET), 2), 0);
	mmio_write(COMMON(Q_RESET), 1, 2);
	ck_assert_uint_eq(stops[1], 1);	/* it has ended */
	ck_assert_uint_eq(mmio_read(COMMON(Q_RESET), 2), 0);
	mmio_write(COMMON(Q_ENABLE), 1, 2);
	ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 1);
	ck_assert_uint_eq(mmio_read(COMMON(Q_RESET), 2), 0);
	mmio_write(COMMON(STATUS), 0, 1);
	select_queue(1);
	ck_assert_uint_eq(mmio_read(COMMON(Q_RESET), 2), 0);
}
END_TEST

START_TEST(test_queue_reset_not_negotiated)
{
	mmio_write(COMMON(STATUS), 3, 1);
	set_features(VERSION_1);
	mmio_write(COMMON(STATUS), 11, 1);
	select_queue(1);
	mmio_write(COMMON(Q_ENABLE), 1, 2);
	mmio_write(COMMON(STATUS), 15, 1);
	mmio_write(COMMON(Q_RESET), 1, 2);
	ck_assert_uint_eq(stops[1], 0);
	ck_assert_uint_eq(mmio_read(COMMON(Q_ENABLE), 2), 1);
}
END_TEST

/* --- interrupts ---------------------------------------------------------- */

static u32 intx(void)
{
	return arch_pci_intx_gsi(1);
}

static u8 isr(void)
{
	return (u8)mmio_read(region(VIRTIO_PCI_CAP_ISR_CFG), 1);
}

/* The main thread hears that the guest has ended an interrupt. */
static void eoi(void)
{
	fake_eoi(intx());
	for (unsigned int i = 0; i < vm.nwatches; i++)
		if (event_pending(vm.watch[i].fd))
			vm.watch[i].ready(vm.watch[i].ctx);
}

START_TEST(test_intx)
{
	drive();
	dev.transport->queue_interrupt(&dev, 1);
	ck_assert_uint_eq(fake_kvm.gsi[intx()].delivered, 1);
	ck_assert(fake_kvm.gsi[intx()].level);
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(isr(), 3);
	ck_assert_uint_eq(isr(), 0);	/* reading clears it */
	eoi();
	ck_assert(!fake_kvm.gsi[intx()].level);
	/* Ended without a look at the ISR: still asked for. */
	dev.transport->queue_interrupt(&dev, 0);
	eoi();
	ck_assert(fake_kvm.gsi[intx()].level);
	ck_assert_uint_eq(isr(), 1);
	eoi();
	ck_assert(!fake_kvm.gsi[intx()].level);
}
END_TEST

START_TEST(test_intx_disable_bit)
{
	unsigned int before;

	drive();
	command(BUS_ON | PCI_COMMAND_INTX_DISABLE);
	before = fake_kvm.gsi[intx()].delivered;
	dev.transport->queue_interrupt(&dev, 0);
	ck_assert_uint_eq(fake_kvm.gsi[intx()].delivered, before);
	/* Enabled again, what is still asked for comes. */
	command(BUS_ON);
	ck_assert_uint_eq(fake_kvm.gsi[intx()].delivered, before + 1);
	ck_assert_uint_eq(isr(), 1);
}
END_TEST

/* Connected at a price (POWER: that of every interrupt's end): only if wanted. */
START_TEST(test_intx_connected_while_enabled)
{
	unsigned int before = fake_kvm.nirqfds;

	drive();
	dev.transport->queue_interrupt(&dev, 0);
	ck_assert(fake_kvm.gsi[intx()].level);
	command(BUS_ON | PCI_COMMAND_INTX_DISABLE);
	ck_assert_uint_eq(fake_kvm.nirqfds, before - 1);
	ck_assert(!fake_kvm.gsi[intx()].level);
	command(BUS_ON | PCI_COMMAND_INTX_DISABLE);	/* once is enough */
	ck_assert_uint_eq(fake_kvm.bad_detaches, 0);
	/* What was asserted then, and never ended, is asserted again. */
	command(BUS_ON);
	ck_assert_uint_eq(fake_kvm.nirqfds, before);
	ck_assert(fake_kvm.gsi[intx()].level);
	isr();
	eoi();
	ck_assert(!fake_kvm.gsi[intx()].level);
	/* KVM may refuse: no interrupts then, and no harm. */
	command(BUS_ON | PCI_COMMAND_INTX_DISABLE);
	fake_kvm.refuse_irqfd = -ENOMEM;
	command(BUS_ON);
	ck_assert_uint_eq(fake_kvm.nirqfds, before - 1);
	fake_kvm.refuse_irqfd = 0;
}
END_TEST

/* PCI Local Bus 3.0, 6.2.3: the status bit tells, disabled or not. */
START_TEST(test_intx_status_bit)
{
	drive();
	command(BUS_ON | PCI_COMMAND_INTX_DISABLE);
	ck_assert(!(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	dev.transport->queue_interrupt(&dev, 0);
	ck_assert(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	isr();
	ck_assert(!(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
}
END_TEST

static void enable_msix(void)
{
	unsigned int cap = find_cap(PCI_CAP_ID_MSIX, -1);
	u64 table = cfg(bar_reg(MSIX_BAR), 4) & ~0xfu;

	for (unsigned int v = 0; v <= NQUEUES; v++) {
		mmio_write(table + 16 * v, MSG_ADDR, 8);
		mmio_write(table + 16 * v + 8, 100 + v, 8);
	}
	set_cfg(cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
}

START_TEST(test_msix)
{
	drive();
	enable_msix();
	mmio_write(COMMON(MSIX), 0, 2);
	for (unsigned int q = 0; q < NQUEUES; q++) {
		select_queue(q);
		/* no vector */
		ck_assert(!dev.transport->queue_interrupt(&dev, q));
		ck_assert_uint_eq(fake_kvm.nsent, q);
		mmio_write(COMMON(Q_MSIX), q + 1, 2);
		dev.transport->queue_interrupt(&dev, q);
		ck_assert_uint_eq(fake_sent(MSG_ADDR, 101 + q), 1);
	}
	ck_assert_uint_eq(isr(), 0);
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 100), 1);
	ck_assert_uint_eq(fake_kvm.gsi[intx()].delivered, 0);
}
END_TEST

/* 4.1.4.5.1, 4.1.5.4.1: the ISR tells of changes, vector or not; NO_VECTOR is none. */
START_TEST(test_msix_config_change)
{
	drive();
	enable_msix();
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(fake_kvm.nsent, 0);
	ck_assert_uint_eq(isr(), 2);
	mmio_write(COMMON(MSIX), 2, 2);
	dev.transport->config_interrupt(&dev);
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 102), 1);
	ck_assert_uint_eq(isr(), 2);
	ck_assert_uint_eq(fake_kvm.gsi[intx()].delivered, 0);
}
END_TEST

/* 4.1.5.1.2.1: any event on any vector, and off it again. */
START_TEST(test_msix_any_vector)
{
	unsigned int n = 0;

	drive();
	enable_msix();
	for (unsigned int v = 0; v <= NQUEUES; v++) {
		mmio_write(COMMON(MSIX), v, 2);
		ck_assert_uint_eq(mmio_read(COMMON(MSIX), 2), v);
		dev.transport->config_interrupt(&dev);
		ck_assert_uint_eq(fake_kvm.nsent, ++n);
		mmio_write(COMMON(MSIX), VIRTIO_MSI_NO_VECTOR, 2);
		for (unsigned int q = 0; q < NQUEUES; q++) {
			select_queue(q);
			mmio_write(COMMON(Q_MSIX), v, 2);
			ck_assert_uint_eq(mmio_read(COMMON(Q_MSIX), 2), v);
			ck_assert(dev.transport->queue_interrupt(&dev, q));
			mmio_write(COMMON(Q_MSIX), VIRTIO_MSI_NO_VECTOR, 2);
			ck_assert(!dev.transport->queue_interrupt(&dev, q));
			ck_assert_uint_eq(fake_kvm.nsent, ++n);
		}
		ck_assert_uint_eq(fake_sent(MSG_ADDR, 100 + v), NQUEUES + 1);
	}
}
END_TEST

/* Queues may share a vector. */
START_TEST(test_shared_vector)
{
	drive();
	enable_msix();
	for (unsigned int q = 0; q < NQUEUES; q++) {
		select_queue(q);
		mmio_write(COMMON(Q_MSIX), 1, 2);
		dev.transport->queue_interrupt(&dev, q);
	}
	ck_assert_uint_eq(fake_sent(MSG_ADDR, 101), NQUEUES);
}
END_TEST

/* --- the bridge ---------------------------------------------------------- */

START_TEST(test_slots_run_out)
{
	static const struct pci_function_ops no_ops;
	static const struct pci_ids ids = { .vendor = 1, .device = 2 };
	static struct pci_function fns[PCI_SLOTS];
	unsigned int n = 0;

	for (; n < PCI_SLOTS; n++) {
		pci_function_init(&fns[n], &no_ops, &ids);
		pci_function_add_bar(&fns[n], 0, 0x1000);
		if (pci_function_add(host, &fns[n]))
			break;
		ck_assert_ptr_eq(pci_host_function(host, n + 2), &fns[n]);
	}
	ck_assert_uint_eq(n, PCI_SLOTS - 2);	/* bridge and virtio */
	ck_assert_ptr_null(pci_host_function(host, PCI_SLOTS));
	for (unsigned int i = 0; i < n; i++)
		pci_function_remove(&fns[i]);
}
END_TEST

START_TEST(test_window_runs_out)
{
	static const struct pci_function_ops no_ops;
	static const struct pci_ids ids = { .vendor = 1, .device = 2 };
	struct pci_function fn;

	pci_function_init(&fn, &no_ops, &ids);
	pci_function_add_bar(&fn, 0, 1u << 31);
	ck_assert_int_eq(pci_function_add(host, &fn), -ENOSPC);
	pci_function_remove(&fn);
}
END_TEST

static void add_bridge(Suite *suite)
{
	TCase *tc = tcase_create("bridge");

	tcase_add_checked_fixture(tc, setup, unplug);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_nothing_there);
	tcase_add_test(tc, test_any_width);
	tcase_add_test(tc, test_read_only);
	tcase_add_test(tc, test_bar_sizing);
	tcase_add_test(tc, test_bar_moves);
	tcase_add_test(tc, test_memory_enable);
	tcase_add_test(tc, test_off_at_start);
	tcase_add_test(tc, test_bars_overlap);
	tcase_add_test(tc, test_across_bar_end);
	tcase_add_test(tc, test_slots_run_out);
	tcase_add_test(tc, test_window_runs_out);
	suite_add_tcase(suite, tc);
}

static void add_registers(Suite *suite)
{
	TCase *tc = tcase_create("virtio registers");

	tcase_add_checked_fixture(tc, setup, unplug);
	tcase_add_test(tc, test_all_capabilities);
	tcase_add_loop_test(tc, test_window, 0, 2);
	tcase_add_test(tc, test_illegal_windows);
	tcase_add_test(tc, test_feature_words);
	tcase_add_test(tc, test_wrong_widths_ignored);
	tcase_add_loop_test(tc, test_queue_addresses, 0, 2);
	tcase_add_test(tc, test_queue_size_register);
	tcase_add_test(tc, test_queue_out_of_range);
	tcase_add_test(tc, test_vectors);
	tcase_add_test(tc, test_device_config);
	tcase_add_test(tc, test_device_config_halves);
	tcase_add_test(tc, test_device_config_written);
	tcase_add_test(tc, test_reset);
	tcase_add_test(tc, test_queue_reset_register);
	tcase_add_test(tc, test_queue_reset_reads_zero);
	tcase_add_test(tc, test_queue_reset_not_negotiated);
	suite_add_tcase(suite, tc);
}

static void add_events(Suite *suite)
{
	TCase *tc = tcase_create("kicks and interrupts");

	tcase_add_checked_fixture(tc, setup, unplug);
	tcase_add_test(tc, test_kick_addresses);
	tcase_add_test(tc, test_kick_refused);
	tcase_add_test(tc, test_ports);
	tcase_add_test(tc, test_ports_move);
	tcase_add_test(tc, test_ports_refused);
	tcase_add_test(tc, test_intx);
	tcase_add_test(tc, test_intx_disable_bit);
	tcase_add_test(tc, test_intx_connected_while_enabled);
	tcase_add_test(tc, test_intx_status_bit);
	tcase_add_test(tc, test_msix);
	tcase_add_test(tc, test_msix_config_change);
	tcase_add_test(tc, test_msix_any_vector);
	tcase_add_test(tc, test_shared_vector);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("pci");
	SRunner *runner;
	int failed;

	add_bridge(suite);
	add_registers(suite);
	add_events(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
