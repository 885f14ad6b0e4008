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
#define TABLE_BYTES (SLOT_DESCS * 16)

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

/* 2.8.7: flags of a packed table stand where next does, which it has not. */
static struct virtq_desc desc(const struct ring *r, u64 addr, u32 len, u16 flags,
			      u16 next)
{
	if (r->packed)
		return (struct virtq_desc){
			.addr = cpu_to_le64(addr),
			.len = cpu_to_le32(len),
			.next = cpu_to_le16(flags & VRING_DESC_F_WRITE),
		};
	return (struct virtq_desc){
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

/* A slot at @at, its data at @data. */
static void slot_init(const struct ring *r, struct ring_slot *s, u64 at,
		      u64 data)
{
	s->table[0] = desc(r, at + offsetof(struct ring_slot, type), 16,
			   VRING_DESC_F_NEXT, 1);
	s->table[1] = desc(r, data, RING_BLOCK,
			   VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	s->table[2] = desc(r, at + offsetof(struct ring_slot, status), 1,
			   VRING_DESC_F_WRITE, 0);
	s->type = cpu_to_le32(VIRTIO_BLK_T_IN);
}

/* Guest addresses begin at 0, so they are offsets into guest memory. */
static void ring_init(struct ring *r, u8 *host, u64 at, bool packed)
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
	if (packed)
		r->packed = (struct packed_desc *)descs;
	r->slots = (struct ring_slot *)(host + slots);
	r->tables = slots;
	for (unsigned int i = 0; i < r->depth; i++) {
		u64 table = slots + i * sizeof(*r->slots);

		slot_init(r, &r->slots[i], table, data + (u64)i * RING_BLOCK);
		if (!packed)
			descs[i] = desc(r, table, TABLE_BYTES,
					VRING_DESC_F_INDIRECT, 0);
	}
}

void ring_memory_new(struct guest_memory *mem, struct ring *rings,
		     const struct ring_run *run, u64 disk_size)
{
	unsigned int nrings = run->queues, depth = run->depth;
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
		ring_init(&rings[q], mem->base, q * each, run->packed);
	}
}

/* --- requests ----------------------------------------------------------------- */

static void ring_kick(struct ring *r)
{
	u64 one = 1;

	if (write(r->kick_fd, &one, sizeof(one)) != sizeof(one))
		ring_die("cannot kick");
}

static void ring_check(const struct ring *r, u32 id, u32 len)
{
	if (id >= r->depth)
		ring_die("the device completed what nobody asked for");
	if (r->slots[id].status || len != RING_BLOCK + 1)
		ring_die("a read failed: status %u, %u bytes",
			 r->slots[id].status, len);
}

/* --- split ------------------------------------------------------------------- */

static void split_post(struct ring *r, u32 i)
{
	write_once(&r->avail->ring[r->avail_idx++ & (RING_QUEUE_SIZE - 1)],
		   cpu_to_le16((u16)i));
}

/* 2.7.13 */
static void split_expose(struct ring *r)
{
	__le16 *event = (__le16 *)&r->used->ring[RING_QUEUE_SIZE];
	u16 old = r->exposed;

	r->exposed = r->avail_idx;
	store_release(&r->avail->idx, cpu_to_le16(r->exposed));
	full_fence();	/* pairs with barrier D of virtqueue.c */
	if (vring_need_event(le16_to_cpu(read_once(event)), r->exposed, old))
		ring_kick(r);
}

static bool split_is_used(const struct ring *r)
{
	return le16_to_cpu(load_acquire(&r->used->idx)) != r->last_used;
}

static u32 split_take(struct ring *r)
{
	const struct virtq_used_elem *e =
		&r->used->ring[r->last_used++ & (RING_QUEUE_SIZE - 1)];
	u32 id = le32_to_cpu(read_once(&e->id));

	ring_check(r, id, le32_to_cpu(read_once(&e->len)));
	return id;
}

static void split_want_calls(struct ring *r)
{
	u16 event = r->calls ? r->last_used : (u16)(r->last_used - 1);

	write_once(&r->avail->ring[RING_QUEUE_SIZE], cpu_to_le16(event));
}

/* --- packed: a descriptor of the ring for each request, so indices count both --- */

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

/* 2.8.1: the counter is 1 in the first round and each other one. */
static bool packed_wrap(u16 idx)
{
	return !(idx & RING_QUEUE_SIZE);
}

static struct packed_desc *packed_at(const struct ring *r, u16 idx)
{
	return &r->packed[idx & (RING_QUEUE_SIZE - 1)];
}

static __le16 packed_avail_flags(u16 idx)
{
	return cpu_to_le16(VRING_DESC_F_INDIRECT |
			   (packed_wrap(idx) ? AVAIL : USED));
}

/* The first one is shown with its flags, when the others are there. */
static void packed_post(struct ring *r, u32 i)
{
	struct packed_desc *d = packed_at(r, r->avail_idx);

	write_once(&d->addr, cpu_to_le64(r->tables + i * sizeof(*r->slots)));
	write_once(&d->len, cpu_to_le32(TABLE_BYTES));
	write_once(&d->id, cpu_to_le16((u16)i));
	if (r->avail_idx != r->exposed)
		write_once(&d->flags, packed_avail_flags(r->avail_idx));
	r->avail_idx++;
}

/* 2.8.21 */
static void packed_expose(struct ring *r)
{
	u16 old = r->exposed, n = (u16)(r->avail_idx - old), at;
	u32 event;

	store_release(&packed_at(r, old)->flags, packed_avail_flags(old));
	r->exposed = r->avail_idx;
	full_fence();	/* pairs with barrier D of virtqueue.c */
	event = le32_to_cpu(read_once((const __le32 *)r->used));
	at = (event & (RING_QUEUE_SIZE - 1)) |
	     (event >> VRING_PACKED_EVENT_F_WRAP_CTR & 1 ? 0 : RING_QUEUE_SIZE);
	if (event >> 16 == VRING_PACKED_EVENT_FLAG_DESC &&
	    ((u16)(at - old) & (2 * RING_QUEUE_SIZE - 1)) < n)
		ring_kick(r);
}

static bool packed_is_used(const struct ring *r)
{
	u16 flags = le16_to_cpu(load_acquire(&packed_at(r, r->last_used)->flags));

	return r->last_used != r->exposed &&
	       (flags & (AVAIL | USED)) ==
		       (packed_wrap(r->last_used) ? AVAIL | USED : 0);
}

static u32 packed_take(struct ring *r)
{
	const struct packed_desc *d = packed_at(r, r->last_used++);
	u32 id = le16_to_cpu(read_once(&d->id));

	ring_check(r, id, le32_to_cpu(read_once(&d->len)));
	return id;
}

/* 2.8.10, as one word. */
static void packed_want_calls(struct ring *r)
{
	u32 event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

	if (r->calls)
		event = VRING_PACKED_EVENT_FLAG_DESC << 16 |
			(u32)packed_wrap(r->last_used)
				<< VRING_PACKED_EVENT_F_WRAP_CTR |
			(r->last_used & (RING_QUEUE_SIZE - 1));
	write_once((__le32 *)r->avail, cpu_to_le32(event));
}

/* --- either -------------------------------------------------------------------- */

/* Slot @i is read again, from somewhere else. */
static void ring_post(struct ring *r, u32 i)
{
	u64 block = ring_random(&r->random) * r->blocks >> 32;
	struct ring_slot *s = &r->slots[i];

	s->sector = cpu_to_le64(block * (RING_BLOCK / 512));
	s->status = 0xff;
	if (r->packed)
		packed_post(r, i);
	else
		split_post(r, i);
}

/* The device sees what was posted, and is kicked if it asks for it. */
static void ring_expose(struct ring *r)
{
	if (r->packed)
		packed_expose(r);
	else
		split_expose(r);
}

void ring_fill(struct ring *r)
{
	for (u32 i = 0; i < r->depth; i++)
		ring_post(r, i);
	r->inflight = r->depth;
	ring_expose(r);
}

static bool ring_is_used(const struct ring *r)
{
	return r->packed ? packed_is_used(r) : split_is_used(r);
}

static void ring_want_calls(struct ring *r)
{
	if (r->packed)
		packed_want_calls(r);
	else
		split_want_calls(r);
}

unsigned int ring_turn(struct ring *r, bool refill)
{
	unsigned int n = 0;

	for (; ring_is_used(r); n++) {
		u32 id = r->packed ? packed_take(r) : split_take(r);

		if (refill)
			ring_post(r, id);
	}
	if (!n)
		return 0;
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
	return ring_is_used(r);
}
