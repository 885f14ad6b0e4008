// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed virtqueue (virtio 1.2, 2.8): one ring of descriptors that the driver
 * makes available, and the device overwrites with used ones, both in ring order;
 * two flags and the round through the ring tell whose a descriptor is.
 * Barriers: see virtqueue.c.
 *
 * A buffer's id is the driver's own, and is handed back as it came; what keeps a
 * hostile driver in bounds is that no more descriptors are taken than the ring
 * holds: so a used one always overwrites one that was read.
 */
#include "inspect.h"
#include "virtio/ring_layout.h"
#include <string.h>

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED (1u << VRING_PACKED_DESC_F_USED)

/* 2.8.14: event suppression, here as one word: place, round, flags. */
#define EVENT_FLAGS(event) ((event) >> 16 & 3)
#define EVENT_PLACE(event) ((struct packed_place){		\
	.at = (event) & 0x7fff,					\
	.wrap = (event) >> VRING_PACKED_EVENT_F_WRAP_CTR & 1,	\
})

int packed_init(struct virtqueue *vq, const struct virtqueue_config *config)
{
	struct packed_ring *r = &vq->packed;

	/* 2.8.10.1: alignment of the three parts; any size will do. */
	if (config->desc % 16 || config->avail % 4 || config->used % 4)
		return virtqueue_malformed(vq, "ring alignment");
	r->desc = guest_ptr(vq->mem, config->desc, 16ul * vq->size);
	r->driver_event = guest_ptr(vq->mem, config->avail, 4);
	r->device_event = guest_ptr(vq->mem, config->used, 4);
	if (!r->desc || !r->driver_event || !r->device_event)
		return virtqueue_malformed(vq, "ring address");
	r->avail.wrap = true;
	r->used.wrap = true;
	return 0;
}

/* @n is at most the size of the ring. */
static void packed_advance(const struct virtqueue *vq, struct packed_place *p,
			   unsigned int n)
{
	unsigned int at = p->at + n;

	if (at >= vq->size) {
		at -= vq->size;
		p->wrap = !p->wrap;
	}
	p->at = (u16)at;
}

/* How far it is from @from to @to, which lies less than two rounds ahead. */
static unsigned int packed_distance(const struct virtqueue *vq,
				    struct packed_place from,
				    struct packed_place to)
{
	unsigned int rounds = from.wrap == to.wrap ? 0 : vq->size;

	if (to.at >= from.at || rounds)
		return to.at + rounds - from.at;
	return to.at + 2u * vq->size - from.at;
}

/* 2.8.1: the driver has made it available in this round. */
static inline bool packed_is_avail(u16 flags, bool wrap)
{
	return (flags & (AVAIL | USED)) == (wrap ? AVAIL : USED);
}

/* Barrier A, if it is the first descriptor of a chain. */
static inline u16 packed_flags(const struct virtqueue *vq, u16 at)
{
	return le16_to_cpu(load_acquire(&vq->packed.desc[at].flags));
}

/*
 * The only read of a descriptor but for its flags: what is checked is what is
 * used, and the fence keeps the compiler from looking again.  An indirect table
 * may stand at any address.
 */
static inline struct packed_desc packed_snapshot(const u8 *table, unsigned int i)
{
	struct packed_desc d;

	memcpy(&d, table + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

/* 2.8.7: all of a table is the chain; flags but WRITE, and ids, mean nothing. */
static int packed_walk_table(struct virtqueue *vq, struct chain_buffers *chain,
			     const struct packed_desc *d, u16 flags)
{
	struct chain_buffers b = *chain;	/* in registers */
	u32 len = le32_to_cpu(d->len);
	const u8 *table;

	if (virtqueue_indirect(vq, le64_to_cpu(d->addr), len, flags, &table))
		return -EINVAL;
	for (unsigned int i = 0; i < len / sizeof(*d); i++) {
		const struct packed_desc e = packed_snapshot(table, i);
		int err = chain_add_buffer(vq, &b, le64_to_cpu(e.addr),
					   le32_to_cpu(e.len),
					   le16_to_cpu(e.flags));

		if (err)
			return err;
	}
	*chain = b;
	return 0;
}

static int packed_add(struct virtqueue *vq, struct chain_buffers *b,
		      const struct packed_desc *d, u16 flags, bool first)
{
	if (!(flags & VRING_DESC_F_INDIRECT))
		return chain_add_buffer(vq, b, le64_to_cpu(d->addr),
					le32_to_cpu(d->len), flags);
	/* 2.8.5: a chain is of one kind. */
	if (!first)
		return virtqueue_malformed(vq, "indirect behind direct");
	return packed_walk_table(vq, b, d, flags);
}

int packed_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
	       struct iovec *iov, unsigned int max)
{
	struct packed_ring *r = &vq->packed;
	struct chain_buffers b = { .next = iov, .end = iov + max };
	struct packed_place p = r->avail;
	u16 flags = packed_flags(vq, p.at), left = vq->size - r->taken;
	struct packed_desc d;
	int err;

	if (!left || !packed_is_avail(flags, p.wrap))
		return 0;
	for (;;) {
		d = packed_snapshot((const u8 *)r->desc, p.at);
		err = packed_add(vq, &b, &d, flags, b.next == iov);
		if (err)
			return err;
		packed_advance(vq, &p, 1);
		left--;
		if (!(flags & VRING_DESC_F_NEXT))
			break;
		if (!left)
			return virtqueue_malformed(vq, "chain longer than the ring");
		flags = packed_flags(vq, p.at);
		if (!packed_is_avail(flags, p.wrap))
			return virtqueue_malformed(vq, "chain without an end");
	}
	chain->id = le16_to_cpu(d.id);	/* 2.8.6: in the last one */
	chain->ndescs = (u16)(vq->size - r->taken - left);
	chain_count(chain, &b, iov);
	r->taken += chain->ndescs;
	r->avail = p;
	return 1;
}

/*
 * The next used descriptor.  The first one of a batch keeps the flags of an
 * available one until publish: the driver looks no further (2.8.2).
 */
void packed_push(struct virtqueue *vq, const struct virtqueue_chain *chain,
		 u32 len)
{
	struct packed_ring *r = &vq->packed;
	struct packed_desc *d = &r->desc[r->used.at];
	u16 flags = r->used.wrap ? AVAIL | USED : 0;

	if (len)	/* 2.8.3 */
		flags |= VRING_DESC_F_WRITE;
	write_once(&d->id, cpu_to_le16(chain->id));
	write_once(&d->len, cpu_to_le32(len));
	if (virtqueue_unpublished(vq)) {
		write_once(&d->flags, cpu_to_le16(flags));
	} else {
		r->first = r->used;
		r->first_flags = flags;
	}
	packed_advance(vq, &r->used, chain->ndescs);
	r->taken -= chain->ndescs;
	vq->used_idx++;
}

bool packed_publish(struct virtqueue *vq)
{
	const struct packed_ring *r = &vq->packed;
	u32 event;

	/* Barrier B */
	store_release(&r->desc[r->first.at].flags, cpu_to_le16(r->first_flags));
	vq->published = vq->used_idx;
	full_fence();	/* Barrier C */
	event = le32_to_cpu(read_once(r->driver_event));
	if (EVENT_FLAGS(event) == VRING_PACKED_EVENT_FLAG_DISABLE)
		return false;
	if (EVENT_FLAGS(event) != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx)
		return true;
	/* 2.8.10: when that descriptor is among those that were used. */
	return packed_distance(vq, r->first, EVENT_PLACE(event)) <
	       packed_distance(vq, r->first, r->used);
}

/*
 * How many chains wait, up to @enough; @p moves behind the last of them.  It is
 * the first descriptor that makes a chain available.
 */
static unsigned int packed_count(const struct virtqueue *vq,
				 unsigned int enough, struct packed_place *p)
{
	struct packed_place at = vq->packed.avail;
	unsigned int left = vq->size - vq->packed.taken, n = 0;
	bool first = true;

	for (; left && (n < enough || !first); left--) {
		u16 flags = packed_flags(vq, at.at);

		if (!packed_is_avail(flags, at.wrap))
			break;
		n += first;
		first = !(flags & VRING_DESC_F_NEXT);
		packed_advance(vq, &at, 1);
	}
	*p = at;
	return n;
}

int packed_waiting(struct virtqueue *vq, unsigned int enough)
{
	struct packed_place p;

	return (int)packed_count(vq, enough, &p);
}

static void packed_set_event(struct virtqueue *vq, u32 flags,
			     struct packed_place p)
{
	u32 event = flags << 16 | p.at |
		    (u32)p.wrap << VRING_PACKED_EVENT_F_WRAP_CTR;

	if (vq->packed.event == event)
		return;
	vq->packed.event = event;
	write_once(vq->packed.device_event, cpu_to_le32(event));
}

void packed_kicks_off(struct virtqueue *vq)
{
	packed_set_event(vq, VRING_PACKED_EVENT_FLAG_DISABLE,
			 (struct packed_place){ .at = 0 });
}

/*
 * With EVENT_IDX the driver kicks when it makes a certain descriptor available:
 * that of the chain in question if those before it take up one each, as tables
 * do.  If they take up more, it is early.
 */
bool packed_kicks_on(struct virtqueue *vq, u16 n)
{
	struct packed_place p;
	unsigned int before;

	if (!vq->event_idx) {
		packed_set_event(vq, VRING_PACKED_EVENT_FLAG_ENABLE,
				 (struct packed_place){ .at = 0 });
		full_fence();	/* Barrier D */
		return packed_count(vq, 1, &p);
	}
	before = packed_count(vq, n, &p);
	if (before >= n)
		return true;
	packed_advance(vq, &p, n - before - 1);
	packed_set_event(vq, VRING_PACKED_EVENT_FLAG_DESC, p);
	full_fence();	/* Barrier D */
	return packed_count(vq, n, &p) > before;
}

void packed_inspect(const struct virtqueue *vq, const struct inspector *to)
{
	const struct packed_ring *r = &vq->packed;

	inspect(to, "avail_at", r->avail.at);
	inspect(to, "avail_wrap", r->avail.wrap);
	inspect(to, "used_at", r->used.at);
	inspect(to, "used_wrap", r->used.wrap);
	inspect(to, "taken", r->taken);
	inspect(to, "driver_event", le32_to_cpu(read_once(r->driver_event)));
	inspect(to, "device_event", r->event);
	inspect(to, "kicks_on",
		EVENT_FLAGS(r->event) != VRING_PACKED_EVENT_FLAG_DISABLE);
}
