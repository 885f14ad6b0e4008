// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzzes virtqueues, split and packed, and block requests: virtio/virtqueue.c,
 * split.c, packed.c, blk.c, blk_device.c and device.c as they are, on a null or
 * a faulty disk, against a driver whose every step is drawn from the input.
 *
 * The input sets up a device, then it is a list of steps: well-formed requests,
 * descriptors, avail entries and indices of any kind, bytes anywhere in guest
 * memory, also while the device is looking at it (a "meanwhile"), turns of the
 * I/O thread, the configuration space, resets.  What must hold, besides what ASan and UBSan see:
 *   - each buffer of a popped chain lies in guest memory as a whole;
 *   - each popped chain is pushed once, but for the one that breaks the device;
 *   - a broken device pops nothing;
 *   - no request waits for ever, none is left after a reset.
 * Guest memory is two allocations, so that ASan guards its four ends.
 */
#include "disk/backend.h"
#include "fault_disk.h"
#include "fuzz_counts.h"
#include "fuzz_thread.h"
#include "virtio/blk_queue.h"
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUES_MAX 2
#define DEPTH 32u
#define STEPS_MAX 400
#define DISK_BYTES 65536

#define LOW_GPA 0x10000ull
#define LOW_SIZE 0x10000u
#define HIGH_GPA 0x100000000ull
#define HIGH_SIZE 0x4000u

/* Where a queue's rings usually are, and the indirect tables. */
#define RING_GPA(q) (LOW_GPA + 0x2000 * (u64)(q))
#define AVAIL_AT 0x800
#define USED_AT 0x1000
#define TABLE_GPA (LOW_GPA + 0x5000)
#define SLOT_GPA(i) (LOW_GPA + 0x8000 + 0x400 * (u64)((i) % 32))

#define STATUS_FEATURES \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK)

#define must(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, \
				__LINE__, #cond); \
			abort(); \
		} \
	} while (0)

struct input {
	const u8 *data;
	size_t left;
};

/* The driver's side of a queue, and what is known of the device's. */
struct fuzz_queue {
	u16 avail_idx;
	u16 slot;
	u16 place;			/* packed: descriptors written */
	unsigned int popped[DEPTH];	/* by head or id: with the device */
	unsigned int npopped;		/* of all heads */
	bool unclear;			/* the used ring was written by others */
};

static struct guest_memory mem;
static struct fuzz_queue queues[QUEUES_MAX];
static struct iothread *thread;
static struct disk *disk;
static struct virtio_blk *blk;
static struct virtio_device *dev;
static struct {
	struct input in;	/* address, bytes: written ... */
	unsigned int after;	/* ... at the so manieth chance; 0: none */
} meanwhile;

/* --- the input ----------------------------------------------------------- */

static u64 get(struct input *in, unsigned int bytes)
{
	u64 value = 0;

	while (bytes-- && in->left) {
		value = value << 8 | *in->data++;
		in->left--;
	}
	return value;
}

/* An address: somewhere, or at an edge. */
static u64 get_gpa(struct input *in)
{
	u8 how = (u8)get(in, 1);

	switch (how % 8) {
	case 0:
		return LOW_GPA + get(in, 2);
	case 1:
		return HIGH_GPA + get(in, 2) % HIGH_SIZE;
	case 2:
		return LOW_GPA + LOW_SIZE - how / 8;
	case 3:
		return HIGH_GPA + HIGH_SIZE - how / 8;
	case 4:
		return RING_GPA(how / 8 % QUEUES_MAX) + get(in, 2) % 0x2000;
	case 5:
		return TABLE_GPA + get(in, 1) * 16;
	case 6:
		return SLOT_GPA(how / 8);
	default:
		return get(in, 8);
	}
}

static u32 get_len(struct input *in)
{
	u8 how = (u8)get(in, 1);

	switch (how % 4) {
	case 0:
		return how / 4 * 16u;
	case 1:
		return how / 4 * 512u;
	case 2:
		return how / 4;
	default:
		return (u32)get(in, 4);
	}
}

/* --- guest memory -------------------------------------------------------- */

static void memory_init(void)
{
	if (!mem.nregions) {
		mem.nregions = 2;
		mem.region[0] = (struct guest_region){ LOW_GPA, LOW_SIZE,
						       aligned_alloc(4096, LOW_SIZE) };
		mem.region[1] = (struct guest_region){ HIGH_GPA, HIGH_SIZE,
						       aligned_alloc(4096, HIGH_SIZE) };
	}
	for (unsigned int i = 0; i < mem.nregions; i++)
		memset(mem.region[i].host, 0, mem.region[i].size);
}

static bool overlap(const void *a, u64 alen, const void *b, u64 blen)
{
	const u8 *x = a, *y = b;

	return x < y + blen && y < x + alen;
}

static bool in_used_ring(const void *host, u64 len, const struct virtqueue *vq)
{
	return !vq->is_packed && vq->split.used &&
	       overlap(host, len, vq->split.used, 6 + 8ull * vq->size);
}

/* Somebody writes at @host: whose used ring is there? */
static void memory_touched(const void *host, u64 len)
{
	for (unsigned int q = 0; q < dev->nqueues; q++)
		if (in_used_ring(host, len, &blk->queues[q].vq))
			queues[q].unclear = true;
}

/* Whether the driver gave both queues the same used ring, or parts of it. */
static bool used_ring_shared(void)
{
	const struct virtqueue *vq = &blk->queues[0].vq;

	return dev->nqueues > 1 && !vq->is_packed && vq->split.used &&
	       in_used_ring(vq->split.used, 6 + 8ull * vq->size, &blk->queues[1].vq);
}

static void poke(u64 gpa, const void *data, u64 len)
{
	u8 *host = guest_ptr(&mem, gpa, len);

	if (host && len)
		memcpy(host, data, len);
}

static void poke_input(struct input *in)
{
	u64 gpa = get_gpa(in);
	u8 len = (u8)get(in, 1) % 32, data[32];

	for (u8 i = 0; i < len; i++)
		data[i] = (u8)get(in, 1);
	if (guest_ptr(&mem, gpa, len))
		memory_touched(guest_ptr(&mem, gpa, len), len);
	poke(gpa, data, len);
}

void fuzz_meanwhile(void)
{
	if (meanwhile.after && !--meanwhile.after)
		poke_input(&meanwhile.in);
}

/* --- what must hold ------------------------------------------------------ */

static struct fuzz_queue *queue_of(const struct virtqueue *vq)
{
	const struct blk_queue *q = (const void *)((const u8 *)vq -
						   offsetof(struct blk_queue, vq));

	return &queues[blk_queue_index(q)];
}

static bool in_memory(const struct iovec *iov)
{
	for (unsigned int i = 0; i < mem.nregions; i++) {
		const u8 *host = mem.region[i].host, *base = iov->iov_base;
		u64 size = mem.region[i].size;

		if (base >= host && base < host + size &&
		    iov->iov_len <= size - (u64)(base - host))
			return true;
	}
	return false;
}

int __real_virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
			 struct iovec *iov, unsigned int max);
int __wrap_virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
			 struct iovec *iov, unsigned int max);

int __wrap_virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain,
			 struct iovec *iov, unsigned int max)
{
	struct fuzz_queue *fq = queue_of(vq);
	int got;

	must(!dev->broken);
	fuzz_meanwhile();
	/* No more than fit in a ring, whatever its index says (2.7.13.3). */
	must(vq->is_packed ||
	     (u16)(vq->split.avail_idx - vq->split.next_avail) <= vq->size);
	got = __real_virtqueue_pop(vq, chain, iov, max);
	if (got > 0) {
		unsigned int n = chain->nout + chain->nin;

		must(n && n <= max);
		must(vq->is_packed ? vq->packed.taken <= vq->size :
				     chain->id < vq->size);
		for (unsigned int i = 0; i < n; i++) {
			must(in_memory(&iov[i]));
			if (i >= chain->nout)
				memory_touched(iov[i].iov_base, iov[i].iov_len);
		}
		fq->popped[chain->id % DEPTH]++;
		fq->npopped++;
	}
	fuzz_meanwhile();
	return got;
}

void __real_packed_push(struct virtqueue *vq,
			const struct virtqueue_chain *chain, u32 len);
void __wrap_packed_push(struct virtqueue *vq,
			const struct virtqueue_chain *chain, u32 len);

/* It was popped, and nobody else writes here meanwhile. */
void __wrap_packed_push(struct virtqueue *vq,
			const struct virtqueue_chain *chain, u32 len)
{
	const struct packed_desc *d = &vq->packed.desc[vq->packed.used.at];
	unsigned int *popped = &queue_of(vq)->popped[chain->id % DEPTH];

	must(*popped && vq->packed.taken >= chain->ndescs);
	--*popped;
	__real_packed_push(vq, chain, len);
	must(le16_to_cpu(d->id) == chain->id && le32_to_cpu(d->len) == len);
}

bool __real_virtqueue_publish(struct virtqueue *vq);
bool __wrap_virtqueue_publish(struct virtqueue *vq);

/* What is pushed was popped: before anybody else can write there. */
bool __wrap_virtqueue_publish(struct virtqueue *vq)
{
	struct fuzz_queue *fq = queue_of(vq);
	u16 n = virtqueue_unpublished(vq);

	must(n <= fq->npopped);
	fq->npopped -= n;
	/* Overwritten: more were in flight than fit, or by the other queue. */
	if (n > vq->size || used_ring_shared())
		fq->unclear = true;
	for (u16 i = vq->published; !vq->is_packed && !fq->unclear && i != vq->used_idx; i++) {
		u32 id = le32_to_cpu(vq->split.used->ring[i & (vq->size - 1)].id);

		must(id < vq->size && fq->popped[id]);
		fq->popped[id]--;
	}
	return __real_virtqueue_publish(vq);
}

/* All turns are done. */
static void check_settled(void)
{
	unsigned int lost = 0;

	for (unsigned int i = 0; i < dev->nqueues; i++) {
		struct blk_queue *q = &blk->queues[i];

		must(blk_queue_idle(q));
		must(!virtqueue_unpublished(&q->vq));
		must(!q->active || dev->broken || !virtqueue_waiting(&q->vq, 1));
		lost += queues[i].npopped;
	}
	/* The one that broke it, if it was popped at all. */
	must(lost <= dev->broken);
}

int __wrap_sem_wait(sem_t *sem);

/* Stopping a queue waits for its requests: the thread goes on meanwhile. */
int __wrap_sem_wait(sem_t *sem)
{
	if (sem_trywait(sem)) {
		fuzz_settle(thread);
		must(!sem_trywait(sem));
	}
	return 0;
}

static void queue_forget(unsigned int q)
{
	memset(&queues[q], 0, sizeof(queues[q]));
}

/* --- the driver ---------------------------------------------------------- */

static bool on_queue_interrupt(struct virtio_device *d, unsigned int q)
{
	must(d == dev && q < dev->nqueues);
	return true;
}

static void on_config_interrupt(struct virtio_device *d)
{
	must(d == dev && dev->broken);
}

static const struct virtio_transport_ops transport = {
	.queue_interrupt = on_queue_interrupt,
	.config_interrupt = on_config_interrupt,
};

static void queue_layout(unsigned int q, u16 size)
{
	dev->queues[q].config = (struct virtqueue_config){
		.size = size,
		.desc = RING_GPA(q),
		.avail = RING_GPA(q) + AVAIL_AT,
		.used = RING_GPA(q) + USED_AT,
	};
}

/* As the transport would: sizes it refuses never come here. */
static void queue_enable(unsigned int q, struct input *in, u8 how)
{
	struct virtqueue_config *config = &dev->queues[q].config;

	if (dev->queues[q].enabled)
		return;
	queue_layout(q, (u16)(1u << how % 6));
	if (how & 0x40)
		config->desc = get_gpa(in);
	if (how & 0x80) {
		config->avail = get_gpa(in);
		config->used = get_gpa(in);
		config->size = (u16)get(in, 1) % (DEPTH + 1);
	}
	virtio_device_enable_queue(dev, q);
}

static void device_reset(void)
{
	virtio_device_set_status(dev, 0);
	must(!dev->broken);
	for (unsigned int q = 0; q < dev->nqueues; q++) {
		must(blk_queue_idle(&blk->queues[q]));
		queue_forget(q);
	}
}

/* What a driver accepts, or claims to. */
static u64 get_features(struct input *in)
{
	u8 how = (u8)get(in, 1);
	u64 features = how & 1 ? 1ull << VIRTIO_RING_F_EVENT_IDX : 0;

	if (how & 0x80)
		return get(in, 8);
	if (how & 2)
		features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	if (how & 4)
		features |= 1ull << VIRTIO_F_RING_RESET;
	if (how & 8)
		features |= 1ull << VIRTIO_BLK_F_DISCARD |
			    1ull << VIRTIO_BLK_F_WRITE_ZEROES |
			    1ull << VIRTIO_BLK_F_SECURE_ERASE;
	if (how & 0x10)
		features |= 1ull << VIRTIO_BLK_F_FLUSH;
	if (how & 0x20)
		features |= 1ull << VIRTIO_BLK_F_CONFIG_WCE;
	if (how & 0x40)
		features |= 1ull << VIRTIO_F_RING_PACKED;
	return (features & dev->features) | 1ull << VIRTIO_F_VERSION_1;
}

static void device_drive(struct input *in)
{
	u64 features = get_features(in);

	virtio_device_set_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE |
					      VIRTIO_CONFIG_S_DRIVER);
	virtio_device_set_features(dev, features);
	virtio_device_set_status(dev, STATUS_FEATURES);
	for (unsigned int q = 0; q < dev->nqueues; q++)
		queue_enable(q, in, (u8)get(in, 1));
	virtio_device_set_status(dev, STATUS_FEATURES |
					      VIRTIO_CONFIG_S_DRIVER_OK);
}

/* Raw bytes go where the driver thinks its rings are. */
static void put_desc(u64 table, u16 i, u64 gpa, u32 len, u16 flags, u16 next)
{
	const struct virtq_desc d = {
		.addr = cpu_to_le64(gpa),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};

	poke(table + 16ull * i, &d, sizeof(d));
}

static u16 ring_size(unsigned int q)
{
	return dev->queues[q].config.size ? dev->queues[q].config.size : 1;
}

static bool packed(void)
{
	return virtio_device_has(dev, VIRTIO_F_RING_PACKED);
}

/* Descriptor @i of an indirect table; a packed one needs no next (2.8.7). */
static void put_table_desc(u64 table, u16 i, u64 gpa, u32 len, u16 flags)
{
	if (packed())
		put_desc(table, i, gpa, len, i, flags & ~VRING_DESC_F_NEXT);
	else
		put_desc(table, i, gpa, len, flags, (u16)(i + 1));
}

/* Descriptor @i of the ring; of a packed one the next, available, with @i as id. */
static void put_ring_desc(unsigned int q, u16 i, u64 gpa, u32 len, u16 flags)
{
	u64 ring = dev->queues[q].config.desc;
	u16 place = queues[q].place, size = ring_size(q);

	if (!packed()) {
		put_desc(ring, i, gpa, len, flags, (u16)(i + 1));
		return;
	}
	flags |= place / size % 2 ? 1u << VRING_PACKED_DESC_F_USED :
				    1u << VRING_PACKED_DESC_F_AVAIL;
	put_desc(ring, place % size, gpa, len, i, flags);
	queues[q].place++;
}

static void post(unsigned int q, u16 head)
{
	__le16 entry = cpu_to_le16(head);
	u16 at = queues[q].avail_idx++ % ring_size(q);

	poke(dev->queues[q].config.avail + 4 + 2ull * at, &entry, 2);
}

static void expose(unsigned int q)
{
	__le16 idx = cpu_to_le16(queues[q].avail_idx);

	poke(dev->queues[q].config.avail + 2, &idx, 2);
}

static u32 put_header(u64 gpa, struct input *in)
{
	static const u32 types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
				     VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
				     VIRTIO_BLK_T_DISCARD,
				     VIRTIO_BLK_T_WRITE_ZEROES,
				     VIRTIO_BLK_T_SECURE_ERASE };
	u8 how = (u8)get(in, 1);
	u32 type = how < 0xc0 ? types[how % 7] : (u32)get(in, 4);
	struct virtio_blk_outhdr h = {
		.type = (__force __virtio32)cpu_to_le32(type),
		.sector = (__force __virtio64)cpu_to_le64(
			how & 8 ? get(in, 8) : get(in, 1) % 128),
	};

	poke(gpa, &h, sizeof(h));
	return type;
}

/* 5.2.6: the range of a discard and its like, in order or not. */
static void put_segment(u64 gpa, struct input *in)
{
	u8 how = (u8)get(in, 1);
	const struct virtio_blk_discard_write_zeroes segment = {
		.sector = (__force __le64)cpu_to_le64(
			how & 1 ? get(in, 8) : get(in, 1) % 128),
		.num_sectors = (__force __le32)cpu_to_le32(
			how & 2 ? (u32)get(in, 4) : how / 16),
		.flags = (__force __le32)cpu_to_le32(
			how & 4 ? (u32)get(in, 4) : how / 8 & 1u),
	};

	poke(gpa, &segment, sizeof(segment));
}

static bool has_segment(u32 type)
{
	return type == VIRTIO_BLK_T_DISCARD ||
	       type == VIRTIO_BLK_T_WRITE_ZEROES ||
	       type == VIRTIO_BLK_T_SECURE_ERASE;
}

/* A request that is well-formed, but for what its header may say. */
static void add_request(struct input *in, unsigned int q, bool indirect)
{
	struct fuzz_queue *fq = &queues[q];
	u64 slot = SLOT_GPA(fq->slot), table = TABLE_GPA + 48ull * (fq->slot % 32);
	u16 i, flags;
	u8 how = (u8)get(in, 1);
	u32 len = how % 4 ? how / 4 % 2 * 512u : get_len(in);

	if (has_segment(put_header(slot, in))) {
		put_segment(slot + 16, in);
		if (how % 4)
			len = sizeof(struct virtio_blk_discard_write_zeroes);
	}
	flags = how & 0x80 ? VRING_DESC_F_WRITE : 0;
	i = (u16)(fq->slot * (indirect ? 1 : 3) % ring_size(q));
	if (indirect) {
		put_table_desc(table, 0, slot, 16, VRING_DESC_F_NEXT);
		put_table_desc(table, 1, slot + 16, len, flags | VRING_DESC_F_NEXT);
		put_table_desc(table, 2, slot + 0x3ff, 1, VRING_DESC_F_WRITE);
		put_ring_desc(q, i, table, 48, VRING_DESC_F_INDIRECT);
	} else {
		put_ring_desc(q, i, slot, 16, VRING_DESC_F_NEXT);
		put_ring_desc(q, (u16)(i + 1), slot + 16, len,
			      flags | VRING_DESC_F_NEXT);
		put_ring_desc(q, (u16)(i + 2), slot + 0x3ff, 1,
			      VRING_DESC_F_WRITE);
	}
	fq->slot++;
	post(q, i);
	if (how & 0x40)
		expose(q);
}

/* A table of many buffers: more than a queue's requests have room for, or not. */
static void add_long(struct input *in, unsigned int q)
{
	u16 n = 3 + (u16)get(in, 1) % (2 * DEPTH), i = queues[q].slot % ring_size(q);
	u64 slot = SLOT_GPA(queues[q].slot++);

	put_header(slot, in);
	for (u16 k = 0; k < n; k++)
		put_table_desc(TABLE_GPA, k, slot + 16 * (k % 32), 16,
			       (k ? VRING_DESC_F_WRITE : 0) |
				       (k + 1 < n ? VRING_DESC_F_NEXT : 0));
	put_ring_desc(q, i, TABLE_GPA, 16 * n, VRING_DESC_F_INDIRECT);
	post(q, i);
}

static void any_desc(struct input *in, unsigned int q)
{
	u8 how = (u8)get(in, 1);
	u64 table = how & 0x40 ? TABLE_GPA : dev->queues[q].config.desc;
	u64 gpa = get_gpa(in);
	u32 len = get_len(in);
	u16 flags = (u16)get(in, 1) & 7;
	u16 next = how & 0x80 ? (u16)get(in, 2) : (u16)get(in, 1) % DEPTH;

	if (packed() && !(how & 0x60))
		put_ring_desc(q, next, gpa, len, flags);
	else
		put_desc(table, how % DEPTH, gpa, len, flags, next);
}

static void read_config(struct input *in)
{
	u8 data[VIRTIO_BLK_CONFIG_LEN];
	u32 offset = (u32)get(in, 1) % VIRTIO_BLK_CONFIG_LEN;
	unsigned int len = 1u << get(in, 1) % 4;

	if (offset + len > VIRTIO_BLK_CONFIG_LEN)	/* as the transport does */
		return;
	dev->ops->config_read(dev, offset, data, len);
	fuzz_count(FUZZ_CONFIG_READ);
}

/* Anywhere, or where the cache mode is: nothing else may change. */
static void write_config(struct input *in, bool cache)
{
	struct virtio_blk_config before = blk->config;
	u32 offset = cache ? offsetof(struct virtio_blk_config, wce) :
			     (u32)get(in, 1) % VIRTIO_BLK_CONFIG_LEN;
	unsigned int len = cache ? 1 : 1u << get(in, 1) % 4;
	u64 data = get(in, len);

	if (offset + len > VIRTIO_BLK_CONFIG_LEN)
		return;
	dev->ops->config_write(dev, offset, &data, len);
	if (before.wce != blk->config.wce)
		fuzz_count(before.wce ? FUZZ_CACHE_OFF : FUZZ_CACHE_ON);
	must(blk->config.wce <= 1 &&
	     blk->write_through == !blk->config.wce);
	before.wce = blk->config.wce;
	must(!memcmp(&before, &blk->config, sizeof(before)));
}

/* The rest of the input is bytes to write when the device is at it. */
static void arm_meanwhile(struct input *in)
{
	meanwhile.after = 1 + (unsigned int)get(in, 1) % 16;
	meanwhile.in = *in;
	get(in, 8);
}

static void step(struct input *in)
{
	u8 op = (u8)get(in, 1);
	unsigned int q = op / 16 % dev->nqueues;

	switch (op % 16) {
	case 0:
	case 1:
		add_request(in, q, false);
		break;
	case 2:
		if (op & 0x80)
			add_long(in, q);
		else
			add_request(in, q, true);
		break;
	case 3:
		any_desc(in, q);
		break;
	case 4:
		post(q, (u16)get(in, op & 0x80 ? 2 : 1));
		break;
	case 5:
		expose(q);
		break;
	case 6:
		queues[q].avail_idx += (u16)get(in, op & 0x80 ? 2 : 1);
		expose(q);
		break;
	case 7:
		poke_input(in);
		break;
	case 8:
	case 9:
		expose(q);
		fuzz_turn(thread);
		break;
	case 10:
		fuzz_sleep(thread);
		break;
	case 11:
		fuzz_settle(thread);
		check_settled();
		break;
	case 12:
		virtio_device_reset_queue(dev, q);
		queue_forget(q);
		queue_enable(q, in, (u8)get(in, 1));
		break;
	case 13:
		if (op & 0x80)
			virtio_device_set_status(dev, (u8)get(in, 1) | 1);
		else
			device_reset();
		device_drive(in);
		break;
	case 14:
		arm_meanwhile(in);
		break;
	case 15:
		if (op & 0x80)
			write_config(in, op & 0x40);
		else
			read_config(in);
		break;
	}
}

static struct disk *open_disk(struct input *in)
{
	u8 how = (u8)get(in, 1);
	char path[64];
	struct disk_params params = {
		.path = path,
		.readonly = how & 0x40,
		.merge = how & 0x80,
		.discard = how & 0x20 && !(how & 0x40),
	};
	const struct disk_ops *ops = &disk_fault_ops;
	struct disk *d = NULL;

	switch (how % 4) {
	case 0:
		snprintf(path, sizeof(path), "null:%u", DISK_BYTES);
		ops = &disk_null_ops;
		break;
	case 1:
		snprintf(path, sizeof(path), "memory:%u", DISK_BYTES);
		ops = &disk_memory_ops;
		break;
	default:
		snprintf(path, sizeof(path), "fault:%u:%u:%u:memory:%u", how,
			 how % 8 * 10u, how % 16 / 4, DISK_BYTES);
	}
	must(!disk_open_with(ops, &d, &params));
	return d;
}

static void open_device(struct input *in)
{
	u8 how = (u8)get(in, 1);
	const struct virtio_blk_params params = {
		.name = "vdf",
		.serial = "fuzz",
		.nqueues = 1 + how % QUEUES_MAX,
		.queue_size = DEPTH,
		.packed = true,
		.nthreads = 1,
		.threads = &thread,
		.irq_delay_ns = how & 0x80 ? 50000 : 0,
		.irq_delay_auto = how & 0x40,
	};

	must(!iothread_new(&thread, "fuzz"));
	disk = open_disk(in);
	must(!virtio_blk_new(&blk, &mem, disk, &params));
	dev = virtio_blk_device(blk);
	dev->transport = &transport;
	for (unsigned int q = 0; q < QUEUES_MAX; q++)
		queue_forget(q);
}

static void close_device(void)
{
	if (dev->breaks)
		fuzz_count(FUZZ_BROKEN);
	virtio_blk_free(blk);
	disk_close(disk);
	iothread_free(thread);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };

	memory_init();
	meanwhile.after = 0;
	open_device(&in);
	device_drive(&in);
	for (unsigned int i = 0; in.left && i < STEPS_MAX; i++)
		step(&in);
	fuzz_settle(thread);
	check_settled();
	device_reset();
	close_device();
	return 0;
}
