// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueue, device side (virtio 1.2, 2.7).
 *
 * Barriers, each with its partner in the driver:
 *   A  avail index load-acquire   driver's store-release of the avail index:
 *				   entries and descriptors are visible before it
 *   B  used index store-release   driver's load-acquire of the used index
 *   C  publish, fence, look at used_event   driver: set used_event, fence, look
 *				   at the used index: no interrupt is missed
 *   D  set avail_event, fence, look at avail index   driver: store avail index,
 *				   fence, look at avail_event: no kick is missed
 */
#include "virtio/virtqueue.h"
#include "barrier.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

static bool feature(u64 features, unsigned int bit)
{
	return features >> bit & 1;
}

static int virtqueue_malformed(struct virtqueue *vq, const char *error)
{
	vq->error = error;
	return -EINVAL;
}

/* 2.7.6: the driver's interrupt hint stands behind the avail entries. */
static u16 virtqueue_used_event(const struct virtqueue *vq)
{
	return le16_to_cpu(read_once(&vq->avail->ring[vq->size]));
}

/* 2.7.8: ours, for kicks, stands behind the used entries. */
static void virtqueue_set_avail_event(struct virtqueue *vq, u16 value)
{
	__le16 *event = (__le16 *)&vq->used->ring[vq->size];

	vq->avail_event = value;
	write_once(event, cpu_to_le16(value));
}

int virtqueue_init(struct virtqueue *vq, const struct guest_memory *mem,
		   const struct virtqueue_config *config, u64 features)
{
	u16 size = config->size;

	memset(vq, 0, sizeof(*vq));
	if (!size || size > VIRTQUEUE_SIZE_MAX || size & (size - 1))
		return virtqueue_malformed(vq, "queue size");
	/* 2.7: alignment of the three parts. */
	if (config->desc % 16 || config->avail % 2 || config->used % 4)
		return virtqueue_malformed(vq, "ring alignment");
	vq->mem = mem;
	vq->region = mem->region;
	vq->size = size;
	vq->event_idx = feature(features, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = feature(features, VIRTIO_RING_F_INDIRECT_DESC);
	vq->desc = guest_ptr(mem, config->desc, 16ul * size);
	vq->avail = guest_ptr(mem, config->avail, 6 + 2ul * size);
	vq->used = guest_ptr(mem, config->used, 6 + 8ul * size);
	if (!vq->desc || !vq->avail || !vq->used)
		return virtqueue_malformed(vq, "ring address");
	return 0;
}

int virtqueue_waiting(struct virtqueue *vq)
{
	/* Barrier A */
	u16 idx = le16_to_cpu(load_acquire(&vq->avail->idx));
	u16 waiting = (u16)(idx - vq->next_avail);

	if (waiting > vq->size)
		return virtqueue_malformed(vq, "avail index");
	vq->avail_idx = idx;
	return waiting;
}

static void *virtqueue_other_region(struct virtqueue *vq, u64 gpa, u32 len)
{
	const struct guest_memory *mem = vq->mem;
	void *host = NULL;

	for (unsigned int i = 0; !host && i < mem->nregions; i++) {
		vq->region = &mem->region[i];
		host = guest_region_ptr(vq->region, gpa, len);
	}
	return host;
}

/* guest_ptr(), but most buffers lie in the same region. */
static inline void *virtqueue_ptr(struct virtqueue *vq, u64 gpa, u32 len)
{
	void *host = guest_region_ptr(vq->region, gpa, len);

	return host ? host : virtqueue_other_region(vq, gpa, len);
}

/* A table of descriptors, the queue's own or an indirect one, where to begin. */
struct desc_table {
	const u8 *desc;
	u32 size;
	u16 first;
	bool indirect;
};

/* The buffers of a chain so far. */
struct chain_buffers {
	struct iovec *iov;
	unsigned int n;
	unsigned int max;
	unsigned int nout;
	bool in;		/* a writable one was there */
};

/*
 * The only read of a descriptor: what is checked is what is used, and the
 * fence keeps the compiler from looking again.  An indirect table may stand at
 * any address.
 */
static struct virtq_desc desc_snapshot(const struct desc_table *table, u16 i)
{
	struct virtq_desc d;

	memcpy(&d, table->desc + i * sizeof(d), sizeof(d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

/* 2.7.5.3: @d holds a table of its own instead of a buffer. */
static int desc_table_indirect(struct virtqueue *vq,
			       const struct virtq_desc *d, u16 flags,
			       struct desc_table *table)
{
	u32 len = le32_to_cpu(d->len);

	if (!vq->indirect)
		return virtqueue_malformed(vq, "indirect not negotiated");
	if (table->indirect)
		return virtqueue_malformed(vq, "indirect in indirect");
	if (flags & VRING_DESC_F_NEXT)
		return virtqueue_malformed(vq, "indirect with next");
	if (!len || len % sizeof(*d) ||
	    len / sizeof(*d) > VIRTQUEUE_SIZE_MAX)
		return virtqueue_malformed(vq, "indirect table size");
	*table = (struct desc_table){
		.desc = virtqueue_ptr(vq, le64_to_cpu(d->addr), len),
		.size = len / sizeof(*d),
		.indirect = true,
	};
	if (!table->desc)
		return virtqueue_malformed(vq, "indirect table address");
	return 1;
}

static inline int chain_add_buffer(struct virtqueue *vq,
				   struct chain_buffers *b,
				   const struct virtq_desc *d, u16 flags)
{
	u32 len = le32_to_cpu(d->len);
	void *host;

	if (b->n == b->max)
		return virtqueue_malformed(vq, "chain too long");
	host = virtqueue_ptr(vq, le64_to_cpu(d->addr), len);
	if (!host)
		return virtqueue_malformed(vq, "buffer address");
	if (flags & VRING_DESC_F_WRITE)
		b->in = true;
	else if (b->in)		/* 2.7.4.2: readable ones come first */
		return virtqueue_malformed(vq, "readable buffer after writable");
	else
		b->nout++;
	b->iov[b->n++] = (struct iovec){ .iov_base = host, .iov_len = len };
	return 0;
}

/*
 * Follow the chain in a table of n descriptors, which can hold a chain of n at
 * most: the countdown ends a loop.  Returns 0 at its end, 1 if it goes on in
 * @t, an indirect table, or -EINVAL.
 */
static int virtqueue_walk(struct virtqueue *vq, struct desc_table *t,
			  struct chain_buffers *chain)
{
	const struct desc_table table = *t;	/* in registers, as these: */
	struct chain_buffers b = *chain;
	u32 left = table.size;
	u16 i = table.first, flags;

	do {
		struct virtq_desc d;
		int err;

		if (i >= table.size)
			return virtqueue_malformed(vq, "descriptor index");
		if (!left--)
			return virtqueue_malformed(vq, "looping chain");
		d = desc_snapshot(&table, i);
		flags = le16_to_cpu(d.flags);
		i = le16_to_cpu(d.next);
		if (flags & VRING_DESC_F_INDIRECT) {
			*chain = b;
			return desc_table_indirect(vq, &d, flags, t);
		}
		err = chain_add_buffer(vq, &b, &d, flags);
		if (err)
			return err;
	} while (flags & VRING_DESC_F_NEXT);
	*chain = b;
	return 0;
}

int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
		  struct iovec *iov, unsigned int max)
{
	struct chain_buffers b = { .iov = iov, .max = max };
	struct desc_table table = {
		.desc = (const u8 *)vq->desc,
		.size = vq->size,
	};
	u16 head;
	int more;

	if (vq->avail_idx == vq->next_avail) {
		int waiting = virtqueue_waiting(vq);

		if (waiting <= 0)
			return waiting;
	}
	head = le16_to_cpu(read_once(
		&vq->avail->ring[vq->next_avail & (vq->size - 1)]));
	table.first = head;
	do
		more = virtqueue_walk(vq, &table, &b);
	while (more > 0);
	if (more < 0)
		return more;
	vq->next_avail++;
	*chain = (struct virtqueue_chain){
		.head = head,
		.nout = (u16)b.nout,
		.nin = (u16)(b.n - b.nout),
	};
	return 1;
}

bool virtqueue_publish(struct virtqueue *vq)
{
	u16 old = vq->published, new = vq->used_idx;

	if (new == old)
		return false;
	/* Barrier B */
	store_release(&vq->used->idx, cpu_to_le16(new));
	vq->published = new;
	full_fence();	/* Barrier C */
	if (!vq->event_idx)
		return !(le16_to_cpu(read_once(&vq->avail->flags)) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	/* 2.7.7.2: when the index passes the one the driver waits for. */
	return vring_need_event(virtqueue_used_event(vq), new, old);
}

/*
 * With EVENT_IDX the driver kicks when its index passes avail_event.  It stays
 * behind by itself, unless it was set ahead, or the indices come round to it.
 */
void virtqueue_kicks_off(struct virtqueue *vq)
{
	if (vq->event_idx) {
		u16 behind = (u16)(vq->next_avail - 1);

		if ((u16)(behind - vq->avail_event) >= 0x8000)
			virtqueue_set_avail_event(vq, behind);
	} else if (!vq->kicks_off) {
		vq->kicks_off = true;
		write_once(&vq->used->flags,
			   cpu_to_le16(VRING_USED_F_NO_NOTIFY));
	}
}

bool virtqueue_kicks_on(struct virtqueue *vq, u16 n)
{
	u16 waiting;

	if (vq->event_idx) {
		virtqueue_set_avail_event(vq, (u16)(vq->next_avail + n - 1));
	} else {
		n = 1;
		vq->kicks_off = false;
		write_once(&vq->used->flags, cpu_to_le16(0));
	}
	full_fence();	/* Barrier D */
	waiting = (u16)(le16_to_cpu(read_once(&vq->avail->idx)) -
			vq->next_avail);
	return waiting >= n;
}
