/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What virtqueue.c asks of a layout, and what the layouts share: a chain of
 * guest buffers becomes host buffers here, each of them checked.
 */
#ifndef LKVM_VIRTIO_RING_LAYOUT_H
#define LKVM_VIRTIO_RING_LAYOUT_H

#include "virtio/virtqueue.h"
#include <errno.h>
#include <linux/virtio_ring.h>

/* Each as virtqueue_*() of its name; init: mem, size and features are set. */
int split_init(struct virtqueue *vq, const struct virtqueue_config *config);
int split_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
	      struct iovec *iov, unsigned int max);
bool split_publish(struct virtqueue *vq);
int split_waiting(struct virtqueue *vq);
void split_kicks_off(struct virtqueue *vq);
bool split_kicks_on(struct virtqueue *vq, u16 n);
void split_inspect(const struct virtqueue *vq, const struct inspector *to);

int packed_init(struct virtqueue *vq, const struct virtqueue_config *config);
int packed_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
	       struct iovec *iov, unsigned int max);
bool packed_publish(struct virtqueue *vq);
int packed_waiting(struct virtqueue *vq, unsigned int enough);
void packed_kicks_off(struct virtqueue *vq);
bool packed_kicks_on(struct virtqueue *vq, u16 n);
void packed_inspect(const struct virtqueue *vq, const struct inspector *to);

/* guest_ptr() for a buffer that is not in vq->region. */
void *virtqueue_other_region(struct virtqueue *vq, u64 gpa, u32 len);

static inline int virtqueue_malformed(struct virtqueue *vq, const char *error)
{
	vq->error = error;
	return -EINVAL;
}

/* guest_ptr(), but most buffers lie in the same region. */
static inline void *virtqueue_ptr(struct virtqueue *vq, u64 gpa, u32 len)
{
	void *host = guest_region_ptr(vq->region, gpa, len);

	return host ? host : virtqueue_other_region(vq, gpa, len);
}

/*
 * 2.7.5.3, 2.8.7: a descriptor with @flags holds a table of @len bytes at @gpa
 * instead of a buffer.  0, or -EINVAL.
 */
static inline int virtqueue_indirect(struct virtqueue *vq, u64 gpa, u32 len,
				     u16 flags, const u8 **table)
{
	if (!vq->indirect)
		return virtqueue_malformed(vq, "indirect not negotiated");
	if (flags & VRING_DESC_F_NEXT)
		return virtqueue_malformed(vq, "indirect with next");
	if (!len || len % sizeof(struct vring_desc) ||
	    len / sizeof(struct vring_desc) > VIRTQUEUE_SIZE_MAX)
		return virtqueue_malformed(vq, "indirect table size");
	*table = virtqueue_ptr(vq, gpa, len);
	if (!*table)
		return virtqueue_malformed(vq, "indirect table address");
	return 0;
}

/* The buffers of a chain so far. */
struct chain_buffers {
	struct iovec *next;
	struct iovec *end;
	struct iovec *in;	/* the first writable one; NULL: none so far */
};

static inline int chain_add_buffer(struct virtqueue *vq,
				   struct chain_buffers *b, u64 gpa, u32 len,
				   u16 flags)
{
	void *host;

	if (b->next == b->end)
		return virtqueue_malformed(vq, "chain too long");
	host = virtqueue_ptr(vq, gpa, len);
	if (!host)
		return virtqueue_malformed(vq, "buffer address");
	if (!(flags & VRING_DESC_F_WRITE)) {
		if (b->in)	/* 2.7.4.2, 2.8.17: readable ones come first */
			return virtqueue_malformed(vq, "readable buffer after writable");
	} else if (!b->in) {
		b->in = b->next;
	}
	*b->next++ = (struct iovec){ .iov_base = host, .iov_len = len };
	return 0;
}

/* How many of the buffers, which begin at @iov, are readable, and writable. */
static inline void chain_count(struct virtqueue_chain *chain,
			       const struct chain_buffers *b,
			       const struct iovec *iov)
{
	const struct iovec *in = b->in ? b->in : b->next;

	chain->nout = (u16)(in - iov);
	chain->nin = (u16)(b->next - in);
}

#endif
