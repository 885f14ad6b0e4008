/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a virtqueue, split (virtio 1.2, 2.7) or packed (2.8) as
 * the driver has negotiated; nobody else needs to know which.
 *
 * A virtqueue belongs to one thread.  Only virtqueue.c, split.c, packed.c and
 * what is here read or write a guest ring; everything in it is hostile: each
 * index and descriptor is read once, checked, and handed out as host memory.
 * Popped chains are given back by virtqueue_push() in any order; the guest sees
 * them when virtqueue_publish() shows them all at once, once per batch.
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

struct packed_desc {	/* 2.8.13 */
	__le64 addr;
	__le32 len;
	__le16 id;
	__le16 flags;
};
_Static_assert(sizeof(struct packed_desc) == sizeof(struct vring_packed_desc),
	       "2.8.13");

/* What the driver has set; guest physical addresses. */
struct virtqueue_config {
	u16 size;
	u64 desc;
	u64 avail;	/* packed: driver event suppression */
	u64 used;	/* packed: device event suppression */
};

struct inspector;

struct split_ring {
	const struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	u16 next_avail;		/* the next avail entry to pop */
	u16 avail_idx;		/* the driver's index when last looked at */
	u16 avail_event;	/* as the driver sees it */
	bool kicks_off;		/* without EVENT_IDX: NO_NOTIFY is set */
};

/* A descriptor of a packed ring, in the round that is told by @wrap (2.8.1). */
struct packed_place {
	u16 at;
	bool wrap;
};

struct packed_ring {
	struct packed_desc *desc;
	const __le32 *driver_event;	/* 2.8.14: a place, and flags above it */
	__le32 *device_event;
	struct packed_place avail;	/* the next to pop */
	struct packed_place used;	/* the next to push */
	struct packed_place first;	/* of what was pushed, not published ... */
	u16 first_flags;		/* ... and what will show it */
	u16 taken;			/* descriptors popped, not pushed */
	u32 event;			/* *device_event */
};

struct virtqueue {
	const struct guest_memory *mem;
	const struct guest_region *region;	/* where the last buffer was */
	u16 size;
	bool is_packed;
	bool event_idx;
	bool indirect;
	u16 used_idx;		/* chains pushed */
	u16 published;		/* of them the guest can see */
	union {
		struct split_ring split;
		struct packed_ring packed;
	};
	const char *error;	/* what was malformed, if something was */
};

/*
 * One popped chain: @nout readable, then @nin writable host buffers.  The rest
 * is for virtqueue_push().
 */
struct virtqueue_chain {
	u16 id;		/* split: the head; packed: whatever the driver chose */
	u16 ndescs;	/* packed: descriptors of the ring that it takes up */
	u16 nout;
	u16 nin;
};

/*
 * Take over the rings at @config with the negotiated @features.  -EINVAL if
 * they are misaligned, not in guest memory, or of a wrong size; then ->error
 * says what.  It is empty then, as after a reset.
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

/* virtqueue_push() of a packed ring. */
void packed_push(struct virtqueue *vq, const struct virtqueue_chain *chain,
		 u32 len);

/* Give @chain back with @len bytes written; not seen before publish. */
static inline void virtqueue_push(struct virtqueue *vq,
				  const struct virtqueue_chain *chain, u32 len)
{
	struct virtq_used_elem *e;

	if (vq->is_packed) {
		packed_push(vq, chain, len);
		return;
	}
	e = &vq->split.used->ring[vq->used_idx & (vq->size - 1)];
	write_once(&e->id, cpu_to_le32(chain->id));
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
 * How many chains can be popped now, @enough of them at least if there are as
 * many; or -EINVAL, with ->error, when the driver claims more than the ring holds.
 */
int virtqueue_waiting(struct virtqueue *vq, unsigned int enough);

/* The state of the rings, for lkvm debug; on the thread that owns it. */
void virtqueue_inspect(const struct virtqueue *vq, const struct inspector *to);

/* Ask the driver not to kick: the queue is being looked at anyway. */
void virtqueue_kicks_off(struct virtqueue *vq);
/*
 * Ask it to kick again, when @n chains wait (1 to the size of the ring; without
 * EVENT_IDX always at the first).  Returns true if they do already, or if some
 * came meanwhile: those may have brought no kick.  False with ->error if the driver
 * claims more than the ring holds.
 */
bool virtqueue_kicks_on(struct virtqueue *vq, u16 n);

#endif
