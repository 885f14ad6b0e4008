// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio-blk device and its driver: see blk_rig.h.
 */
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct arena arena;
struct disk *disk;
struct iothread *threads[QUEUES_MAX];
unsigned int nthreads;
struct virtio_blk *blk;
struct virtio_device *dev;
struct guest_ring rings[QUEUES_MAX];
unsigned int nrings;
u64 layout;
struct slot slots[SLOTS];
unsigned int queue_interrupts[QUEUES_MAX], config_interrupts;
struct virtio_blk_params blk_params = {
	.name = "vdt",
	.serial = "0123456789abcdefghij-too-long",
	.packed = true,
	.threads = threads,
};
struct iothread_poll thread_poll;

static bool on_queue_interrupt(struct virtio_device *d, unsigned int q)
{
	u64 one = 1;

	(void)d;
	__atomic_fetch_add(&queue_interrupts[q], 1, __ATOMIC_RELAXED);
	expect(write(rings[q].call_fd, &one, sizeof(one)) == sizeof(one));
	return true;
}

static void on_config_interrupt(struct virtio_device *d)
{
	(void)d;
	__atomic_fetch_add(&config_interrupts, 1, __ATOMIC_RELAXED);
}

const struct virtio_transport_ops transport = {
	.queue_interrupt = on_queue_interrupt,
	.config_interrupt = on_config_interrupt,
};

/* --- a device and its driver --------------------------------------------- */

static void alloc_slots(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		slots[i] = (struct slot){
			.header = arena_alloc(&arena, 16, 1),
			.data = arena_alloc(&arena, ROOM, 512),
			.status = arena_alloc(&arena, 1, 1),
			.table = arena_alloc(&arena, 64 * 16, 16),
		};
}

static void all_split(void)
{
	layout = 0;
}

static void all_packed(void)
{
	layout = PACKED;
}

TCase *tcase_of(Suite *suite, const char *name, bool packed)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, packed ? all_packed : all_split, NULL);
	suite_add_tcase(suite, tc);
	return tc;
}

void open_blk(struct disk *d, unsigned int nqueues, unsigned int threads_n,
	      u16 queue_size)
{
	disk = d;
	blk_params.nthreads = nthreads = threads_n;
	blk_params.nqueues = nrings = nqueues;
	blk_params.queue_size = queue_size;
	arena_init(&arena, 32u << 20);
	alloc_slots();
	for (unsigned int i = 0; i < nthreads; i++) {
		ck_assert_int_eq(iothread_new(&threads[i], "test"), 0);
		iothread_set_poll(threads[i], &thread_poll);
	}
	ck_assert_int_eq(virtio_blk_new(&blk, &arena.mem, disk, &blk_params), 0);
	dev = virtio_blk_device(blk);
	dev->transport = &transport;
	for (unsigned int i = 0; i < nthreads; i++)
		ck_assert_int_eq(iothread_start(threads[i]), 0);
	for (unsigned int q = 0; q < nrings; q++) {
		ring_init(&rings[q], &arena, queue_size, 0);
		rings[q].kick_fd = dev->queues[q].kick_fd;
		rings[q].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	memset(queue_interrupts, 0, sizeof(queue_interrupts));
	config_interrupts = 0;
}

void close_blk(void)
{
	for (unsigned int i = 0; i < nthreads; i++)
		iothread_stop(threads[i]);
	virtio_blk_free(blk);
	for (unsigned int i = 0; i < nthreads; i++)
		iothread_free(threads[i]);
	disk_close(disk);
	for (unsigned int q = 0; q < nrings; q++)
		close(rings[q].call_fd);
	arena_exit(&arena);
}

void set_status(u8 status)
{
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_status(dev, status);
	pthread_mutex_unlock(&dev->lock);
}

u8 status_of(void)
{
	return virtio_device_status(dev);
}

void enable_queue(unsigned int q)
{
	dev->queues[q].config = rings[q].config;
	virtio_device_enable_queue(dev, q);
}

void negotiate(u64 features)
{
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_features(dev, features);
	pthread_mutex_unlock(&dev->lock);
	set_status(DRIVER_STATUS);
	expect(status_of() & VIRTIO_CONFIG_S_FEATURES_OK);
}

/* From reset to DRIVER_OK, with fresh rings. */
void drive(u64 features)
{
	u64 count;

	negotiate(features);
	pthread_mutex_lock(&dev->lock);
	for (unsigned int q = 0; q < nrings; q++) {
		ring_reset(&rings[q], features);
		if (read(rings[q].call_fd, &count, sizeof(count)) < 0)
			count = 0;
		enable_queue(q);
	}
	pthread_mutex_unlock(&dev->lock);
	set_status(DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* One queue on one thread, on a disk in memory. */
void setup(void)
{
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 1, 1, 64);
	drive(DRIVER_FEATURES & ~(1ull << VIRTIO_RING_F_EVENT_IDX));
}

void set_header(const struct slot *s, u32 type, u64 sector)
{
	struct virtio_blk_outhdr h = {
		.type = (__force __virtio32)cpu_to_le32(type),
		.sector = (__force __virtio64)cpu_to_le64(sector),
	};

	memcpy(arena_ptr(&arena, s->header, sizeof(h)), &h, sizeof(h));
}

u8 *status_byte(const struct slot *s)
{
	return arena_ptr(&arena, s->status, 1);
}

u8 *slot_data(const struct slot *s)
{
	return arena_ptr(&arena, s->data, ROOM);
}

/* The usual three buffers; none for data if @len is 0. */
unsigned int request_bufs(const struct slot *s, u32 type, u64 sector, u32 len,
			  struct ring_buf *bufs)
{
	unsigned int n = 0;

	set_header(s, type, sector);
	*status_byte(s) = 0xee;
	bufs[n++] = (struct ring_buf){ s->header, 16, false };
	if (len)
		bufs[n++] = (struct ring_buf){ s->data, len,
					       type != VIRTIO_BLK_T_OUT };
	bufs[n++] = (struct ring_buf){ s->status, 1, true };
	return n;
}

int add_request(unsigned int q, const struct slot *s, u32 type, u64 sector,
		u32 len)
{
	struct ring_buf bufs[3];
	unsigned int n = request_bufs(s, type, sector, len, bufs);

	return ring_add(&rings[q], bufs, n);
}

/* One request alone: its status; *@written as in the used ring. */
u8 request(u32 type, u64 sector, u32 len, u32 *written)
{
	int head = add_request(0, &slots[0], type, sector, len);
	u32 id;

	ring_kick(&rings[0]);
	id = ring_wait_used(&rings[0], written);
	expect((int)id == head);
	return *status_byte(&slots[0]);
}

unsigned int count_of(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

u64 stat_of(unsigned int q, size_t offset)
{
	const u64 *counter = (const void *)((const char *)virtio_blk_stats(
						    blk, q) + offset);

	return read_once(counter);
}

u64 taken(unsigned int q)
{
	return STAT(q, reads) + STAT(q, writes) + STAT(q, flushes) +
	       STAT(q, others);
}

void expect_alive(void)
{
	u32 written;

	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, &written),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(written, 513);
}

void wait_broken(void)
{
	for (unsigned int i = 0; i < 20000; i++) {
		if (status_of() & VIRTIO_CONFIG_S_NEEDS_RESET &&
		    __atomic_load_n(&config_interrupts, __ATOMIC_RELAXED))
			return;
		usleep(1000);
	}
	ck_abort_msg("the device does not ask for a reset");
}

/* --- many in flight ------------------------------------------------------ */

/* Which slot a queue's head belongs to: each queue has SLOTS / nrings. */
struct slot *slot_of(unsigned int q, unsigned int i)
{
	return &slots[q * (SLOTS / nrings) + i];
}

/* Keep @q full until @total requests went through; returns failed ones. */
unsigned int pump(unsigned int q, unsigned int total)
{
	unsigned int room = SLOTS / nrings, sent = 0, done = 0, failed = 0;
	int head_slot[VIRTQUEUE_SIZE_MAX];
	bool busy[SLOTS] = { false };
	unsigned int share = SECTORS / nrings;	/* of the disk, its own */
	struct guest_ring *r = &rings[q];

	memset(head_slot, -1, sizeof(head_slot));
	while (done < total) {
		u32 id, len;
		struct slot *s;

		for (unsigned int i = 0; i < room && sent < total; i++) {
			struct ring_buf bufs[3];
			int head;

			if (busy[i])
				continue;
			request_bufs(slot_of(q, i),
				     sent % 3 ? VIRTIO_BLK_T_IN :
						VIRTIO_BLK_T_OUT,
				     q * share + sent % share, 512, bufs);
			head = ring_add_indirect(r, slot_of(q, i)->table, bufs,
						 3);
			expect(head >= 0 && head_slot[head] < 0);
			head_slot[head] = (int)i;
			busy[i] = true;
			sent++;
		}
		ring_kick(r);
		id = ring_wait_used(r, &len);
		do {
			expect(head_slot[id] >= 0);	/* once, and ours */
			s = slot_of(q, (unsigned int)head_slot[id]);
			expect(*status_byte(s) == VIRTIO_BLK_S_OK ||
			       *status_byte(s) == VIRTIO_BLK_S_IOERR);
			failed += *status_byte(s) != VIRTIO_BLK_S_OK;
			busy[head_slot[id]] = false;
			head_slot[id] = -1;
			done++;
		} while (ring_get(r, &id, &len));
	}
	expect(r->nfree == r->size);
	return failed;
}

void fill_queue(unsigned int q)
{
	for (unsigned int i = 0; i < SLOTS / nrings; i++) {
		struct ring_buf bufs[3];

		request_bufs(slot_of(q, i), VIRTIO_BLK_T_IN, i, 4096, bufs);
		ring_add_indirect(&rings[q], slot_of(q, i)->table, bufs, 3);
	}
	ring_kick(&rings[q]);
}
