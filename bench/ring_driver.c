// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of a queue, as cheap as it can be, so that the device is
 * what is measured: chains are laid out once, as Linux lays them out (one
 * indirect table of header, data and status for each request), and used again
 * with another sector.  A ring belongs to one thread.
 */
#include "barrier.h"
#include "bench/ring.h"
#include <linux/virtio_blk.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096ull
#define SLOT_DESCS 3

/* A request's own memory but for its data. */
struct ring_slot {
	_Alignas(RING_LINE) struct virtq_desc table[SLOT_DESCS];
	__le32 type;
	__le32 ioprio;
	__le64 sector;
	u8 status;
};

u64 ring_random(u64 *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 32;
}

/* --- set-up ----------------------------------------------------------------- */

static u64 pages(u64 bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Descriptors, avail ring and used ring on pages of their own, slots, data. */
static u64 ring_bytes(unsigned int depth)
{
	return 3 * PAGE + pages(depth * sizeof(struct ring_slot)) +
	       (u64)depth * RING_BLOCK;
}

static struct virtq_desc desc(u64 addr, u32 len, u16 flags, u16 next)
{
	return (struct virtq_desc){
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

/* Slot @i: at @at, its data at @data; descriptor @i leads to it. */
static struct virtq_desc slot_init(struct ring_slot *s, u64 at, u64 data)
{
	s->table[0] = desc(at + offsetof(struct ring_slot, type), 16,
			   VRING_DESC_F_NEXT, 1);
	s->table[1] = desc(data, RING_BLOCK,
			   VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	s->table[2] = desc(at + offsetof(struct ring_slot, status), 1,
			   VRING_DESC_F_WRITE, 0);
	s->type = cpu_to_le32(VIRTIO_BLK_T_IN);
	return desc(at, sizeof(s->table), VRING_DESC_F_INDIRECT, 0);
}

/* Guest addresses begin at 0, so they are offsets into guest memory. */
static void ring_init(struct ring *r, u8 *host, u64 at)
{
	struct virtq_desc *descs = (struct virtq_desc *)(host + at);
	u64 slots = at + 3 * PAGE;
	u64 data = slots + pages(r->depth * sizeof(struct ring_slot));

	_Static_assert(RING_QUEUE_SIZE * sizeof(*descs) <= PAGE, "one page");
	r->config = (struct virtqueue_config){
		.size = RING_QUEUE_SIZE,
		.desc = at,
		.avail = at + PAGE,
		.used = at + 2 * PAGE,
	};
	r->avail = (struct virtq_avail *)(host + r->config.avail);
	r->used = (struct virtq_used *)(host + r->config.used);
	r->slots = (struct ring_slot *)(host + slots);
	for (unsigned int i = 0; i < r->depth; i++)
		descs[i] = slot_init(&r->slots[i], slots + i * sizeof(*r->slots),
				     data + (u64)i * RING_BLOCK);
}

void ring_memory_new(struct guest_memory *mem, struct ring *rings,
		     unsigned int nrings, unsigned int depth, u64 disk_size)
{
	u64 each = ring_bytes(depth);

	*mem = (struct guest_memory){
		.nregions = 1,
		.size = each * nrings,
		.region = { { .gpa = 0, .size = each * nrings } },
	};
	if (guest_memory_map(mem, false))
		ring_die("no memory for %u queues", nrings);
	memset(mem->base, 0, mem->size);	/* all of it is there from now on */
	for (unsigned int q = 0; q < nrings; q++) {
		rings[q] = (struct ring){
			.depth = depth,
			.random = q,
			.blocks = disk_size / RING_BLOCK,
		};
		ring_init(&rings[q], mem->base, q * each);
	}
}

/* --- requests ----------------------------------------------------------------- */

/* Slot @i is read again, from somewhere else. */
static void ring_post(struct ring *r, u32 i)
{
	u64 block = ring_random(&r->random) * r->blocks >> 32;
	struct ring_slot *s = &r->slots[i];

	s->sector = cpu_to_le64(block * (RING_BLOCK / 512));
	s->status = 0xff;
	write_once(&r->avail->ring[r->avail_idx++ & (RING_QUEUE_SIZE - 1)],
		   cpu_to_le16((u16)i));
}

/* 2.7.13: the device sees what was posted, and is kicked if it asks for it. */
static void ring_expose(struct ring *r)
{
	__le16 *event = (__le16 *)&r->used->ring[RING_QUEUE_SIZE];
	u16 old = r->exposed;
	u64 one = 1;

	r->exposed = r->avail_idx;
	store_release(&r->avail->idx, cpu_to_le16(r->exposed));
	full_fence();	/* pairs with barrier D of virtqueue.c */
	if (vring_need_event(le16_to_cpu(read_once(event)), r->exposed, old) &&
	    write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		ring_die("cannot kick");
}

void ring_fill(struct ring *r)
{
	for (u32 i = 0; i < r->depth; i++)
		ring_post(r, i);
	r->inflight = r->depth;
	ring_expose(r);
}

static u16 ring_used_idx(const struct ring *r)
{
	return le16_to_cpu(load_acquire(&r->used->idx));
}

static void ring_want_calls(struct ring *r)
{
	u16 event = r->calls ? r->last_used : (u16)(r->last_used - 1);

	write_once(&r->avail->ring[RING_QUEUE_SIZE], cpu_to_le16(event));
}

static void ring_check(const struct ring *r, u32 id, u32 len)
{
	if (id >= r->depth)
		ring_die("the device completed what nobody asked for");
	if (r->slots[id].status || len != RING_BLOCK + 1)
		ring_die("a read failed: status %u, %u bytes",
			 r->slots[id].status, len);
}

unsigned int ring_turn(struct ring *r, bool refill)
{
	u16 used = ring_used_idx(r), n = (u16)(used - r->last_used);

	if (!n)
		return 0;
	while (r->last_used != used) {
		const struct virtq_used_elem *e =
			&r->used->ring[r->last_used++ & (RING_QUEUE_SIZE - 1)];
		u32 id = le32_to_cpu(read_once(&e->id));

		ring_check(r, id, le32_to_cpu(read_once(&e->len)));
		if (refill)
			ring_post(r, id);
	}
	ring_want_calls(r);
	if (refill)
		ring_expose(r);
	else
		r->inflight -= n;
	return n;
}

bool ring_calls_on(struct ring *r)
{
	r->calls = true;
	ring_want_calls(r);
	full_fence();	/* pairs with barrier C of virtqueue.c */
	return ring_used_idx(r) != r->last_used;
}
