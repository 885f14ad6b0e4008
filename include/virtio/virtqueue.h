/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a split virtqueue (virtio 1.2, 2.7).
 *
 * A virtqueue belongs to one thread.  Only what is here and in virtqueue.c reads
 * or writes a guest ring; everything in it is hostile: each index and descriptor is read once,
 * checked, and handed out as host memory.  Popped chains are given back by
 * virtqueue_push() in any order; the guest sees them when virtqueue_publish()
 * moves the used index, once per batch.
 */
#ifndef LKVM_VIRTIO_VIRTQUEUE_H
#define LKVM_VIRTIO_VIRTQUEUE_H

#include "barrier.h"
#include "endian.h"
#include "kvm/memory.h"
#include <linux/virtio_ring.h>
#include <sys/uio.h>

#define VIRTQUEUE_SIZE_MAX 1024

/*
 * The parts of a ring as the guest sees them: uapi's vring_* with their byte
 * order, which is little-endian for every device of virtio 1.
 */
struct virtq_desc {	/* 2.7.5 */
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};
_Static_assert(sizeof(struct virtq_desc) == sizeof(struct vring_desc), "2.7.5");

struct virtq_avail {	/* 2.7.6; used_event stands behind ring[size] */
	__le16 flags;
	__le16 idx;
	__le16 ring[];
};
_Static_assert(sizeof(struct virtq_avail) == sizeof(struct vring_avail), "2.7.6");

struct virtq_used_elem {
	__le32 id;
	__le32 len;
};
_Static_assert(sizeof(struct virtq_used_elem) ==
	       sizeof(struct vring_used_elem), "2.7.8");

struct virtq_used {	/* 2.7.8; avail_event stands behind ring[size] */
	__le16 flags;
	__le16 idx;
	struct virtq_used_elem ring[];
};

/* What the driver has set; guest physical addresses. */
struct virtqueue_config {
	u16 size;
	u64 desc;
	u64 avail;
	u64 used;
};

struct virtqueue {
	const struct guest_memory *mem;
	const struct guest_region *region;	/* where the last buffer was */
	const struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 size;
	bool event_idx;
	bool indirect;
	bool kicks_off;		/* without EVENT_IDX: NO_NOTIFY is set */
	u16 next_avail;		/* the next avail entry to pop */
	u16 avail_idx;		/* the driver's index when last looked at */
	u16 used_idx;		/* entries pushed */
	u16 published;		/* entries the guest can see */
	u16 avail_event;	/* as the driver sees it */
	const char *error;	/* what was malformed, if something was */
};

/* One popped chain: @nout readable, then @nin writable host buffers. */
struct virtqueue_chain {
	u16 head;
	u16 nout;
	u16 nin;
};

/*
 * Take over the rings at @config with the negotiated @features.  -EINVAL if
 * they are misaligned, not in guest memory, or of a wrong size; then ->error
 * says what.  Indices start at 0.
 */
int virtqueue_init(struct virtqueue *vq, const struct guest_memory *mem,
		   const struct virtqueue_config *config, u64 features);

/*
 * Pop the next chain into @iov, which has room for @max buffers.  Returns 1,
 * 0 if the ring is empty, or -EINVAL if the guest has made a mess: ->error says
 * which, and the queue must not be used again until it is reset.
 */
int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
		  struct iovec *iov, unsigned int max);

/* Give chain @head back with @len bytes written; not seen before publish. */
static inline void virtqueue_push(struct virtqueue *vq, u16 head, u32 len)
{
	struct virtq_used_elem *e;

	e = &vq->used->ring[vq->used_idx & (vq->size - 1)];
	write_once(&e->id, cpu_to_le32(head));
	write_once(&e->len, cpu_to_le32(len));
	vq->used_idx++;
}

/*
 * Show the guest all that was pushed.  Returns whether it wants an interrupt
 * for it.  Cheap when nothing was pushed.
 */
bool virtqueue_publish(struct virtqueue *vq);

/* How many entries there are to publish. */
static inline u16 virtqueue_unpublished(const struct virtqueue *vq)
{
	return (u16)(vq->used_idx - vq->published);
}

/*
 * How many chains can be popped now, or -EINVAL, with ->error, when the driver
 * claims more than the ring holds.
 */
int virtqueue_waiting(struct virtqueue *vq);

/* Ask the driver not to kick: the queue is being looked at anyway. */
void virtqueue_kicks_off(struct virtqueue *vq);
/*
 * Ask it to kick again, when @n chains wait (1 to the size of the ring; without
 * EVENT_IDX always at the first).  Returns true if they do already: those that
 * came before may have brought no kick.
 */
bool virtqueue_kicks_on(struct virtqueue *vq, u16 n);

#endif
