// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of a virtqueue: see guest_ring.h.
 *
 * Barriers: the avail index, or the flags of the first new descriptor, is stored
 * with release, the used index or the flags of the next used descriptor loaded
 * with acquire; "store mine, fence, load yours" wherever a kick or an interrupt
 * may be left out (2.7.13.4.1, 2.7.14, 2.8.21.3).
 */
#include "guest_ring.h"
#include <linux/virtio_config.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_TIMEOUT_MS 20000

void arena_init(struct arena *a, u64 size)
{
	*a = (struct arena){
		.mem = {
			.nregions = 2,
			.size = size,
			.region = {
				{ .gpa = ARENA_LOW, .size = size / 2 },
				{ .gpa = ARENA_HIGH, .size = size / 2 },
			},
		},
		.next = ARENA_LOW,
	};
	ck_assert_int_eq(guest_memory_map(&a->mem, false), 0);
}

void arena_exit(struct arena *a)
{
	guest_memory_unmap(&a->mem);
}

u64 arena_alloc(struct arena *a, u64 len, u64 align)
{
	u64 gpa = (a->next + align - 1) & ~(align - 1);

	ck_assert_msg(gpa + len <= arena_low_end(a), "the arena is too small");
	a->next = gpa + len;
	return gpa;
}

void *arena_ptr(const struct arena *a, u64 gpa, u64 len)
{
	void *p = guest_ptr(&a->mem, gpa, len);

	expect(p);
	return p;
}

u64 arena_low_end(const struct arena *a)
{
	return ARENA_LOW + a->mem.region[0].size;
}

void ring_init(struct guest_ring *r, struct arena *arena, u16 size,
	       u64 features)
{
	u64 avail_len = 6 + 2ull * size, used_len = 6 + 8ull * size;

	memset(r, 0, sizeof(*r));
	r->arena = arena;
	r->size = size;
	r->kick_fd = -1;
	r->call_fd = -1;
	r->config.size = size;
	r->config.desc = arena_alloc(arena, 16ull * size, 16);
	r->config.avail = arena_alloc(arena, avail_len, 4);
	r->config.used = arena_alloc(arena, used_len, 4);
	r->desc = arena_ptr(arena, r->config.desc, 16ull * size);
	r->avail = arena_ptr(arena, r->config.avail, avail_len);
	r->used = arena_ptr(arena, r->config.used, used_len);
	r->pdesc = (void *)r->desc;
	r->driver_event = (void *)r->avail;
	r->device_event = (void *)r->used;
	ring_reset(r, features);
}

void ring_reset(struct guest_ring *r, u64 features)
{
	r->packed = features >> VIRTIO_F_RING_PACKED & 1;
	r->event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	memset(r->desc, 0, 16ull * r->size);
	memset(r->avail, 0, 6 + 2ull * r->size);
	memset(r->used, 0, 6 + 8ull * r->size);
	r->avail_idx = 0;
	r->exposed = 0;
	r->last_used = 0;
	r->nfree = r->size;
	r->first_free = 0;
	r->written = 0;
	r->shown = 0;
	r->taken = 0;
	memset(r->ndescs, 0, sizeof(r->ndescs));
	for (unsigned int i = 0; i < r->size; i++)
		r->next_free[i] = (u16)(i + 1);
}

/* --- split ----------------------------------------------------------------- */

void ring_desc(void *table, unsigned int i, u64 addr, u32 len, u16 flags,
	       u16 next)
{
	const struct vring_desc d = {
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};

	memcpy((u8 *)table + i * sizeof(d), &d, sizeof(d));	/* any address */
}

void ring_post(struct guest_ring *r, u16 head)
{
	u16 *entry = (u16 *)&r->avail->ring[r->avail_idx++ & (r->size - 1)];

	__atomic_store_n(entry, (__force u16)cpu_to_le16(head),
			 __ATOMIC_RELAXED);
}

static u16 buf_flags(const struct ring_buf *b)
{
	return b->in ? VRING_DESC_F_WRITE : 0;
}

static u16 ring_take_desc(struct guest_ring *r)
{
	u16 i = r->first_free;

	r->first_free = r->next_free[i];
	r->nfree--;
	return i;
}

/* @tail: what the last of @bufs links to, or -1. */
static int ring_add_direct(struct guest_ring *r, const struct ring_buf *bufs,
			   unsigned int n, int tail)
{
	u16 head = 0;

	for (unsigned int k = n; k--;) {
		u16 i = ring_take_desc(r);
		u16 flags = buf_flags(&bufs[k]);

		r->next_free[i] = (u16)(tail < 0 ? i : tail);
		if (tail >= 0)
			flags |= VRING_DESC_F_NEXT;
		ring_desc(r->desc, i, bufs[k].gpa, bufs[k].len, flags,
			  (u16)(tail < 0 ? 0 : tail));
		tail = i;
		head = i;
	}
	return head;
}

static int split_add(struct guest_ring *r, const struct ring_buf *bufs,
		     unsigned int n)
{
	int head;

	if (n > r->nfree)
		return -1;
	head = ring_add_direct(r, bufs, n, -1);
	r->ndescs[head] = (u16)n;
	ring_post(r, (u16)head);
	return head;
}

static int split_add_mixed(struct guest_ring *r, u64 table,
			   const struct ring_buf *bufs, unsigned int n,
			   unsigned int ndirect)
{
	unsigned int nindirect = n - ndirect;
	void *t = arena_ptr(r->arena, table, 16ull * nindirect);
	int head;

	if (ndirect + 1 > r->nfree)
		return -1;
	for (unsigned int i = 0; i < nindirect; i++) {
		bool more = i + 1 < nindirect;

		ring_desc(t, i, bufs[ndirect + i].gpa, bufs[ndirect + i].len,
			  buf_flags(&bufs[ndirect + i]) |
				  (more ? VRING_DESC_F_NEXT : 0),
			  (u16)(more ? i + 1 : 0));
	}
	head = ring_take_desc(r);
	r->next_free[head] = (u16)head;
	ring_desc(r->desc, (unsigned int)head, table, 16 * nindirect,
		  VRING_DESC_F_INDIRECT, 0);
	if (ndirect)
		head = ring_add_direct(r, bufs, ndirect, head);
	r->ndescs[head] = (u16)(ndirect + 1);
	ring_post(r, (u16)head);
	return head;
}

static u16 split_avail_event(const struct guest_ring *r)
{
	const u16 *event = (const u16 *)&r->used->ring[r->size];

	return le16_to_cpu((__force __le16)__atomic_load_n(event,
							   __ATOMIC_RELAXED));
}

static u16 split_used_flags(const struct guest_ring *r)
{
	return le16_to_cpu(__atomic_load_n(&r->used->flags, __ATOMIC_RELAXED));
}

static bool split_expose(struct guest_ring *r)
{
	u16 old = r->exposed, new = r->avail_idx;

	__atomic_store_n(&r->avail->idx, cpu_to_le16(new), __ATOMIC_RELEASE);
	r->exposed = new;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->event_idx)
		return (u16)(new - split_avail_event(r) - 1) < (u16)(new - old);
	return !(split_used_flags(r) & VRING_USED_F_NO_NOTIFY);
}

static u16 split_used_idx(const struct guest_ring *r)
{
	return le16_to_cpu(__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE));
}

static void split_free_chain(struct guest_ring *r, u32 head)
{
	u16 n = r->ndescs[head], last = (u16)head;

	r->ndescs[head] = 0;
	if (!n)
		return;	/* the test's own descriptors */
	for (u16 i = 1; i < n; i++)
		last = r->next_free[last];
	r->next_free[last] = r->first_free;
	r->first_free = (u16)head;
	r->nfree += n;
}

static void split_set_used_event(struct guest_ring *r, u16 event)
{
	u16 *at = (u16 *)&r->avail->ring[r->size];

	__atomic_store_n(at, (__force u16)cpu_to_le16(event), __ATOMIC_RELAXED);
}

static void ring_set_avail_flags(struct guest_ring *r, u16 flags)
{
	__atomic_store_n(&r->avail->flags, cpu_to_le16(flags),
			 __ATOMIC_RELAXED);
}

static bool split_get(struct guest_ring *r, u32 *id, u32 *len)
{
	const struct vring_used_elem *e;

	if (split_used_idx(r) == r->last_used)
		return false;
	e = &r->used->ring[r->last_used++ & (r->size - 1)];
	*id = le32_to_cpu(__atomic_load_n(&e->id, __ATOMIC_RELAXED));
	*len = le32_to_cpu(__atomic_load_n(&e->len, __ATOMIC_RELAXED));
	expect(*id < r->size);
	split_free_chain(r, *id);
	return true;
}

/* --- packed ---------------------------------------------------------------- */

/* 2.8.1: the first round has the counter 1. */
static bool packed_wrap(const struct guest_ring *r, u32 n)
{
	return !(n / r->size % 2);
}

static u16 packed_avail_flags(const struct guest_ring *r, u32 n)
{
	return packed_wrap(r, n) ? RING_AVAIL : RING_USED;
}

/* The flags of the first descriptor that is not shown come with ring_expose(). */
void ring_packed_desc(struct guest_ring *r, u64 addr, u32 len, u16 id,
		      u16 flags, u16 wrong)
{
	struct vring_packed_desc *d = &r->pdesc[r->written % r->size];

	flags |= packed_avail_flags(r, r->written) ^ wrong;
	d->addr = cpu_to_le64(addr);
	d->len = cpu_to_le32(len);
	d->id = cpu_to_le16(id);
	if (r->written == r->shown)
		r->shown_flags = flags;
	else
		__atomic_store_n(&d->flags, cpu_to_le16(flags),
				 __ATOMIC_RELAXED);
	r->written++;
}

static int packed_take_id(struct guest_ring *r, u16 ndescs)
{
	u16 id = r->first_free;

	r->first_free = r->next_free[id];
	r->ndescs[id] = ndescs;
	r->nfree -= ndescs;
	return id;
}

static int packed_add(struct guest_ring *r, const struct ring_buf *bufs,
		      unsigned int n)
{
	int id;

	if (n > r->nfree)
		return -1;
	id = packed_take_id(r, (u16)n);
	for (unsigned int i = 0; i < n; i++)
		ring_packed_desc(r, bufs[i].gpa, bufs[i].len,
				 /* 2.8.6: the last one's counts */
				 i + 1 < n ? 0xffff : (u16)id,
				 buf_flags(&bufs[i]) |
					 (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				 0);
	return id;
}

static int packed_add_indirect(struct guest_ring *r, u64 table,
			       const struct ring_buf *bufs, unsigned int n)
{
	void *t = arena_ptr(r->arena, table, 16ull * n);
	int id;

	if (!r->nfree)
		return -1;
	/* Length, id and flags stand where length, flags and next do. */
	for (unsigned int i = 0; i < n; i++)
		ring_desc(t, i, bufs[i].gpa, bufs[i].len, 0xffff,
			  buf_flags(&bufs[i]));
	id = packed_take_id(r, 1);
	ring_packed_desc(r, table, 16 * n, (u16)id, VRING_DESC_F_INDIRECT, 0);
	return id;
}

static u16 packed_read(const __le16 *at)
{
	return le16_to_cpu(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static u16 packed_avail_event(const struct guest_ring *r)
{
	u16 place = packed_read(&r->device_event->off_wrap);

	return (u16)((place & 0x7fff) + (place >> 15 ? 0 : r->size));
}

static bool packed_expose(struct guest_ring *r)
{
	u32 old = r->shown, n = r->written - old, round = 2u * r->size;
	u16 flags;

	if (n)
		__atomic_store_n(&r->pdesc[old % r->size].flags,
				 cpu_to_le16(r->shown_flags), __ATOMIC_RELEASE);
	r->shown = r->written;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = packed_read(&r->device_event->flags);
	if (flags == VRING_PACKED_EVENT_FLAG_DESC)
		return (packed_avail_event(r) + round - old % round) % round < n;
	return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
}

/* Whether the descriptor behind @n others is used. */
static bool packed_is_used(const struct guest_ring *r, u32 n)
{
	u16 flags = le16_to_cpu(__atomic_load_n(&r->pdesc[n % r->size].flags,
						__ATOMIC_ACQUIRE));

	return (flags & (RING_AVAIL | RING_USED)) ==
	       (packed_wrap(r, n) ? RING_AVAIL | RING_USED : 0);
}

static u16 packed_id(const struct guest_ring *r, u32 n)
{
	u16 id = packed_read(&r->pdesc[n % r->size].id);

	expect(id < r->size);
	return id;
}

static u16 packed_used_idx(const struct guest_ring *r)
{
	u32 n = r->taken;
	u16 idx = r->last_used;

	for (; n != r->shown && packed_is_used(r, n); idx++)
		n += r->ndescs[packed_id(r, n)];
	return idx;
}

static bool packed_get(struct guest_ring *r, u32 *id, u32 *len)
{
	const struct vring_packed_desc *d = &r->pdesc[r->taken % r->size];

	if (r->taken == r->shown || !packed_is_used(r, r->taken))
		return false;
	*id = packed_id(r, r->taken);
	*len = le32_to_cpu(__atomic_load_n(&d->len, __ATOMIC_RELAXED));
	expect(r->ndescs[*id]);
	/* 2.8.3: the flag tells whether there is a length at all. */
	expect(!*len == !(packed_read(&d->flags) & VRING_DESC_F_WRITE));
	r->taken += r->ndescs[*id];
	r->nfree += r->ndescs[*id];
	r->ndescs[*id] = 0;
	r->next_free[*id] = r->first_free;
	r->first_free = (u16)*id;
	r->last_used++;
	return true;
}

/* The place before the flags, as a driver must that changes both. */
static void packed_set_event(struct guest_ring *r, u16 flags, u32 n)
{
	u16 place = (u16)(n % r->size | (packed_wrap(r, n) ? 0x8000 : 0));

	__atomic_store_n(&r->driver_event->off_wrap, cpu_to_le16(place),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&r->driver_event->flags, cpu_to_le16(flags),
			 __ATOMIC_RELEASE);
}

/* --- either ---------------------------------------------------------------- */

int ring_add(struct guest_ring *r, const struct ring_buf *bufs, unsigned int n)
{
	return r->packed ? packed_add(r, bufs, n) : split_add(r, bufs, n);
}

int ring_add_mixed(struct guest_ring *r, u64 table, const struct ring_buf *bufs,
		   unsigned int n, unsigned int ndirect)
{
	return r->packed ? packed_add_indirect(r, table, bufs, n) :
			   split_add_mixed(r, table, bufs, n, ndirect);
}

int ring_add_indirect(struct guest_ring *r, u64 table,
		      const struct ring_buf *bufs, unsigned int n)
{
	return ring_add_mixed(r, table, bufs, n, 0);
}

u16 ring_avail_event(const struct guest_ring *r)
{
	return r->packed ? packed_avail_event(r) : split_avail_event(r);
}

u16 ring_used_flags(const struct guest_ring *r)
{
	return r->packed ? packed_read(&r->device_event->flags) :
			   split_used_flags(r);
}

bool ring_expose(struct guest_ring *r)
{
	return r->packed ? packed_expose(r) : split_expose(r);
}

bool ring_kick(struct guest_ring *r)
{
	u64 one = 1;

	if (!ring_expose(r)) {
		r->unkicked++;
		return false;
	}
	r->kicks++;
	expect(write(r->kick_fd, &one, sizeof(one)) == sizeof(one));
	return true;
}

u16 ring_used_idx(const struct guest_ring *r)
{
	return r->packed ? packed_used_idx(r) : split_used_idx(r);
}

bool ring_used_pending(const struct guest_ring *r)
{
	return ring_used_idx(r) != r->last_used;
}

bool ring_get(struct guest_ring *r, u32 *id, u32 *len)
{
	return r->packed ? packed_get(r, id, len) : split_get(r, id, len);
}

void ring_set_used_event(struct guest_ring *r, u16 event)
{
	if (r->packed)
		packed_set_event(r, VRING_PACKED_EVENT_FLAG_DESC, event);
	else
		split_set_used_event(r, event);
}

void ring_calls_off(struct guest_ring *r)
{
	if (r->packed)
		packed_set_event(r, VRING_PACKED_EVENT_FLAG_DISABLE, 0);
	else if (r->event_idx)	/* one that was passed long ago */
		ring_set_used_event(r, (u16)(r->last_used - 0x8000));
	else
		ring_set_avail_flags(r, VRING_AVAIL_F_NO_INTERRUPT);
}

bool ring_calls_on(struct guest_ring *r)
{
	if (r->packed)
		packed_set_event(r, r->event_idx ?
					    VRING_PACKED_EVENT_FLAG_DESC :
					    VRING_PACKED_EVENT_FLAG_ENABLE,
				 r->taken);
	else if (r->event_idx)
		ring_set_used_event(r, r->last_used);
	else
		ring_set_avail_flags(r, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_used_pending(r);
}

bool ring_wait_call(struct guest_ring *r, int timeout_ms)
{
	struct pollfd p = { .fd = r->call_fd, .events = POLLIN };
	u64 count;

	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	return read(r->call_fd, &count, sizeof(count)) == sizeof(count);
}

u32 ring_wait_used(struct guest_ring *r, u32 *len)
{
	u32 id;

	while (!ring_get(r, &id, len)) {
		if (ring_calls_on(r))
			continue;
		if (!ring_wait_call(r, RING_TIMEOUT_MS))
			ck_abort_msg("no interrupt; used index %u, taken %u",
				     ring_used_idx(r), r->last_used);
	}
	return id;
}

unsigned int test_scale(unsigned int n)
{
	const char *percent = getenv("LKVM_TEST_SCALE");
	u64 scaled = percent ? (u64)n * strtoul(percent, NULL, 10) / 100 : n;

	return scaled ? (unsigned int)scaled : 1;
}
