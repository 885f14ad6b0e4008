/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for virtio-blk over PCI or MMIO (virtio 1.2, 4.1, 4.2), as small as it
 * can be: it polls, uses each descriptor for a fixed purpose, and lets cases do
 * harm.  With "transport=mmio" on the command line all disks are on MMIO.
 */
#ifndef PAYLOAD_VIRTIO_H
#define PAYLOAD_VIRTIO_H

#include "payload.h"

#define QUEUE_SIZE_MAX 64
#define SLOTS (QUEUE_SIZE_MAX / 3)	/* requests of three descriptors */
#define SECTOR 512

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64

#define F_BLK_SEG_MAX (1ull << 2)
#define F_BLK_RO (1ull << 5)
#define F_BLK_FLUSH (1ull << 9)
#define F_BLK_CONFIG_WCE (1ull << 11)
#define F_BLK_MQ (1ull << 12)
#define F_BLK_DISCARD (1ull << 13)
#define F_BLK_WRITE_ZEROES (1ull << 14)
#define F_BLK_LIFETIME (1ull << 15)
#define F_INDIRECT (1ull << 28)
#define F_EVENT_IDX (1ull << 29)
#define F_VERSION_1 (1ull << 32)
#define F_RING_PACKED (1ull << 34)
#define F_SR_IOV (1ull << 37)
#define F_RING_RESET (1ull << 40)

#define T_IN 0
#define T_OUT 1
#define T_FLUSH 4
#define T_GET_ID 8
#define T_DISCARD 11
#define T_WRITE_ZEROES 13
#define S_OK 0
#define S_IOERR 1
#define S_UNSUPP 2

#define DESC_NEXT 1
#define DESC_WRITE 2
#define DESC_INDIRECT 4
#define DESC_AVAIL 0x80		/* 2.8.1 */
#define DESC_USED 0x8000
#define EVENT_DISABLE 1		/* 2.8.10 */
#define EVENT_DESC 2
#define NO_VECTOR 0xffff

/* Registers by their offsets in 4.1.4.3, on MMIO, too: reg_read(), reg_write() */
#define R_DEVICE_FEATURE_SELECT 0x00
#define R_DEVICE_FEATURE 0x04
#define R_DRIVER_FEATURE_SELECT 0x08
#define R_DRIVER_FEATURE 0x0c
#define R_CONFIG_VECTOR 0x10
#define R_NUM_QUEUES 0x12
#define R_STATUS 0x14
#define R_GENERATION 0x15
#define R_QUEUE_SELECT 0x16
#define R_QUEUE_SIZE 0x18
#define R_QUEUE_VECTOR 0x1a
#define R_QUEUE_ENABLE 0x1c
#define R_QUEUE_NOTIFY_OFF 0x1e
#define R_QUEUE_DESC 0x20
#define R_QUEUE_DRIVER 0x28
#define R_QUEUE_DEVICE 0x30
#define R_QUEUE_RESET 0x3a

/* Registers of MMIO alone: 4.2.2 */
#define M_MAGIC 0x00
#define M_VERSION 0x04
#define M_DEVICE 0x08
#define M_NOTIFY 0x50
#define M_INTERRUPT_STATUS 0x60
#define M_INTERRUPT_ACK 0x64
#define M_CONFIG 0x100

/* Configuration space: offsets in 5.2.4 */
#define C_WRITEBACK 32
#define C_NUM_QUEUES 34
#define C_MAX_DISCARD_SECTORS 36
#define C_MAX_DISCARD_SEG 40
#define C_MAX_WRITE_ZEROES_SECTORS 48

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct avail {
	u16 flags, idx, ring[QUEUE_SIZE_MAX], used_event;
};

struct used {
	u16 flags, idx;
	struct {
		u32 id, len;
	} ring[QUEUE_SIZE_MAX];
	u16 avail_event;
};

struct packed_desc {
	u64 addr;
	u32 len;
	u16 id, flags;
};

struct packed_event {
	u16 place, flags;
};

/* 5.2.6: a range to discard or zero */
struct range {
	u64 sector;
	u32 sectors, flags;
};

/* A request of one slot. */
struct request {
	u32 type, reserved;
	u64 sector;
	volatile u8 status;
};

/* Split, or packed if that was negotiated. */
struct queue {
	union {
		struct desc desc[QUEUE_SIZE_MAX];
		volatile struct packed_desc packed[QUEUE_SIZE_MAX];
	} __attribute__((aligned(16)));
	union {
		struct avail avail;
		struct packed_event driver_event;
	} __attribute__((aligned(4)));
	union {
		volatile struct used used;
		volatile struct packed_event device_event;
	} __attribute__((aligned(4)));
	struct request request[SLOTS];
	struct desc indirect[SLOTS][3] __attribute__((aligned(16)));
	struct device *dev;
	u16 index;
	u16 size;
	u16 submitted;
	u32 notify;		/* address; on MMIO the same for all */
	bool use_indirect;
	bool is_packed;
	/* Packed: descriptors since the start, and what was used of them. */
	u32 written, taken;
	u32 hidden;		/* of those written */
	u16 hidden_flags;	/* of the first of them */
	u16 used_count;
	u16 ndescs[QUEUE_SIZE_MAX];	/* by id */
	u32 last_id, last_len;
};

struct device {
	u32 mmio;		/* address; 0: on PCI, as what follows */
	u32 mmio_gsi;
	u8 slot;
	u32 bar[6];		/* the low halves: all are below 4 GiB */
	u32 common, isr, config, notify, notify_step;	/* addresses */
	u16 port;		/* notify addresses as ports */
	u32 port_step;
	u8 pci_cfg;		/* capability */
	u8 msix;		/* capability */
	u32 msix_table, msix_pending;
	u64 features;
};

/* The @n-th disk, with its BARs decoding; fails if there is none. */
void device_find(struct device *dev, u32 n);
/* Addresses anew, after BARs were moved. */
void device_map(struct device *dev);
/* A register of the width that it has there. */
u32 reg_read(const struct device *dev, u32 reg);
void reg_write(const struct device *dev, u32 reg, u32 value);
/* Have configuration changes interrupt by @vector, on MMIO all events. */
void device_route(struct device *dev, u8 vector);
/* A kick of queue @index at its address. */
void device_kick(const struct device *dev, u32 notify, u16 index);
void device_reset(struct device *dev);
u64 device_offered(const struct device *dev);
/*
 * Up to FEATURES_OK with those of @want that are offered; with packed=1 on the
 * command line with packed rings, which must be offered then.
 */
void device_negotiate(struct device *dev, u64 want);
void device_ok(struct device *dev);
u8 device_status(const struct device *dev);
u64 device_sectors(const struct device *dev);

/* MSI-X: turn it on; one vector's message (to APIC 0, or @apic), mask, pending bit */
void msix_on(struct device *dev);
void msix_set(struct device *dev, u32 entry, u8 vector);
void msix_route(struct device *dev, u32 entry, u8 vector, u8 apic);
void msix_mask(struct device *dev, u32 entry, bool masked);
bool msix_pending(struct device *dev, u32 entry);

/* @entry: MSI-X table entry or NO_VECTOR; @size up to QUEUE_SIZE_MAX */
void queue_setup(struct device *dev, struct queue *q, u16 index, u16 size,
		 u16 entry);
/* Put a request into the ring, not yet told to the device. */
void queue_add(struct queue *q, u32 slot, u32 type, u64 sector, void *data,
	       u32 len);
void queue_offer(struct queue *q, u16 head);
/*
 * Write the next descriptor of a packed ring; not seen before queue_show(), if
 * it is the first one since.  Then, @n chains more.
 */
void queue_put(struct queue *q, u64 addr, u32 len, u16 flags, u16 id);
void queue_show(struct queue *q, u16 n);
void queue_kick(struct queue *q);
void queue_kick_port(struct queue *q);
/* All that was submitted is used; now, or in some seconds. */
bool queue_done(struct queue *q);
bool queue_wait(struct queue *q);
/* No interrupts, please. */
void queue_calls_off(struct queue *q);
/* One request from start to end; its status. */
u8 queue_do(struct queue *q, u32 type, u64 sector, void *data, u32 len);

/* A disk with one queue, ready, with the usual features. */
void disk_start(struct device *dev, struct queue *q, u32 n);
void fill(u8 *data, u32 len, u32 seed);
bool filled(const u8 *data, u32 len, u32 seed);
/* blk.c: a pattern there and back, up to 16 sectors */
bool write_and_read(struct queue *queue, u64 sector, u32 len, u32 seed);

#endif
