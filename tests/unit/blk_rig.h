/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-blk device of up to four queues on real I/O threads, and its driver's
 * side: what the tests of virtio-blk have in common.  One at a time.
 */
#ifndef LKVM_TESTS_BLK_RIG_H
#define LKVM_TESTS_BLK_RIG_H

#include "guest_ring.h"
#include "kvm/iothread.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include <check.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stddef.h>

struct disk;

#define QUEUES_MAX 4
#define DISK_BYTES (1u << 20)
#define SECTORS (DISK_BYTES / 512)
#define ROOM 65536u		/* of data for each head */
#define SLOTS 64u
#define PACKED (1ull << VIRTIO_F_RING_PACKED)
#define FLUSH (1ull << VIRTIO_BLK_F_FLUSH)
#define DRIVER_FEATURES \
	(layout | 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX | \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_F_RING_RESET | \
	 1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_MQ)
#define DRIVER_STATUS \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK)

/* A request's own memory. */
struct slot {
	u64 header;
	u64 data;
	u64 status;
	u64 table;
};

extern struct arena arena;
extern struct disk *disk;
extern struct iothread *threads[QUEUES_MAX];
extern struct virtio_blk *blk;
extern struct virtio_device *dev;
extern struct guest_ring rings[QUEUES_MAX];
extern unsigned int nrings;
extern u64 layout;		/* PACKED or 0, of every ring */
extern struct slot slots[SLOTS];
extern unsigned int queue_interrupts[QUEUES_MAX], config_interrupts;
/* Of devices opened from now on; their rings and threads open_blk() fills in. */
extern struct virtio_blk_params blk_params;
extern struct iothread_poll thread_poll;	/* of their threads */
extern const struct virtio_transport_ops transport;

/* A case of @suite whose rings are of one layout. */
TCase *tcase_of(Suite *suite, const char *name, bool packed);

void open_blk(struct disk *d, unsigned int nqueues, unsigned int threads_n,
	      u16 queue_size);
void close_blk(void);
void set_status(u8 status);
u8 status_of(void);
void enable_queue(unsigned int q);
void negotiate(u64 features);
/* From reset to DRIVER_OK, with fresh rings. */
void drive(u64 features);
/* One queue on one thread, on a disk in memory. */
void setup(void);
/* Until the device asks for a reset. */
void wait_broken(void);

void set_header(const struct slot *s, u32 type, u64 sector);
u8 *status_byte(const struct slot *s);
u8 *slot_data(const struct slot *s);
/* The usual three buffers; none for data if @len is 0. */
unsigned int request_bufs(const struct slot *s, u32 type, u64 sector, u32 len,
			  struct ring_buf *bufs);
int add_request(unsigned int q, const struct slot *s, u32 type, u64 sector,
		u32 len);
/* One request alone: its status; *@written as in the used ring. */
u8 request(u32 type, u64 sector, u32 len, u32 *written);
void expect_alive(void);

#define expect_request(type, sector, len, status, want_written)          \
	do {                                                             \
		u32 written_;                                            \
		ck_assert_uint_eq(request(type, sector, len, &written_), \
				  status);                               \
		ck_assert_uint_eq(written_, want_written);               \
	} while (0)

unsigned int count_of(const unsigned int *counter);
u64 stat_of(unsigned int q, size_t offset);
#define STAT(q, name) stat_of(q, offsetof(struct virtio_blk_stats, name))
u64 taken(unsigned int q);

/* Which slot a queue's head belongs to: each queue has SLOTS / nrings. */
struct slot *slot_of(unsigned int q, unsigned int i);
/* Keep @q full until @total requests went through; returns failed ones. */
unsigned int pump(unsigned int q, unsigned int total);
/* Reads in all of @q's slots. */
void fill_queue(unsigned int q);

#endif
