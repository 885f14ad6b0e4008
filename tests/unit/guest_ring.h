/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's side of a virtqueue, split or packed (virtio 1.2, 2.7 and 2.8), in
 * user space, on a guest memory that is no guest's: what the virtio tests drive a
 * device with.
 *
 * One thread owns a ring.  Indices are C11 atomics, so that a device on another
 * thread can be watched by TSan.  Nothing is checked: a test may write any
 * nonsense into the ring, by ring_desc() and ring_post(), ring_packed_desc().
 */
#ifndef LKVM_TESTS_GUEST_RING_H
#define LKVM_TESTS_GUEST_RING_H

#include "endian.h"
#include "kvm/memory.h"
#include "virtio/virtqueue.h"
#include <check.h>
#include <linux/virtio_ring.h>

/* ck_assert() for hot loops: that one makes a system call each time. */
#define expect(cond) \
	do { \
		if (!(cond)) \
			ck_abort_msg("not so: %s", #cond); \
	} while (0)

/* Two regions of half the size each, with nothing before, between or behind. */
#define ARENA_LOW 0x10000ull
#define ARENA_HIGH 0x100000000ull

/* Guest memory, and what of its low region is taken. */
struct arena {
	struct guest_memory mem;
	u64 next;
};

void arena_init(struct arena *a, u64 size);
void arena_exit(struct arena *a);
u64 arena_alloc(struct arena *a, u64 len, u64 align);
/* Where [gpa, gpa + len) is; it must be memory. */
void *arena_ptr(const struct arena *a, u64 gpa, u64 len);
/* Where a region ends. */
u64 arena_low_end(const struct arena *a);

struct ring_buf {
	u64 gpa;
	u32 len;
	bool in;	/* the device writes */
};

struct guest_ring {
	struct arena *arena;
	struct virtqueue_config config;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	/* The same memory, packed. */
	struct vring_packed_desc *pdesc;
	struct vring_packed_desc_event *driver_event;
	struct vring_packed_desc_event *device_event;
	u16 size;
	bool packed;
	bool event_idx;
	u16 avail_idx;		/* entries written */
	u16 exposed;		/* entries the device can see */
	u16 last_used;		/* entries taken */
	u16 nfree;		/* descriptors */
	u16 next_free[VIRTQUEUE_SIZE_MAX];
	u16 first_free;		/* packed: buffer id */
	u16 ndescs[VIRTQUEUE_SIZE_MAX];	/* of the chain with this head or id */
	/* Packed: descriptors since the start, of which the place follows. */
	u32 written;
	u32 shown;
	u32 taken;
	u16 shown_flags;	/* of the first that is not shown */
	int kick_fd;
	int call_fd;
	u64 kicks;		/* written to kick_fd */
	u64 unkicked;		/* exposed without a kick */
};

/*
 * Lay out a fresh ring of @size in @arena, as the negotiated @features say; the
 * eventfds are the caller's.
 */
void ring_init(struct guest_ring *r, struct arena *arena, u16 size,
	       u64 features);
/* Empty again, as the device's after a reset; perhaps with other features. */
void ring_reset(struct guest_ring *r, u64 features);

/* A chain of descriptors; returns its head or id, or -1 if there is no room. */
int ring_add(struct guest_ring *r, const struct ring_buf *bufs, unsigned int n);
/* The same through a table at @table, which has room for @n descriptors. */
int ring_add_indirect(struct guest_ring *r, u64 table,
		      const struct ring_buf *bufs, unsigned int n);
/*
 * The first @ndirect as descriptors of the ring, the others by a table; packed:
 * all by the table, since 2.8.5 allows no mixture.
 */
int ring_add_mixed(struct guest_ring *r, u64 table, const struct ring_buf *bufs,
		   unsigned int n, unsigned int ndirect);

/* Descriptor @i of a table, and an avail entry, exactly as given. */
void ring_desc(void *table, unsigned int i, u64 addr, u32 len, u16 flags,
	       u16 next);
void ring_post(struct guest_ring *r, u16 head);
/*
 * The next descriptor of a packed ring: @flags without AVAIL and USED, which are
 * set as they must be, but for those in @wrong.
 */
void ring_packed_desc(struct guest_ring *r, u64 addr, u32 len, u16 id,
		      u16 flags, u16 wrong);
#define RING_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define RING_USED (1u << VRING_PACKED_DESC_F_USED)

/* Let the device see what was added.  Returns whether it wants a kick. */
bool ring_expose(struct guest_ring *r);
/* The same, and kick it if it does. */
bool ring_kick(struct guest_ring *r);

/* Take the next used chain; false if there is none. */
bool ring_get(struct guest_ring *r, u32 *id, u32 *len);
bool ring_used_pending(const struct guest_ring *r);
/* How many the device has shown; packed: since the start, too. */
u16 ring_used_idx(const struct guest_ring *r);
/* Packed: the descriptor, counted from the start of an even round. */
u16 ring_avail_event(const struct guest_ring *r);
/* Packed: of the device's event suppression. */
u16 ring_used_flags(const struct guest_ring *r);

/*
 * Interrupt at the entry behind @event (EVENT_IDX); or all or none.  Packed: at
 * the descriptor behind so many since the start.
 */
void ring_set_used_event(struct guest_ring *r, u16 event);
void ring_calls_off(struct guest_ring *r);
/* Returns whether there is something to take already. */
bool ring_calls_on(struct guest_ring *r);
/* Sleep until call_fd is signalled; false after @timeout_ms. */
bool ring_wait_call(struct guest_ring *r, int timeout_ms);
/* ring_calls_on(), sleep and ring_get(): the next chain, or fail the test. */
u32 ring_wait_used(struct guest_ring *r, u32 *len);

/* Scale a count by LKVM_TEST_SCALE per cent; at least 1. */
unsigned int test_scale(unsigned int n);

/* race_ring.c */
TCase *race_ring_tcase(void);

#endif
