/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The buffers of a request, taken apart wherever the driver put their
 * boundaries (virtio 1.2, 2.7.4).
 */
#ifndef LKVM_VIRTIO_BLK_BUFFERS_H
#define LKVM_VIRTIO_BLK_BUFFERS_H

#include "endian.h"
#include <string.h>
#include <sys/uio.h>

/* Buffers of a request that are not used up yet. */
struct buffers {
	struct iovec *iov;
	unsigned int n;
};

/* As nearly every driver does it: the header has a buffer of its own. */
static inline bool buffers_take_whole(struct buffers *b, void *to, size_t len)
{
	if (!b->n || b->iov->iov_len != len)
		return false;
	memcpy(to, b->iov->iov_base, len);
	b->iov++;
	b->n--;
	return true;
}

/* Copy the next @len bytes out; false if there are fewer. */
static inline bool buffers_take(struct buffers *b, void *to, size_t len)
{
	u8 *dst = to;

	while (len) {
		size_t part;

		if (!b->n)
			return false;
		part = b->iov->iov_len < len ? b->iov->iov_len : len;
		memcpy(dst, b->iov->iov_base, part);
		dst += part;
		len -= part;
		b->iov->iov_base = (u8 *)b->iov->iov_base + part;
		b->iov->iov_len -= part;
		if (!b->iov->iov_len) {
			b->iov++;
			b->n--;
		}
	}
	return true;
}

/* Cut off the last byte and return where it is; NULL if there is none. */
static inline u8 *buffers_cut_last(struct buffers *b)
{
	while (b->n) {
		struct iovec *last = &b->iov[b->n - 1];

		if (last->iov_len) {
			u8 *byte = (u8 *)last->iov_base + last->iov_len - 1;

			if (!--last->iov_len)
				b->n--;
			return byte;
		}
		b->n--;
	}
	return NULL;
}

static inline u64 buffers_len(const struct buffers *b)
{
	u64 len = 0;

	for (unsigned int i = 0; i < b->n; i++)
		len += b->iov[i].iov_len;
	return len;
}

#endif
