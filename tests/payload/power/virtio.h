/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for virtio-blk over PCI (virtio 1.2, 4.1), as small as it can be:
 * reads of one sector, polled for or not.  Rings are little endian, this guest is not.
 */
#ifndef PAYLOAD_VIRTIO_H
#define PAYLOAD_VIRTIO_H

#include "payload.h"

#define LE __attribute__((scalar_storage_order("little-endian")))

#define QUEUE_SIZE 64
#define SLOTS (QUEUE_SIZE / 3)	/* requests of three descriptors */
#define SECTOR 512
#define NO_VECTOR 0xffff

#define PCI_COMMAND 0x04
#define COMMAND_ON 6		/* memory, bus master */
#define COMMAND_INTX_DISABLE 0x400
#define PCI_STATUS 0x06
#define STATUS_INTERRUPT 8
#define PCI_BAR0 0x10

struct LE desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct LE avail {
	u16 flags, idx, ring[QUEUE_SIZE];
};
#define AVAIL_NO_INTERRUPT 1

struct LE used_entry {
	u32 id, len;
};
struct LE used {
	u16 flags, idx;
	struct used_entry ring[QUEUE_SIZE];
};

struct LE request {
	u32 type, reserved;
	u64 sector;
	u8 status;
	u8 data[SECTOR];
};

struct queue {
	struct desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
	volatile struct avail avail __attribute__((aligned(4)));
	volatile struct used used __attribute__((aligned(4)));
	volatile struct request request[SLOTS];
	u16 submitted;
	u64 notify;	/* address */
};

#define VECTORS 3	/* configuration, and each of two queues */
struct device {
	u32 slot;
	u64 bar[6];	/* on the bus; in the 64-bit window the same to CPUs */
	u64 notify_offset;	/* in the registers' BAR, 0 */
	u64 common, isr, notify;	/* addresses */
	u32 notify_step;
	u32 msix;	/* capability */
	u64 msix_table;
	u32 source[VECTORS];
	struct queue queue[2];
};
/* The only disk. */
extern struct device disk;

/* From nothing to DRIVER_OK, both queues with their vectors or with none. */
void disk_start(bool msix);
/* Registers are elsewhere now. */
void disk_move(u64 bus, u64 gpa);
/* All that firmware says of MSI-X, in disk.source; it is on, all vectors masked. */
void msix_on(void);
void msix_mask(u32 vector, bool masked);
/* @n reads in the ring, not yet told to the device. */
void queue_add(struct queue *q, u32 n);
void queue_kick(struct queue *q);
bool queue_done(const struct queue *q);
/* All that was submitted is used, and was read well. */
bool queue_wait(struct queue *q);

#endif
