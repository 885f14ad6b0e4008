// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueue (virtio 1.2, 2.7): a table of descriptors, a ring of heads
 * from the driver, a ring of heads from the device.  Barriers: see virtqueue.c.
 */
#include "inspect.h"
#include "virtio/ring_layout.h"
#include <string.h>

/* 2.7.6: the driver's interrupt hint stands behind the avail entries. */
static u16 split_used_event(const struct virtqueue *vq)
{
	return le16_to_cpu(read_once(&vq->split.avail->ring[vq->size]));
}

/* 2.7.8: ours, for kicks, stands behind the used entries. */
static void split_set_avail_event(struct virtqueue *vq, u16 value)
{
	__le16 *event = (__le16 *)&vq->split.used->ring[vq->size];

	vq->split.avail_event = value;
	write_once(event, cpu_to_le16(value));
}

int split_init(struct virtqueue *vq, const struct virtqueue_config *config)
{
	struct split_ring *r = &vq->split;
	u16 size = vq->size;

	if (size & (size - 1))
		return virtqueue_malformed(vq, "queue size");
	/* 2.7: alignment of the three parts. */
	if (config->desc % 16 || config->avail % 2 || config->used % 4)
		return virtqueue_malformed(vq, "ring alignment");
	r->desc = guest_ptr(vq->mem, config->desc, 16ul * size);
	r->avail = guest_ptr(vq->mem, config->avail, 6 + 2ul * size);
	r->used = guest_ptr(vq->mem, config->used, 6 + 8ul * size);
	if (!r->desc || !r->avail || !r->used)
		return virtqueue_malformed(vq, "ring address");
	return 0;
}

int split_waiting(struct virtqueue *vq)
{
	/* Barrier A */
	u16 idx = le16_to_cpu(load_acquire(&vq->split.avail->idx));
	u16 waiting = (u16)(idx - vq->split.next_avail);

	if (waiting > vq->size)
		return virtqueue_malformed(vq, "avail index");
	vq->split.avail_idx = idx;
	return waiting;
}

/* A table of descriptors, the queue's own or an indirect one. */
struct desc_table {
	const u8 *desc;
	u32 size;
	const struct iovec *first;	/* what it describes begins there */
	bool indirect;
};

/*
 * The only read of a descriptor: what is checked is what is used, and the
 * fence keeps the compiler from looking again.  An indirect table may stand at
 * any address.
 */
static inline struct virtq_desc desc_snapshot(const struct desc_table *table,
					      u32 i)
{
	struct virtq_desc d;

	memcpy(&d, table->desc + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

/* 2.7.5.3: @d holds a table of its own instead of a buffer. */
static inline int desc_table_enter(struct virtqueue *vq,
				   const struct virtq_desc *d, u16 flags,
				   struct desc_table *table)
{
	u32 len = le32_to_cpu(d->len);

	if (table->indirect)
		return virtqueue_malformed(vq, "indirect in indirect");
	table->size = len / sizeof(*d);
	table->indirect = true;
	return virtqueue_indirect(vq, le64_to_cpu(d->addr), len, flags,
				  &table->desc);
}

/* A chain that goes on when each descriptor was used is no long one. */
static int split_malformed(struct virtqueue *vq, const struct desc_table *table,
			   const struct chain_buffers *b)
{
	if (b->next == b->end && b->end - table->first >= table->size)
		return virtqueue_malformed(vq, "looping chain");
	return -EINVAL;
}

/*
 * Follow the chain from its head on: it ends, or room for it does, so that loops
 * do too.  0 or -EINVAL.
 */
static inline int split_walk(struct virtqueue *vq, u32 i,
			     struct chain_buffers *b)
{
	struct desc_table table = {
		.desc = (const u8 *)vq->split.desc,
		.size = vq->size,
		.first = b->next,
	};
	u16 flags;
	int err;

	do {
		struct virtq_desc d;

		if (i >= table.size)
			return virtqueue_malformed(vq, "descriptor index");
		d = desc_snapshot(&table, i);
		flags = le16_to_cpu(d.flags);
		i = le16_to_cpu(d.next);
		if (flags & VRING_DESC_F_INDIRECT) {
			table.first = b->next;
			err = desc_table_enter(vq, &d, flags, &table);
			flags = VRING_DESC_F_NEXT;
			i = 0;
		} else {
			err = chain_add_buffer(vq, b, le64_to_cpu(d.addr),
					       le32_to_cpu(d.len), flags);
		}
		if (err)
			return split_malformed(vq, &table, b);
	} while (flags & VRING_DESC_F_NEXT);
	return 0;
}

int split_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
	      struct iovec *iov, unsigned int max)
{
	struct split_ring *r = &vq->split;
	struct chain_buffers b = { .next = iov, .end = iov + max };
	int err;

	if (r->avail_idx == r->next_avail) {
		int waiting = split_waiting(vq);

		if (waiting <= 0)
			return waiting;
	}
	chain->id = le16_to_cpu(read_once(
		&r->avail->ring[r->next_avail & (vq->size - 1)]));
	err = split_walk(vq, chain->id, &b);
	if (err)
		return err;
	r->next_avail++;
	chain_count(chain, &b, iov);
	return 1;
}

bool split_publish(struct virtqueue *vq)
{
	u16 old = vq->published, new = vq->used_idx;

	/* Barrier B */
	store_release(&vq->split.used->idx, cpu_to_le16(new));
	vq->published = new;
	full_fence();	/* Barrier C */
	if (!vq->event_idx)
		return !(le16_to_cpu(read_once(&vq->split.avail->flags)) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	/* 2.7.7.2: when the index passes the one the driver waits for. */
	return vring_need_event(split_used_event(vq), new, old);
}

/*
 * With EVENT_IDX the driver kicks when its index passes avail_event.  It may ask only
 * behind several additions, of which we took some already, so for no kicks
 * avail_event is a whole ring behind.
 */
static u16 split_behind(const struct virtqueue *vq)
{
	return (u16)(vq->split.next_avail - vq->size - 1);
}

static bool split_is_behind(const struct virtqueue *vq)
{
	return (u16)(split_behind(vq) - vq->split.avail_event) < 0x8000;
}

/* It stays behind by itself, unless it was set ahead, or the indices come round to it. */
void split_kicks_off(struct virtqueue *vq)
{
	struct split_ring *r = &vq->split;

	if (vq->event_idx) {
		if (!split_is_behind(vq))
			split_set_avail_event(vq, split_behind(vq));
	} else if (!r->kicks_off) {
		r->kicks_off = true;
		write_once(&r->used->flags,
			   cpu_to_le16(VRING_USED_F_NO_NOTIFY));
	}
}

bool split_kicks_on(struct virtqueue *vq, u16 n)
{
	struct split_ring *r = &vq->split;
	u16 waiting;

	if (vq->event_idx) {
		split_set_avail_event(vq, (u16)(r->next_avail + n - 1));
	} else {
		n = 1;
		r->kicks_off = false;
		write_once(&r->used->flags, cpu_to_le16(0));
	}
	full_fence();	/* Barrier D */
	waiting = (u16)(le16_to_cpu(read_once(&r->avail->idx)) - r->next_avail);
	/* Not what a driver wrote: rings that overlap, so that kicks change it. */
	if (waiting > vq->size)
		return virtqueue_malformed(vq, "avail index") > 0;
	return waiting >= n;
}

void split_inspect(const struct virtqueue *vq, const struct inspector *to)
{
	const struct split_ring *r = &vq->split;
	bool on = vq->event_idx ? !split_is_behind(vq) : !r->kicks_off;

	inspect(to, "avail_idx", le16_to_cpu(read_once(&r->avail->idx)));
	inspect(to, "last_avail_idx", r->next_avail);
	inspect(to, "avail_flags", le16_to_cpu(read_once(&r->avail->flags)));
	inspect(to, "avail_event", r->avail_event);
	inspect(to, "used_idx", le16_to_cpu(read_once(&r->used->idx)));
	if (vq->event_idx)
		inspect(to, "used_event", split_used_event(vq));
	inspect(to, "kicks_on", on);
}
