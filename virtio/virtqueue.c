// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueue, device side: what its two layouts, split.c and packed.c, share.
 *
 * Barriers, each with its partner in the driver:
 *   A  load-acquire of what makes a chain available (split: the avail index;
 *	packed: the flags of its first descriptor)
 *				   driver's store-release of it: descriptors and
 *				   what they refer to are visible before it
 *   B  store-release of what shows a batch (split: the used index; packed: the
 *	flags of its first used descriptor)
 *				   driver's load-acquire of it
 *   C  publish, fence, look at used_event or the driver's event suppression
 *				   driver: set it, fence, look whether something
 *				   is used: no interrupt is missed
 *   D  set avail_event or the device's event suppression, fence, look whether
 *	something is available
 *				   driver: make it available, fence, look at
 *				   that: no kick is missed
 */
#include "virtio/virtqueue.h"
#include "inspect.h"
#include "virtio/ring_layout.h"
#include <assert.h>
#include <linux/virtio_config.h>
#include <string.h>

static bool feature(u64 features, unsigned int bit)
{
	return features >> bit & 1;
}

int virtqueue_init(struct virtqueue *vq, const struct guest_memory *mem,
		   const struct virtqueue_config *config, u64 features)
{
	memset(vq, 0, sizeof(*vq));
	if (!config->size || config->size > VIRTQUEUE_SIZE_MAX)
		return virtqueue_malformed(vq, "queue size");
	vq->mem = mem;
	vq->region = mem->region;
	vq->size = config->size;
	vq->is_packed = feature(features, VIRTIO_F_RING_PACKED);
	vq->event_idx = feature(features, VIRTIO_RING_F_EVENT_IDX);
	vq->indirect = feature(features, VIRTIO_RING_F_INDIRECT_DESC);
	return vq->is_packed ? packed_init(vq, config) : split_init(vq, config);
}

void *virtqueue_other_region(struct virtqueue *vq, u64 gpa, u32 len)
{
	const struct guest_memory *mem = vq->mem;
	void *host = NULL;

	for (unsigned int i = 0; !host && i < mem->nregions; i++) {
		vq->region = &mem->region[i];
		host = guest_region_ptr(vq->region, gpa, len);
	}
	return host;
}

int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
		  struct iovec *iov, unsigned int max)
{
	return vq->is_packed ? packed_pop(vq, chain, iov, max) :
			       split_pop(vq, chain, iov, max);
}

bool virtqueue_publish(struct virtqueue *vq)
{
	if (!virtqueue_unpublished(vq))
		return false;
	return vq->is_packed ? packed_publish(vq) : split_publish(vq);
}

int virtqueue_waiting(struct virtqueue *vq, unsigned int enough)
{
	return vq->is_packed ? packed_waiting(vq, enough) : split_waiting(vq);
}

void virtqueue_inspect(const struct virtqueue *vq, const struct inspector *to)
{
	inspect(to, "size", vq->size);
	inspect(to, "packed", vq->is_packed);
	inspect(to, "event_idx", vq->event_idx);
	inspect(to, "pushed", vq->used_idx);
	inspect(to, "published", vq->published);
	if (vq->is_packed)
		packed_inspect(vq, to);
	else
		split_inspect(vq, to);
}

void virtqueue_kicks_off(struct virtqueue *vq)
{
	if (vq->is_packed)
		packed_kicks_off(vq);
	else
		split_kicks_off(vq);
}

bool virtqueue_kicks_on(struct virtqueue *vq, u16 n)
{
	assert(n && n <= vq->size);	/* else no kick would ever come */
	return vq->is_packed ? packed_kicks_on(vq, n) : split_kicks_on(vq, n);
}
