// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the disk: kicks and interrupts of its two queues.
 */
#include "virtio.h"

#define BATCH 16

static struct queue *const q = disk.queue;

static void submit(u32 queue, u32 n)
{
	queue_add(&q[queue], n);
	queue_kick(&q[queue]);
	CHECK(queue_wait(&q[queue]));
}

/* One store to a queue's own address serves it; one to another's does not. */
static void case_kick(void)
{
	disk_start(false);
	pci_write(disk.slot, PCI_COMMAND, COMMAND_ON | COMMAND_INTX_DISABLE, 2);
	CHECK(q[0].notify != q[1].notify);
	for (u32 i = 0; i < 2; i++) {
		queue_add(&q[i], 1);
		queue_kick(&q[!i]);
		linger();
		CHECK(!queue_done(&q[i]));
		queue_kick(&q[i]);
		CHECK(queue_wait(&q[i]));
	}
	submit(0, BATCH);
	submit(1, BATCH);
}

/* Kicks go where the registers are, and what was there before is nothing. */
static void case_moved(void)
{
	u32 len;
	const u32 *mem32 = tree_cells("ranges", &len);	/* bus, CPU, size */
	u64 old, bus = (u64)mem32[1] << 32 | mem32[2];
	u64 gpa = (u64)mem32[3] << 32 | mem32[4];

	disk_start(false);
	CHECK_EQ(mem32[0], 0x02000000);
	old = q[0].notify;
	disk_move(bus + 0x100000, gpa + 0x100000);
	queue_add(&q[0], 1);
	write16(old, 0);
	linger();
	CHECK(!queue_done(&q[0]));
	CHECK_EQ(read32(old), ~0u);
	queue_kick(&q[0]);
	CHECK(queue_wait(&q[0]));
	disk_move(disk.bar[0], disk.bar[0]);
	submit(0, 1);
	submit(1, 1);
}

/* Many of them, for the host to count what they cost. */
static void case_kicks(void)
{
	disk_start(true);
	CHECK_EQ(set_xive(disk.source[1], 0, 5), 0);
	msix_mask(1, false);
	for (u32 i = 0; i < 1000; i++) {
		queue_add(&q[0], 1);
		queue_kick(&q[0]);
		CHECK(WAIT((cede(), take()) == disk.source[1]));
		CHECK(queue_done(&q[0]));
	}
}

/* The source of the queue's vector, and no other; one interrupt for a batch. */
static void case_msix(void)
{
	disk_start(true);
	for (u32 i = 0; i < VECTORS; i++) {
		CHECK_EQ(set_xive(disk.source[i], 0, 5), 0);
		msix_mask(i, false);
	}
	for (u32 n = 1; n <= BATCH; n *= 4)
		for (u32 i = 0; i < 2; i++) {
			u32 got;

			submit(i, n);
			CHECK(WAIT((got = take()) != 0));
			CHECK_EQ(got, disk.source[1 + i]);
			CHECK(quiet());
		}
	q[0].avail.flags = AVAIL_NO_INTERRUPT;
	submit(0, BATCH);
	CHECK(quiet());
	submit(1, 1);
	CHECK(WAIT(take() == disk.source[2]));
	q[0].avail.flags = 0;
	msix_mask(1, true);	/* in the table: the message is pending there */
	submit(0, 1);
	CHECK(quiet());
	CHECK_EQ(read32(disk.msix_table + 2048), 1 << 1);
	msix_mask(1, false);
	CHECK(WAIT(take() == disk.source[1]));
	CHECK(quiet());
}

/* INTA of the disk, by the bridge's interrupt-map: rows of 7 cells. */
static u32 intx_source(void)
{
	u32 len;
	const u32 *row = tree_cells("interrupt-map", &len);

	while (row[0] != disk.slot << 11)
		row += 7;
	return row[5];
}

/*
 * While the line is up, each end of an interrupt is the beginning of the next.
 * KVM sends up to SPURIOUS more before it learns that the line went down.
 */
#define SPURIOUS 3

static void intx_drain(void)
{
	u32 spurious = 0;

	while (!quiet())
		CHECK(++spurious <= SPURIOUS);
}

static void intx_end(u32 source)
{
	u32 got;

	for (u32 i = 0; i < 3 * SPURIOUS; i++) {	/* nobody reads ISR */
		CHECK(WAIT((got = take()) != 0));
		CHECK_EQ(got, source);
	}
	CHECK_EQ(read8(disk.isr), 1);
	intx_drain();
	CHECK_EQ(read8(disk.isr), 0);
}

static void intx_enable(bool on)
{
	pci_write(disk.slot, PCI_COMMAND,
		  COMMAND_ON | (on ? 0 : COMMAND_INTX_DISABLE), 2);
}

static void case_intx(void)
{
	u32 source;

	disk_start(false);
	source = intx_source();
	CHECK_EQ(set_xive(source, 0, 5), 0);
	for (u32 i = 0; i < 3; i++) {
		submit(i % 2, BATCH);
		intx_end(source);
	}
	q[0].avail.flags = AVAIL_NO_INTERRUPT;
	submit(0, BATCH);
	CHECK(quiet());
	q[0].avail.flags = 0;
	intx_enable(false);
	submit(0, 1);
	CHECK(quiet());
	CHECK(pci_read(disk.slot, PCI_STATUS, 2) & STATUS_INTERRUPT);
	intx_enable(true);
	intx_end(source);
	CHECK(!(pci_read(disk.slot, PCI_STATUS, 2) & STATUS_INTERRUPT));
	submit(0, 1);
	intx_enable(false);	/* while the line is up */
	intx_drain();
	intx_enable(true);
	intx_end(source);
}

/* Without MSI-X there is INTx, until it is back. */
static void case_fallback(void)
{
	u32 source, none[2];

	disk_start(true);
	source = intx_source();
	CHECK_EQ(set_xive(source, 0, 5), 0);
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(set_xive(disk.source[1], 0, 5), 0);
		msix_mask(1, false);
		submit(0, 1);
		CHECK(WAIT(take() == disk.source[1]));
		CHECK(quiet());
		CHECK_EQ(read8(disk.isr), 0);
		CHECK_EQ(rtas("ibm,change-msi",
			      ARGS(disk.slot << 11, BUID, 4, 0, 1), none, 2), 0);
		CHECK_EQ(none[0], 0);
		submit(0, 1);
		intx_end(source);
		msix_on();
	}
}

/* As kicks, but by a line: its ISR register takes an exit for each. */
static void case_kicks_intx(void)
{
	u32 source;

	disk_start(false);
	source = intx_source();
	CHECK_EQ(set_xive(source, 0, 5), 0);
	for (u32 i = 0; i < 1000; i++) {
		queue_add(&q[0], 1);
		queue_kick(&q[0]);
		/* Some are spurious. */
		CHECK(WAIT((cede(), take()) == source && read8(disk.isr)));
		CHECK(queue_done(&q[0]));
	}
}

const struct payload_case disk_cases[] = {
	{ "kick", case_kick },
	{ "moved", case_moved },
	{ "kicks", case_kicks },
	{ "msix", case_msix },
	{ "intx", case_intx },
	{ "fallback", case_fallback },
	{ "kicks_intx", case_kicks_intx },
	{ NULL, NULL },
};
