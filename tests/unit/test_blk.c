// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk on real I/O threads, from a driver's ring to a disk and back: what
 * each request does, every layout of it, every way to get it wrong, errors and
 * late completions of the host, and resets with requests in flight.
 */
/* helpers: guest_ring.c disk_rig.c fault_disk.c */
#include "barrier.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include "guest_ring.h"
#include "kvm/event.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define QUEUES_MAX 4
#define DISK_BYTES (1u << 20)
#define SECTORS (DISK_BYTES / 512)
#define ROOM 65536u		/* of data for each head */
#define SLOTS 64u
#define DRIVER_FEATURES \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_EVENT_IDX | \
	 1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_F_RING_RESET | \
	 1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_MQ)
#define DRIVER_STATUS \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK)

/* A request's own memory. */
struct slot {
	u64 header;
	u64 data;
	u64 status;
	u64 table;
};

static struct arena arena;
static struct disk *disk;
static struct iothread *threads[QUEUES_MAX];
static unsigned int nthreads;
static struct virtio_blk *blk;
static struct virtio_device *dev;
static struct guest_ring rings[QUEUES_MAX];
static unsigned int nrings;
static struct slot slots[SLOTS];
static unsigned int queue_interrupts[QUEUES_MAX], config_interrupts;
static u64 irq_delay_ns;	/* of devices opened from now on */
static bool irq_delay_auto;
static struct iothread_poll poll;	/* of their threads */

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

static const struct virtio_transport_ops transport = {
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

static void open_blk(struct disk *d, unsigned int nqueues, unsigned int threads_n,
		     u16 queue_size)
{
	struct virtio_blk_params params = {
		.name = "vdt",
		.serial = "0123456789abcdefghij-too-long",
		.nqueues = nqueues,
		.queue_size = queue_size,
		.nthreads = threads_n,
		.threads = threads,
		.irq_delay_ns = irq_delay_ns,
		.irq_delay_auto = irq_delay_auto,
	};

	disk = d;
	nthreads = threads_n;
	nrings = nqueues;
	arena_init(&arena, 32u << 20);
	alloc_slots();
	for (unsigned int i = 0; i < nthreads; i++) {
		ck_assert_int_eq(iothread_new(&threads[i], "test"), 0);
		iothread_set_poll(threads[i], &poll);
	}
	ck_assert_int_eq(virtio_blk_new(&blk, &arena.mem, disk, &params), 0);
	dev = virtio_blk_device(blk);
	dev->transport = &transport;
	for (unsigned int i = 0; i < nthreads; i++)
		ck_assert_int_eq(iothread_start(threads[i]), 0);
	for (unsigned int q = 0; q < nrings; q++) {
		ring_init(&rings[q], &arena, queue_size, true);
		rings[q].kick_fd = dev->queues[q].kick_fd;
		rings[q].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	memset(queue_interrupts, 0, sizeof(queue_interrupts));
	config_interrupts = 0;
}

static void close_blk(void)
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

static void set_status(u8 status)
{
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_status(dev, status);
	pthread_mutex_unlock(&dev->lock);
}

static u8 status_of(void)
{
	return virtio_device_status(dev);
}

static void enable_queue(unsigned int q)
{
	dev->queues[q].config = rings[q].config;
	virtio_device_enable_queue(dev, q);
}

static void negotiate(u64 features)
{
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	pthread_mutex_lock(&dev->lock);
	virtio_device_set_features(dev, features);
	pthread_mutex_unlock(&dev->lock);
	set_status(DRIVER_STATUS);
	expect(status_of() & VIRTIO_CONFIG_S_FEATURES_OK);
}

/* From reset to DRIVER_OK, with fresh rings. */
static void drive(u64 features)
{
	u64 count;

	negotiate(features);
	pthread_mutex_lock(&dev->lock);
	for (unsigned int q = 0; q < nrings; q++) {
		rings[q].event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
		ring_reset(&rings[q]);
		if (read(rings[q].call_fd, &count, sizeof(count)) < 0)
			count = 0;
		enable_queue(q);
	}
	pthread_mutex_unlock(&dev->lock);
	set_status(DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* One queue on one thread, on a disk in memory. */
static void setup(void)
{
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 1, 1, 64);
	drive(DRIVER_FEATURES & ~(1ull << VIRTIO_RING_F_EVENT_IDX));
}

static void set_header(const struct slot *s, u32 type, u64 sector)
{
	struct virtio_blk_outhdr h = {
		.type = (__force __virtio32)cpu_to_le32(type),
		.sector = (__force __virtio64)cpu_to_le64(sector),
	};

	memcpy(arena_ptr(&arena, s->header, sizeof(h)), &h, sizeof(h));
}

static u8 *status_byte(const struct slot *s)
{
	return arena_ptr(&arena, s->status, 1);
}

static u8 *slot_data(const struct slot *s)
{
	return arena_ptr(&arena, s->data, ROOM);
}

/* The usual three buffers; none for data if @len is 0. */
static unsigned int request_bufs(const struct slot *s, u32 type, u64 sector,
				 u32 len, struct ring_buf *bufs)
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

static int add_request(unsigned int q, const struct slot *s, u32 type,
		       u64 sector, u32 len)
{
	struct ring_buf bufs[3];
	unsigned int n = request_bufs(s, type, sector, len, bufs);

	return ring_add(&rings[q], bufs, n);
}

/* One request alone: its status; *@written as in the used ring. */
static u8 request(u32 type, u64 sector, u32 len, u32 *written)
{
	int head = add_request(0, &slots[0], type, sector, len);
	u32 id;

	ring_kick(&rings[0]);
	id = ring_wait_used(&rings[0], written);
	expect((int)id == head);
	return *status_byte(&slots[0]);
}

#define expect_request(type, sector, len, status, want_written)          \
	do {                                                             \
		u32 written_;                                            \
		ck_assert_uint_eq(request(type, sector, len, &written_), \
				  status);                               \
		ck_assert_uint_eq(written_, want_written);               \
	} while (0)

static unsigned int count_of(const unsigned int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static u64 stat(unsigned int q, size_t offset)
{
	const u64 *counter = (const void *)((const char *)virtio_blk_stats(
						    blk, q) + offset);

	return read_once(counter);
}
#define STAT(q, name) stat(q, offsetof(struct virtio_blk_stats, name))

static u64 taken(unsigned int q)
{
	return STAT(q, reads) + STAT(q, writes) + STAT(q, flushes) +
	       STAT(q, others);
}

static void expect_alive(void)
{
	u32 written;

	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, &written),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(written, 513);
}

/* --- requests ------------------------------------------------------------ */

START_TEST(test_write_then_read)
{
	setup();
	rig_fill((char *)slot_data(&slots[0]), 8192, 7);
	expect_request(VIRTIO_BLK_T_OUT, 3, 8192, VIRTIO_BLK_S_OK, 1);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	memcpy(slot_data(&slots[1]), slot_data(&slots[0]), 8192);
	memset(slot_data(&slots[0]), 0, 8192);
	expect_request(VIRTIO_BLK_T_IN, 3, 8192, VIRTIO_BLK_S_OK, 8193);
	ck_assert_mem_eq(slot_data(&slots[0]), slot_data(&slots[1]), 8192);
	ck_assert_uint_eq(STAT(0, reads), 1);
	ck_assert_uint_eq(STAT(0, writes), 1);
	ck_assert_uint_eq(STAT(0, flushes), 1);
	ck_assert_uint_eq(STAT(0, read_bytes), 8192);
	ck_assert_uint_eq(STAT(0, written_bytes), 8192);
	ck_assert_uint_eq(STAT(0, errors), 0);
	close_blk();
}
END_TEST

/* A file through the AIO back end, whose memory is misaligned at will. */
START_TEST(test_file)
{
	char path[256], byte[512];
	FILE *f;

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	open_blk(rig_open(NULL, path), 1, 1, 64);
	drive(DRIVER_FEATURES);
	memset(slot_data(&slots[0]), 0x5a, 4096);
	expect_request(VIRTIO_BLK_T_OUT, SECTORS - 8, 4096, VIRTIO_BLK_S_OK, 1);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	memset(slot_data(&slots[0]), 0, 4096);
	expect_request(VIRTIO_BLK_T_IN, SECTORS - 8, 4096, VIRTIO_BLK_S_OK,
		       4097);
	ck_assert_uint_eq(slot_data(&slots[0])[4095], 0x5a);
	close_blk();
	f = fopen(path, "r");
	ck_assert_int_eq(fseek(f, -512, SEEK_END), 0);
	ck_assert_uint_eq(fread(byte, 1, 512, f), 512);
	ck_assert_int_eq(byte[511], 0x5a);
	fclose(f);
	unlink(path);
}
END_TEST

/* PEERS 1: what is unknown is answered, and does not hang. */
START_TEST(test_unknown_type_unsupp)
{
	static const u32 types[] = { 2, 3, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16,
				     0x80000000, 0x80000001, 0xffffffff };

	setup();
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		expect_request(types[i], 0, 0, VIRTIO_BLK_S_UNSUPP, 1);
	ck_assert_uint_eq(STAT(0, errors), sizeof(types) / sizeof(types[0]));
	ck_assert_uint_eq(STAT(0, others), sizeof(types) / sizeof(types[0]));
	expect_alive();
	close_blk();
}
END_TEST

/* PEERS 15: never more than 20 bytes, whatever room there is. */
START_TEST(test_get_id)
{
	static const u32 lens[] = { 1, 8, 19, 20, 21, 4096 };
	const char *id = "0123456789abcdefghij";

	setup();
	for (unsigned int i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		u32 n = lens[i] < 20 ? lens[i] : 20;

		memset(slot_data(&slots[0]), 0x77, ROOM);
		expect_request(VIRTIO_BLK_T_GET_ID, ~0ull, lens[i],
			       VIRTIO_BLK_S_OK, lens[i] > n ? n : n + 1);
		ck_assert_mem_eq(slot_data(&slots[0]), id, n);
		ck_assert_uint_eq(slot_data(&slots[0])[n], 0x77);
	}
	close_blk();
}
END_TEST

/* PEERS 4: no sector beyond the end is touched. */
START_TEST(test_range)
{
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = {
		{ SECTORS, 512 },	  { SECTORS - 1, 1024 },
		{ SECTORS + 1, 0 },	  { SECTORS - 127, ROOM },
		{ ~0ull, 512 },		  { ~0ull, 1024 },
		{ ~0ull - 1, 1024 },	  { ~0ull >> 9, 512 },
		{ 1ull << 55, 512 },	  { (1ull << 55) - 1, 512 },
		{ 1ull << 63, 512 },
		/* lengths that are no sectors */
		{ 0, 1 },		  { 0, 511 },
		{ 0, 513 },		  { 0, 1000 },
	};

	setup();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(slot_data(&slots[0]), 0x66, ROOM);
		expect_request(VIRTIO_BLK_T_OUT, bad[i].sector, bad[i].len,
			       VIRTIO_BLK_S_IOERR, 1);
		expect_request(VIRTIO_BLK_T_IN, bad[i].sector, bad[i].len,
			       VIRTIO_BLK_S_IOERR, bad[i].len ? 0 : 1);
		ck_assert_uint_eq(slot_data(&slots[0])[0], 0x66);
	}
	/* The last sector is fine, nothing was written to it, and 0 is 0. */
	expect_request(VIRTIO_BLK_T_IN, SECTORS - 1, 512, VIRTIO_BLK_S_OK, 513);
	ck_assert_uint_eq(slot_data(&slots[0])[0], 0);
	expect_request(VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_OK, 513);
	ck_assert_uint_eq(slot_data(&slots[0])[0], 0);
	close_blk();
}
END_TEST

START_TEST(test_zero_length)
{
	setup();
	expect_request(VIRTIO_BLK_T_IN, 0, 0, VIRTIO_BLK_S_OK, 1);
	expect_request(VIRTIO_BLK_T_OUT, 0, 0, VIRTIO_BLK_S_OK, 1);
	expect_request(VIRTIO_BLK_T_IN, SECTORS, 0, VIRTIO_BLK_S_OK, 1);
	close_blk();
}
END_TEST

/* PEERS 5: a read-only disk fails writes, and keeps what it has. */
START_TEST(test_readonly_write_ioerr)
{
	struct disk_params params = { .lock = true, .readonly = true };
	char path[256], bytes[512];
	FILE *f;

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	params.path = path;
	ck_assert_int_eq(disk_open(&disk, &params), 0);
	open_blk(disk, 1, 1, 64);
	ck_assert(dev->features >> VIRTIO_BLK_F_RO & 1);
	/* Whether or not the driver has taken VIRTIO_BLK_F_RO. */
	drive(DRIVER_FEATURES);
	memset(slot_data(&slots[0]), 0x11, ROOM);
	expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_OK, 513);
	ck_assert_uint_eq(slot_data(&slots[0])[0], 0);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	close_blk();
	f = fopen(path, "r");
	ck_assert_uint_eq(fread(bytes, 1, 512, f), 512);
	ck_assert_int_eq(bytes[0], 0);
	fclose(f);
	unlink(path);
}
END_TEST

/*
 * 2.7.4: no assumption about framing.  The header in pieces of @_i bytes, data
 * glued to header or status or cut anywhere, empty buffers between.
 */
static unsigned int cut_up(u64 gpa, u32 len, u32 piece, bool in,
			   struct ring_buf *bufs)
{
	unsigned int n = 0;

	for (u32 at = 0; at < len; at += piece)
		bufs[n++] = (struct ring_buf){
			gpa + at, at + piece > len ? len - at : piece, in,
		};
	bufs[n++] = (struct ring_buf){ gpa, 0, in };
	return n;
}

static u8 layout_request(u32 type, u32 piece, u32 *written)
{
	struct slot *s = &slots[0];
	struct ring_buf bufs[64];
	unsigned int n = 0;
	u64 header = s->data, in_at = s->data + 8192;

	/* Header and OUT data are one run of bytes; so are IN data and status. */
	set_header(s, type, 5);
	memcpy(arena_ptr(&arena, header, 16), arena_ptr(&arena, s->header, 16),
	       16);
	n += cut_up(header, type == VIRTIO_BLK_T_OUT ? 16 + 512 : 16, piece,
		    false, bufs);
	n += cut_up(in_at, type == VIRTIO_BLK_T_IN ? 513 : 1, piece, true,
		    bufs + n);
	ring_add_indirect(&rings[0], s->table, bufs, n);
	ring_kick(&rings[0]);
	ring_wait_used(&rings[0], written);
	return *(u8 *)arena_ptr(&arena,
				in_at + (type == VIRTIO_BLK_T_IN ? 512 : 0), 1);
}

START_TEST(test_any_layout)
{
	static const u32 pieces[] = { 20, 23, 64, 100, 511, 512, 513, 528, 600 };
	struct slot *s = &slots[0];
	u32 written, piece = pieces[_i];

	setup();
	memset(slot_data(s), 0xdd, ROOM);
	rig_fill((char *)slot_data(s) + 16, 512, (unsigned int)_i);
	ck_assert_uint_eq(layout_request(VIRTIO_BLK_T_OUT, piece, &written),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(written, 1);
	ck_assert_uint_eq(layout_request(VIRTIO_BLK_T_IN, piece, &written),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(written, 513);
	ck_assert_mem_eq(slot_data(s) + 8192, slot_data(s) + 16, 512);
	ck_assert_uint_eq(slot_data(s)[8192 + 513], 0xdd);
	close_blk();
}
END_TEST

/* The header byte by byte. */
START_TEST(test_header_in_bytes)
{
	struct ring_buf bufs[18];
	struct slot *s = &slots[0];
	u32 len;

	setup();
	set_header(s, VIRTIO_BLK_T_IN, 1);
	*status_byte(s) = 0xee;
	for (unsigned int i = 0; i < 16; i++)
		bufs[i] = (struct ring_buf){ s->header + i, 1, false };
	bufs[16] = (struct ring_buf){ s->data, 512, true };
	bufs[17] = (struct ring_buf){ s->status, 1, true };
	ring_add(&rings[0], bufs, 18);
	ring_kick(&rings[0]);
	ring_wait_used(&rings[0], &len);
	ck_assert_uint_eq(*status_byte(s), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 513);
	close_blk();
}
END_TEST

/* --- a mess -------------------------------------------------------------- */

/* Another device beside it, on a thread of its own. */
struct neighbour {
	struct disk *disk;
	struct iothread *thread;
	struct virtio_blk *blk;
};

static void wait_broken(void)
{
	for (unsigned int i = 0; i < 20000; i++) {
		if (status_of() & VIRTIO_CONFIG_S_NEEDS_RESET &&
		    __atomic_load_n(&config_interrupts, __ATOMIC_RELAXED))
			return;
		usleep(1000);
	}
	ck_abort_msg("the device does not ask for a reset");
}

/* A chain, or a bad head, that breaks the device; and the driver's cure. */
static void expect_breaks(const struct ring_buf *bufs, unsigned int n,
			  const char *what)
{
	struct rig_capture c;
	u32 id, len;

	rig_capture_start(&c);
	if (bufs)
		ring_add(&rings[0], bufs, n);
	else
		ring_post(&rings[0], 0xffff);
	ring_kick(&rings[0]);
	wait_broken();
	/* Whatever else comes is not looked at any more. */
	add_request(0, &slots[1], VIRTIO_BLK_T_IN, 0, 512);
	ring_kick(&rings[0]);
	usleep(2000);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "queue 0", what, "reset");
	ck_assert_uint_eq(count_of(&config_interrupts), 1);
	ck_assert(!ring_get(&rings[0], &id, &len));
	set_status(0);
	ck_assert_uint_eq(status_of(), 0);
	drive(DRIVER_FEATURES);
	expect_alive();
}

START_TEST(test_short_header)
{
	struct ring_buf bufs[2];

	setup();
	bufs[0] = (struct ring_buf){ slots[0].header, 15, false };
	bufs[1] = (struct ring_buf){ slots[0].status, 1, true };
	expect_breaks(bufs, 2, "header");
	close_blk();
}
END_TEST

START_TEST(test_no_header)
{
	struct ring_buf bufs[] = { { slots[0].status, 1, true } };

	setup();
	bufs[0].gpa = slots[0].status;
	expect_breaks(bufs, 1, "header");
	close_blk();
}
END_TEST

START_TEST(test_no_status)
{
	struct ring_buf bufs[2];

	setup();
	set_header(&slots[0], VIRTIO_BLK_T_OUT, 0);
	bufs[0] = (struct ring_buf){ slots[0].header, 16, false };
	/* nothing writable, or nothing in it */
	bufs[1] = (struct ring_buf){ slots[0].status, _i ? 0 : 512, _i };
	expect_breaks(bufs, 2, "status");
	close_blk();
}
END_TEST

/* PEERS 6: a head that is out of range. */
START_TEST(test_bad_head)
{
	setup();
	expect_breaks(NULL, 0, "descriptor index");
	close_blk();
}
END_TEST

START_TEST(test_buffer_outside_memory)
{
	struct ring_buf bufs[3];

	setup();
	request_bufs(&slots[0], VIRTIO_BLK_T_IN, 0, 512, bufs);
	bufs[1].gpa = ARENA_HIGH - 256;
	expect_breaks(bufs, 3, "buffer address");
	close_blk();
}
END_TEST

/* A ring of nonsense is found at DRIVER_OK. */
START_TEST(test_bad_ring)
{
	struct rig_capture c;

	setup();
	set_status(0);
	rig_capture_start(&c);
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	virtio_device_set_features(dev, DRIVER_FEATURES);
	set_status(DRIVER_STATUS);
	dev->queues[0].config = rings[0].config;
	dev->queues[0].config.used = ARENA_HIGH - 4;
	virtio_device_enable_queue(dev, 0);
	set_status(DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "queue 0", "ring address");
	ck_assert(status_of() & VIRTIO_CONFIG_S_NEEDS_RESET);
	set_status(0);
	drive(DRIVER_FEATURES);
	expect_alive();
	close_blk();
}
END_TEST

/* A broken device finishes what it had taken; the one beside it lives on. */
START_TEST(test_other_device_lives)
{
	struct virtio_blk_params params = {
		.name = "vdo", .serial = "o", .nqueues = 1, .queue_size = 8,
		.nthreads = 1,
	};
	struct neighbour other;
	struct virtio_device *d;
	struct guest_ring ring;
	struct ring_buf bufs[3];
	struct rig_capture c;
	u32 len;

	setup();
	other.disk = rig_open(NULL, "null:1M");
	ck_assert_int_eq(iothread_new(&other.thread, "other"), 0);
	params.threads = &other.thread;
	ck_assert_int_eq(virtio_blk_new(&other.blk, &arena.mem, other.disk,
					&params),
			 0);
	d = virtio_blk_device(other.blk);
	d->transport = &transport;
	ck_assert_int_eq(iothread_start(other.thread), 0);
	ring_init(&ring, &arena, 8, false);
	ring.kick_fd = d->queues[0].kick_fd;
	ring.call_fd = rings[0].call_fd;	/* both are queue 0 */
	virtio_device_set_features(d, 1ull << VIRTIO_F_VERSION_1);
	virtio_device_set_status(d, DRIVER_STATUS);
	d->queues[0].config = ring.config;
	virtio_device_enable_queue(d, 0);
	virtio_device_set_status(d, DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);

	rig_capture_start(&c);
	ring_post(&rings[0], 0xffff);
	ring_kick(&rings[0]);
	wait_broken();
	rig_capture_end(&c);
	request_bufs(&slots[0], VIRTIO_BLK_T_IN, 0, 512, bufs);
	ck_assert_int_ge(ring_add(&ring, bufs, 3), 0);
	ring_kick(&ring);
	ring_wait_used(&ring, &len);
	ck_assert_uint_eq(len, 513);
	ck_assert(!(virtio_device_status(d) & VIRTIO_CONFIG_S_NEEDS_RESET));

	iothread_stop(other.thread);
	virtio_blk_free(other.blk);
	iothread_free(other.thread);
	disk_close(other.disk);
	close_blk();
}
END_TEST

/* --- batches ------------------------------------------------------------- */

static void batch_of_64(u64 features)
{
	u64 batches, publications, interrupts;
	u32 id, len;

	drive(features);
	ring_calls_on(&rings[0]);
	/* Let it go to sleep before, so that the kick finds all of them. */
	while (iothread_stats(threads[0]) &&
	       !read_once(&iothread_stats(threads[0])->sleeps))
		usleep(100);
	usleep(2000);
	batches = STAT(0, batches);
	publications = STAT(0, publications);
	interrupts = STAT(0, interrupts);
	for (unsigned int i = 0; i < 64; i++) {
		struct ring_buf bufs[3];

		request_bufs(&slots[i], VIRTIO_BLK_T_IN, i, 512, bufs);
		ring_add_indirect(&rings[0], slots[i].table, bufs, 3);
	}
	ck_assert(ring_kick(&rings[0]));
	for (unsigned int i = 0; i < 64; i++)
		ring_wait_used(&rings[0], &len);
	ck_assert(!ring_get(&rings[0], &id, &len));
	for (unsigned int i = 0; i < 64; i++)
		ck_assert_uint_eq(*status_byte(&slots[i]), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(STAT(0, batches) - batches, 1);
	ck_assert_uint_eq(STAT(0, publications) - publications, 1);
	/* It is counted when it is sent: the driver may be here before. */
	for (unsigned int i = 0; i < 1000 && STAT(0, interrupts) == interrupts; i++)
		usleep(1000);
	ck_assert_uint_eq(STAT(0, interrupts) - interrupts, 1);
	ck_assert_uint_eq(count_of(&queue_interrupts[0]), 1);
	ck_assert_uint_eq(STAT(0, held), 0);
}

START_TEST(test_batch_of_64)
{
	open_blk(_i / 2 ? rig_open(NULL, "null:1M") :
			  rig_open(&disk_memory_ops, "memory:1048576"),
		 1, 1, 64);
	batch_of_64(_i % 2 ? DRIVER_FEATURES :
			     DRIVER_FEATURES &
				     ~(1ull << VIRTIO_RING_F_EVENT_IDX));
	close_blk();
}
END_TEST

/* Depth 1: no request ever waits for a second one. */
START_TEST(test_lone_requests_do_not_wait)
{
	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < 1000; i++)
		expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(STAT(0, held), 0);
	ck_assert_uint_eq(STAT(0, batches), 1000);
	close_blk();
}
END_TEST

static u64 latencies(unsigned int q)
{
	u64 n = 0;

	for (unsigned int i = 0; i < VIRTIO_BLK_LATENCIES; i++)
		n += STAT(q, latency[i]);
	return n;
}

/* --- many in flight ------------------------------------------------------ */

/* Which slot a queue's head belongs to: each queue has SLOTS / nrings. */
static struct slot *slot_of(unsigned int q, unsigned int i)
{
	return &slots[q * (SLOTS / nrings) + i];
}

/* Keep @q full until @total requests went through; returns failed ones. */
static unsigned int pump(unsigned int q, unsigned int total)
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

/*
 * A driver with 64 in flight: the queue waits for many, none is lost; each
 * publication has an interrupt or not, each request a latency.
 */
START_TEST(test_many_are_waited_for)
{
	unsigned int total = test_scale(20000);

	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	ck_assert_uint_gt(STAT(0, held), 0);
	ck_assert_uint_le(STAT(0, held_in_vain), STAT(0, held));
	ck_assert_uint_le(STAT(0, kicks_suppressed), STAT(0, batches));
	ck_assert_uint_le(STAT(0, publications) - STAT(0, interrupts) -
				  STAT(0, suppressed), 1);
	ck_assert_uint_eq(latencies(0), total);
	/* A lone one that follows is served, too. */
	expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_OK, 1);
	close_blk();
}
END_TEST

/* Without a kick, as long as the thread does not sleep. */
START_TEST(test_polled)
{
	unsigned int total = test_scale(20000);

	poll.always = true;
	open_blk(rig_open(NULL, "null:1M"), 1, 1, 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	ck_assert_uint_le(rings[0].kicks, 1);	/* before the first look */
	ck_assert_uint_ge(STAT(0, kicks_suppressed), STAT(0, batches) - 1);
	ck_assert_uint_eq(read_once(&iothread_stats(threads[0])->sleeps), 0);
	close_blk();
	poll.always = false;
}
END_TEST

/* Completions that come late and one by one share interrupts, and none waits
 * for more than the others that are in flight. */
START_TEST(test_interrupts_are_delayed)
{
	unsigned int total = test_scale(20000);

	irq_delay_ns = 1000000;
	irq_delay_auto = _i;
	open_blk(rig_open(&disk_fault_ops, "fault:5:0:6:memory:1048576"), 1, 1,
		 64);
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(pump(0, total), 0);
	if (!_i)
		ck_assert_uint_gt(STAT(0, delayed), 0);
	/* The driver found the last completions; their interrupt may wait. */
	ck_assert_uint_le(STAT(0, publications) - STAT(0, interrupts) -
				  STAT(0, suppressed), 1);
	ck_assert_uint_eq(latencies(0), total);
	close_blk();
	irq_delay_ns = 0;
}
END_TEST

/* Sixty-four sectors one behind the other, in one batch: one write, one read. */
START_TEST(test_sequential_is_merged)
{
	char path[256];
	const struct disk_params file = { .path = path, .merge = true };

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	ck_assert_int_eq(disk_open(&disk, &file), 0);
	open_blk(disk, 1, 1, 256);	/* with so much room for segments */
	drive(DRIVER_FEATURES);
	for (unsigned int pass = 0; pass < 2; pass++) {
		u32 type = pass ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, len;

		for (unsigned int i = 0; i < SLOTS; i++) {
			struct ring_buf bufs[3];

			rig_fill((char *)slot_data(&slots[i]), 4096,
				 pass ? 0 : i + 1);
			request_bufs(&slots[i], type, 8 * i, 4096, bufs);
			ring_add_indirect(&rings[0], slots[i].table, bufs, 3);
		}
		ring_kick(&rings[0]);
		for (unsigned int i = 0; i < SLOTS; i++)
			ring_wait_used(&rings[0], &len);
	}
	for (unsigned int i = 0; i < SLOTS; i++) {
		char want[4096];

		rig_fill(want, sizeof(want), i + 1);
		ck_assert_uint_eq(*status_byte(&slots[i]), VIRTIO_BLK_S_OK);
		ck_assert_mem_eq(slot_data(&slots[i]), want, sizeof(want));
	}
	ck_assert_uint_eq(disk_queue_merged(virtio_blk_disk_queue(blk, 0)),
			  2 * (SLOTS - 1));
	ck_assert_uint_eq(
		read_once(&disk_thread_stats(virtio_blk_disk_queue(blk, 0))->submitted),
		2);
	close_blk();
	unlink(path);
}
END_TEST

/* PEERS 2: errors of the host complete, each once, and are told once. */
START_TEST(test_errors_complete_once)
{
	unsigned int total = test_scale(20000), failed;
	struct rig_capture c;

	open_blk(rig_open(&disk_fault_ops, "fault:3:20:4:memory:1048576"), 1, 1,
		 64);
	drive(DRIVER_FEATURES);
	rig_capture_start(&c);
	failed = pump(0, total);
	rig_capture_end(&c);
	ck_assert_uint_eq(STAT(0, errors), failed);
	ck_assert_uint_eq(STAT(0, reads) + STAT(0, writes), total);
	if (failed)
		rig_expect_line(&c, "vdt", "failed", "Input/output error");
	close_blk();
}
END_TEST

/* The used length of what failed. */
START_TEST(test_error_used_len)
{
	struct rig_capture c;

	open_blk(rig_open(&disk_fault_ops, "fault:3:100:0:memory:1048576"), 1,
		 1, 64);
	drive(DRIVER_FEATURES);
	rig_capture_start(&c);
	expect_request(VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_IOERR, 0);
	expect_request(VIRTIO_BLK_T_OUT, 0, 512, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_IOERR, 1);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "read", "told once");
	close_blk();
}
END_TEST

/*
 * A driver that makes heads available again while they are in flight: more
 * chains than request slots.  Each is served, once for each time.
 */
START_TEST(test_more_chains_than_slots)
{
	unsigned int total = test_scale(1024) & ~7u, got = 0, most = 0;
	struct guest_ring *r = &rings[0];
	struct ring_buf bufs[3];
	u32 id, len;

	if (total < 256)
		total = 256;
	open_blk(rig_open(&disk_fault_ops, "fault:5:0:2000:memory:1048576"), 1, 1,
		 8);
	drive(DRIVER_FEATURES);
	for (unsigned int i = 0; i < 8; i++) {
		request_bufs(&slots[i], VIRTIO_BLK_T_IN, i, 512, bufs);
		ring_add_indirect(r, slots[i].table, bufs, 3);
		r->ndescs[i] = 0;	/* heads are never free again */
	}
	for (unsigned int sent = 8; got < total;) {
		ring_kick(r);
		if (got < sent) {
			ring_wait_used(r, &len);
			expect(len == 513);
			got++;
		}
		while (ring_get(r, &id, &len))
			got++;
		/* As many as the avail ring holds, done or not. */
		while (sent < total && sent - taken(0) < 8) {
			ring_post(r, (u16)(sent++ % 8));
			most = sent - got > most ? sent - got : most;
		}
	}
	ck_assert_uint_ge(most, 8);	/* more, if this thread gets its turn */
	ck_assert_uint_eq(got, total);
	ck_assert_uint_eq(STAT(0, reads), total);
	ck_assert(!(status_of() & VIRTIO_CONFIG_S_NEEDS_RESET));
	close_blk();
}
END_TEST

static void *pump_thread(void *arg)
{
	unsigned int q = (unsigned int)(uintptr_t)arg;

	return (void *)(uintptr_t)pump(q, test_scale(4000));
}

/* Four drivers at once, on one, two, three and four threads. */
START_TEST(test_queues_on_threads)
{
	pthread_t drivers[QUEUES_MAX];
	void *failed;

	open_blk(rig_open(&disk_fault_ops, "fault:6:0:3:memory:1048576"),
		 QUEUES_MAX, (unsigned int)_i, 64);
	drive(DRIVER_FEATURES);
	for (unsigned int q = 0; q < QUEUES_MAX; q++)
		ck_assert_int_eq(pthread_create(&drivers[q], NULL, pump_thread,
						(void *)(uintptr_t)q),
				 0);
	for (unsigned int q = 0; q < QUEUES_MAX; q++) {
		ck_assert_int_eq(pthread_join(drivers[q], &failed), 0);
		ck_assert_ptr_null(failed);
		ck_assert_uint_eq(STAT(q, reads) + STAT(q, writes),
				  test_scale(4000));
		ck_assert_ptr_eq(virtio_blk_thread(blk, q),
				 threads[q % (unsigned int)_i]);
	}
	close_blk();
}
END_TEST

/* --- resets -------------------------------------------------------------- */

static void fill_queue(unsigned int q)
{
	for (unsigned int i = 0; i < SLOTS / nrings; i++) {
		struct ring_buf bufs[3];

		request_bufs(slot_of(q, i), VIRTIO_BLK_T_IN, i, 4096, bufs);
		ring_add_indirect(&rings[q], slot_of(q, i)->table, bufs, 3);
	}
	ring_kick(&rings[q]);
}

/*
 * PEERS 9, 12: when the reset returns, what was taken is in the used ring, and
 * nothing comes after; then it starts from 0 again.
 */
START_TEST(test_device_reset_under_load)
{
	static u64 before[QUEUES_MAX];
	u32 written;

	open_blk(rig_open(&disk_fault_ops, "fault:11:0:6:memory:1048576"), 2, 2,
		 64);
	for (unsigned int round = 0; round < test_scale(1000); round++) {
		drive(round % 2 ? DRIVER_FEATURES :
				  DRIVER_FEATURES &
					  ~(1ull << VIRTIO_RING_F_EVENT_IDX));
		for (unsigned int q = 0; q < 2; q++) {
			before[q] = taken(q);
			fill_queue(q);
		}
		for (unsigned int spin = round % 7 * 300; spin; spin--)
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
		set_status(0);
		expect(status_of() == 0);
		for (unsigned int q = 0; q < 2; q++) {
			u16 used = ring_used_idx(&rings[q]);

			expect(used == (u16)(taken(q) - before[q]));
			/* The memory is the driver's again. */
			memset(slot_data(slot_of(q, 0)), 0xaa, 4096);
			expect(!dev->queues[q].enabled);
		}
	}
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, &written), 0);
	close_blk();
}
END_TEST

static bool hostile_stop;

/*
 * Offers each request again as soon as its status byte says that it is done,
 * long before it is in the used ring.  On purpose it races with the device.
 */
__attribute__((no_sanitize("thread"))) static void *hostile_driver(void *arg)
{
	struct guest_ring *r = arg;
	struct timespec start, now;
	u16 idx = r->avail_idx;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned int i = 0; i < SLOTS; i++) {
			volatile u8 *status = status_byte(&slots[idx % SLOTS]);

			if (*status != VIRTIO_BLK_S_UNSUPP)
				break;
			*status = 0xee;
			store_release(&r->avail->idx,
				      (__force __virtio16)cpu_to_le16(++idx));
		}
		event_signal(r->kick_fd);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!read_once(&hostile_stop) && now.tv_sec - start.tv_sec < 5);
	return NULL;
}

/* A driver that never lets the device finish cannot keep it from its reset. */
START_TEST(test_reset_while_more_comes)
{
	struct timespec before, after;
	pthread_t driver;

	setup();
	for (unsigned int i = 0; i < SLOTS; i++) {
		struct ring_buf bufs[3];
		unsigned int n = request_bufs(&slots[i], 77, 0, 0, bufs);

		expect(ring_add_indirect(&rings[0], slots[i].table, bufs, n) ==
		       (int)i);
	}
	hostile_stop = false;
	ring_kick(&rings[0]);
	ck_assert_int_eq(pthread_create(&driver, NULL, hostile_driver,
					&rings[0]), 0);
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC, &before);
	set_status(0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	write_once(&hostile_stop, true);
	pthread_join(driver, NULL);
	ck_assert_int_le(after.tv_sec - before.tv_sec, 2);
	ck_assert_uint_gt(taken(0), SLOTS);
	drive(DRIVER_FEATURES);
	expect_alive();
	close_blk();
}
END_TEST

/* 2.6.1: one queue is reset again and again, the others do not notice. */
START_TEST(test_queue_reset_under_load)
{
	pthread_t driver;
	void *failed;
	u32 len;

	open_blk(rig_open(&disk_fault_ops, "fault:12:0:6:memory:1048576"), 4,
		 (unsigned int)_i, 64);
	drive(DRIVER_FEATURES);
	ck_assert_int_eq(pthread_create(&driver, NULL, pump_thread,
					(void *)(uintptr_t)1),
			 0);
	for (unsigned int round = 0; round < test_scale(1000); round++) {
		u64 before = taken(3);

		fill_queue(3);
		pthread_mutex_lock(&dev->lock);
		virtio_device_reset_queue(dev, 3);
		expect(!dev->queues[3].enabled);
		expect(dev->queues[3].config.size == 64);
		expect(dev->queues[3].config.desc == 0);
		expect(ring_used_idx(&rings[3]) == (u16)(taken(3) - before));
		ring_reset(&rings[3]);
		enable_queue(3);
		pthread_mutex_unlock(&dev->lock);
	}
	ck_assert_int_eq(pthread_join(driver, &failed), 0);
	ck_assert_ptr_null(failed);
	add_request(3, &slots[SLOTS - 1], VIRTIO_BLK_T_IN, 0, 512);
	ring_kick(&rings[3]);
	ring_wait_used(&rings[3], &len);
	ck_assert_uint_eq(len, 513);
	close_blk();
}
END_TEST

/* PEERS 11: rings smaller than offered, and fewer queues. */
START_TEST(test_smaller_rings_fewer_queues)
{
	static const u16 sizes[] = { 4, 8, 32 };
	u32 len;

	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 4, 2, 64);
	for (unsigned int i = 0; i < 3; i++) {
		set_status(DRIVER_STATUS & ~VIRTIO_CONFIG_S_FEATURES_OK);
		virtio_device_set_features(dev, DRIVER_FEATURES);
		set_status(DRIVER_STATUS);
		close(rings[2].call_fd);
		ring_init(&rings[2], &arena, sizes[i], true);
		rings[2].kick_fd = dev->queues[2].kick_fd;
		rings[2].call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		enable_queue(2);	/* only this one */
		set_status(DRIVER_STATUS | VIRTIO_CONFIG_S_DRIVER_OK);
		for (unsigned int k = 0; k < test_scale(3000); k++) {
			expect(add_request(2, &slots[0], VIRTIO_BLK_T_IN, 0,
					   512) >= 0);
			ring_kick(&rings[2]);
			ring_wait_used(&rings[2], &len);
			expect(len == 513);
		}
		set_status(0);
	}
	ck_assert_uint_eq(taken(0) + taken(1) + taken(3), 0);
	close_blk();
}
END_TEST

/* --- cache modes --------------------------------------------------------- */

#define FLUSH (1ull << VIRTIO_BLK_F_FLUSH)
#define WCE (1ull << VIRTIO_BLK_F_CONFIG_WCE)

static void open_cached(enum disk_cache cache)
{
	struct disk_params params = { .path = "memory:1048576",
				      .cache = cache };
	struct disk *d;

	memset(&fault_host, 0, sizeof(fault_host));
	ck_assert_int_eq(disk_open_with(&disk_memory_ops, &d, &params), 0);
	open_blk(d, 1, 1, 64);
}

static u8 read_wce(void)
{
	u8 wce = 0xff;

	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev, offsetof(struct virtio_blk_config, wce),
			      &wce, 1);
	pthread_mutex_unlock(&dev->lock);
	return wce;
}

static void write_config(u32 offset, const void *data, unsigned int len)
{
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_write(dev, offset, data, len);
	pthread_mutex_unlock(&dev->lock);
}

static void write_wce(u8 wce)
{
	write_config(offsetof(struct virtio_blk_config, wce), &wce, 1);
}

/* Whether a write is durable when it is done. */
static bool write_is_durable(void)
{
	unsigned int before = fault_host.durable;
	u32 written;

	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512, &written),
			  VIRTIO_BLK_S_OK);
	return fault_host.durable != before;
}

/* 5.2.5, 5.2.6.2: what each mode tells, to each kind of driver. */
START_TEST(test_cache_modes)
{
	static const bool write_back[] = {
		[DISK_CACHE_NONE] = true,
		[DISK_CACHE_WRITEBACK] = true,
		[DISK_CACHE_WRITETHROUGH] = false,
		[DISK_CACHE_DIRECTSYNC] = false,
		[DISK_CACHE_UNSAFE] = true,
	};
	const u64 others = DRIVER_FEATURES & ~FLUSH;
	const bool wb = write_back[_i];

	open_cached((enum disk_cache)_i);
	ck_assert(dev->features & FLUSH && dev->features & WCE);
	ck_assert_uint_eq(read_wce(), wb);
	drive(others | FLUSH | WCE);
	ck_assert_uint_eq(read_wce(), wb);
	ck_assert_int_eq(write_is_durable(), !wb);
	set_status(0);
	drive(others | FLUSH);
	ck_assert_int_eq(write_is_durable(), !wb);
	set_status(0);
	negotiate(others | WCE);
	ck_assert_uint_eq(read_wce(), 0);	/* MUST, 5.2.5.2 */
	set_status(0);
	ck_assert_uint_eq(read_wce(), wb);
	drive(others);
	ck_assert(write_is_durable());
	set_status(0);
	drive(others | FLUSH | WCE);
	ck_assert_int_eq(write_is_durable(), !wb);
	close_blk();
}
END_TEST

START_TEST(test_wce_toggled)
{
	const u8 zeroes[8] = { 0 }, two = 2;

	open_cached(DISK_CACHE_NONE);
	drive(DRIVER_FEATURES | WCE);
	for (unsigned int i = 0; i < 10; i++) {
		write_wce(0);
		ck_assert_uint_eq(read_wce(), 0);
		ck_assert(write_is_durable());
		expect_alive();
		write_wce(1);
		ck_assert_uint_eq(read_wce(), 1);
		ck_assert(!write_is_durable());
	}
	/* Not the byte itself, and not a value it has. */
	write_config(offsetof(struct virtio_blk_config, wce), zeroes, 2);
	write_config(offsetof(struct virtio_blk_config, wce) - 4, zeroes, 8);
	write_config(0, zeroes, 8);
	ck_assert_uint_eq(read_wce(), 1);
	ck_assert(!write_is_durable());
	write_wce(0);
	write_config(offsetof(struct virtio_blk_config, wce), &two, 1);
	ck_assert_uint_eq(read_wce(), 0);
	write_wce(1);
	/* A reset forgets it. */
	write_wce(0);
	set_status(0);
	ck_assert_uint_eq(read_wce(), 1);
	/* Too early, and without the feature. */
	set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	virtio_device_set_features(dev, DRIVER_FEATURES | WCE);
	write_wce(0);
	ck_assert_uint_eq(read_wce(), 1);
	drive(DRIVER_FEATURES);
	write_wce(0);
	ck_assert_uint_eq(read_wce(), 1);
	ck_assert(!write_is_durable());
	close_blk();
}
END_TEST

/* --- ranges without data ------------------------------------------------- */

#define ERASURE \
	(1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES | \
	 1ull << VIRTIO_BLK_F_SECURE_ERASE)
#define DISCARD VIRTIO_BLK_T_DISCARD
#define ZEROES VIRTIO_BLK_T_WRITE_ZEROES
#define SECURE VIRTIO_BLK_T_SECURE_ERASE
#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define UNSUPP VIRTIO_BLK_S_UNSUPP

/* A disk in memory that offers all; limits as fault_disk.c has them. */
static void setup_erasure(void)
{
	struct disk_params params = { .path = "memory:1048576",
				      .discard = true };
	struct disk *d;

	memset(&fault_host, 0, sizeof(fault_host));
	ck_assert_int_eq(disk_open_with(&disk_memory_ops, &d, &params), 0);
	open_blk(d, 1, 1, 64);
	drive((DRIVER_FEATURES | ERASURE) &
	      ~(1ull << VIRTIO_RING_F_EVENT_IDX));
}

/* A request with @len bytes of data that the device reads; in two parts. */
static u8 request_out(u32 type, const void *bytes, u32 len)
{
	const struct slot *s = &slots[0];
	struct ring_buf bufs[4];
	unsigned int n = 0;
	u32 written;

	set_header(s, type, 0x5555);	/* reserved here: does not count */
	*status_byte(s) = 0xee;
	if (len)
		memcpy(slot_data(s), bytes, len);
	bufs[n++] = (struct ring_buf){ s->header, 16, false };
	if (len > 7)
		bufs[n++] = (struct ring_buf){ s->data, 7, false };
	if (len)
		bufs[n++] = (struct ring_buf){ s->data + (len > 7 ? 7 : 0),
					       len > 7 ? len - 7 : len, false };
	bufs[n++] = (struct ring_buf){ s->status, 1, true };
	expect(ring_add(&rings[0], bufs, n) >= 0);
	ring_kick(&rings[0]);
	ring_wait_used(&rings[0], &written);
	ck_assert_uint_eq(written, 1);
	return *status_byte(s);
}

static u8 erase(u32 type, u64 sector, u32 sectors, u32 flags)
{
	struct virtio_blk_discard_write_zeroes segment = {
		.sector = (__force __le64)cpu_to_le64(sector),
		.num_sectors = (__force __le32)cpu_to_le32(sectors),
		.flags = (__force __le32)cpu_to_le32(flags),
	};

	return request_out(type, &segment, sizeof(segment));
}

static void expect_erased(enum disk_op op, u64 sector, u64 sectors, bool unmap)
{
	const struct disk_req *r = &fault_host.erased;

	ck_assert_int_eq(r->op, op);
	ck_assert_uint_eq(r->offset, sector * 512);
	ck_assert_uint_eq(r->len, sectors * 512);
	ck_assert_uint_eq(r->niov, 0);
	ck_assert_int_eq(r->unmap, unmap);
	memset(&fault_host.erased, 0, sizeof(fault_host.erased));
}

START_TEST(test_erasure)
{
	setup_erasure();
	ck_assert_uint_eq(erase(DISCARD, 8, 16, 0), OK);
	expect_erased(DISK_DISCARD, 8, 16, false);
	ck_assert_uint_eq(erase(ZEROES, 9, 1, 0), OK);
	expect_erased(DISK_WRITE_ZEROES, 9, 1, false);
	ck_assert_uint_eq(erase(ZEROES, SECTORS - 1, 1, 1), OK);
	expect_erased(DISK_WRITE_ZEROES, SECTORS - 1, 1, true);
	ck_assert_uint_eq(erase(SECURE, 0, 256, 0), OK);
	expect_erased(DISK_SECURE_ERASE, 0, 256, false);
	ck_assert_uint_eq(STAT(0, discards), 1);
	ck_assert_uint_eq(STAT(0, write_zeroes), 2);
	ck_assert_uint_eq(STAT(0, secure_erases), 1);
	ck_assert_uint_eq(STAT(0, discarded_bytes), (16 + 256) * 512);
	ck_assert_uint_eq(STAT(0, zeroed_bytes), 2 * 512);
	ck_assert_uint_eq(STAT(0, others) + STAT(0, errors), 0);
	close_blk();
}
END_TEST

static const struct {
	u32 type;
	u64 sector;
	u32 sectors, flags;
	u8 status;
} hostile[] = {
	{ DISCARD, 0, 0, 0, OK },		/* nothing is done, well */
	{ ZEROES, SECTORS, 0, 0, OK },
	{ DISCARD, SECTORS + 1, 0, 0, IOERR },
	{ DISCARD, SECTORS, 1, 0, IOERR },	/* behind the end, across it */
	{ DISCARD, SECTORS - 1, 2, 0, IOERR },
	{ ZEROES, SECTORS - 1, 2, 0, IOERR },
	{ SECURE, SECTORS - 1, 2, 0, IOERR },
	{ DISCARD, ~0ull, 1, 0, IOERR },	/* wraps */
	{ ZEROES, ~0ull, 2, 1, IOERR },
	{ ZEROES, 1ull << 55, 8, 0, IOERR },	/* in bytes */
	{ DISCARD, 1, ~0u, 0, IOERR },
	{ SECURE, ~0ull, ~0u, 0, IOERR },
	{ DISCARD, 0, 1025, 0, IOERR },		/* one more than the most */
	{ ZEROES, 0, 513, 0, IOERR },
	{ SECURE, 0, 257, 0, IOERR },
	{ DISCARD, 0, 8, 1, UNSUPP },		/* 5.2.6.2: unmap */
	{ SECURE, 0, 8, 1, UNSUPP },
	{ DISCARD, 0, 8, 2, UNSUPP },		/* 5.2.6.2: unknown flags */
	{ ZEROES, 0, 8, 2, UNSUPP },
	{ ZEROES, 0, 8, 3, UNSUPP },
	{ ZEROES, 0, 8, 1u << 31, UNSUPP },
	{ SECURE, SECTORS, 8, 0x80000000, UNSUPP },
};

START_TEST(test_hostile_segment)
{
	const u8 want = hostile[_i].status;

	setup_erasure();
	ck_assert_uint_eq(erase(hostile[_i].type, hostile[_i].sector,
				hostile[_i].sectors, hostile[_i].flags), want);
	ck_assert_uint_eq(fault_host.erased.len, 0);
	ck_assert_uint_eq(STAT(0, errors), want != OK);
	ck_assert_uint_eq(STAT(0, discarded_bytes) + STAT(0, zeroed_bytes), 0);
	expect_alive();
	ck_assert(!(status_of() & VIRTIO_CONFIG_S_NEEDS_RESET));
	close_blk();
}
END_TEST

/* No segment, parts of one, more than the device says that it takes. */
START_TEST(test_segments)
{
	static const u32 types[] = { DISCARD, ZEROES, SECURE };
	struct virtio_blk_discard_write_zeroes segments[32] = {
		[0 ... 31].num_sectors = (__force __le32)cpu_to_le32(8),
	};

	setup_erasure();
	for (unsigned int i = 0; i < 3; i++) {
		for (u32 len = 0; len < 16; len++)
			ck_assert_uint_eq(request_out(types[i], segments, len),
					  IOERR);
		ck_assert_uint_eq(request_out(types[i], segments, 17), IOERR);
		ck_assert_uint_eq(request_out(types[i], segments, 512), UNSUPP);
		ck_assert_uint_eq(request_out(types[i], segments, 32), UNSUPP);
		ck_assert_uint_eq(request_out(types[i], segments, 31), IOERR);
	}
	ck_assert_uint_eq(fault_host.erased.len, 0);
	ck_assert_uint_eq(request_out(DISCARD, segments, 16), OK);
	expect_erased(DISK_DISCARD, 0, 8, false);
	close_blk();
}
END_TEST

/* Only what driver and device have agreed on. */
START_TEST(test_erasure_not_negotiated)
{
	static const u32 types[] = { DISCARD, ZEROES, SECURE };

	setup_erasure();
	set_status(0);
	drive(DRIVER_FEATURES & ~(1ull << VIRTIO_RING_F_EVENT_IDX));
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(erase(types[i], 0, 8, 0), UNSUPP);
	ck_assert_uint_eq(fault_host.erased.len, 0);
	ck_assert_uint_eq(STAT(0, others), 3);
	close_blk();
}
END_TEST

START_TEST(test_erasure_readonly)
{
	struct disk_params params = { .lock = true, .readonly = true,
				      .discard = true };
	char path[256];

	rig_file(path, sizeof(path), "/tmp", DISK_BYTES);
	params.path = path;
	ck_assert_int_eq(disk_open(&disk, &params), 0);
	open_blk(disk, 1, 1, 64);
	ck_assert(!(dev->features & ERASURE));
	drive(DRIVER_FEATURES);
	ck_assert_uint_eq(erase(DISCARD, 0, 8, 0), UNSUPP);
	ck_assert_uint_eq(erase(ZEROES, 0, 8, 0), UNSUPP);
	close_blk();
	unlink(path);
}
END_TEST

/* Zeroes are writes: durable while there is no write cache. */
START_TEST(test_erasure_durable)
{
	setup_erasure();
	ck_assert_uint_eq(erase(ZEROES, 0, 8, 0), OK);
	ck_assert(!fault_host.erased.durable);
	set_status(0);
	drive(((DRIVER_FEATURES | ERASURE) & ~FLUSH) |
	      1ull << VIRTIO_BLK_F_CONFIG_WCE);
	ck_assert_uint_eq(erase(ZEROES, 0, 8, 0), OK);
	ck_assert(fault_host.erased.durable);
	close_blk();
}
END_TEST

/* Many at once with the host late and failing, on a file's workers: each ends once. */
START_TEST(test_erasure_under_load)
{
	static const u32 types[] = { DISCARD, ZEROES, VIRTIO_BLK_T_OUT,
				     VIRTIO_BLK_T_FLUSH };
	struct disk_params params = { .discard = true, .lock = true };
	char file[256], path[300];
	struct rig_capture c;
	struct disk *d;
	u32 len;

	rig_file(file, sizeof(file), _i ? "/dev/shm" : "/tmp", DISK_BYTES);
	snprintf(path, sizeof(path), "fault:3:10:3:%s", file);
	params.path = path;
	rig_capture_start(&c);
	ck_assert_int_eq(disk_open_with(&disk_fault_ops, &d, &params), 0);
	open_blk(d, 1, 1, 64);
	drive((DRIVER_FEATURES | ERASURE) & dev->features);
	for (unsigned int k = 0; k < test_scale(300); k++) {
		for (unsigned int i = 0; i < 16; i++) {
			struct virtio_blk_discard_write_zeroes segment = {
				.sector = (__force __le64)cpu_to_le64(8 * i),
				.num_sectors = (__force __le32)cpu_to_le32(8),
			};
			u32 type = types[(i + k) % 4];
			struct ring_buf bufs[] = {
				{ slots[i].header, 16, false },
				{ slots[i].data, type == types[2] ? 4096 : 16,
				  false },
				{ slots[i].status, 1, true },
			};

			memcpy(slot_data(&slots[i]), &segment, sizeof(segment));
			set_header(&slots[i], type, 8 * i);
			*status_byte(&slots[i]) = 0xee;
			expect(ring_add(&rings[0], bufs, 3) >= 0);
		}
		ring_kick(&rings[0]);
		if (k % 10 == 9) {	/* a reset waits for them */
			set_status(0);
			drive((DRIVER_FEATURES | ERASURE) & dev->features);
			continue;
		}
		for (unsigned int i = 0; i < 16; i++)
			ring_wait_used(&rings[0], &len);
		for (unsigned int i = 0; i < 16; i++)
			expect(*status_byte(&slots[i]) == OK ||
			       *status_byte(&slots[i]) == IOERR);
	}
	rig_capture_end(&c);
	close_blk();
	unlink(file);
}
END_TEST

START_TEST(test_erasure_config)
{
	struct virtio_blk_config c = { 0 };

	setup_erasure();
	dev->ops->config_read(dev, 0, &c, VIRTIO_BLK_CONFIG_LEN);
	ck_assert((dev->features & ERASURE) == ERASURE);
	ck_assert_uint_eq(c.max_discard_sectors, 1024);
	ck_assert_uint_eq(c.max_discard_seg, 1);
	ck_assert_uint_eq(c.discard_sector_alignment, 16);
	ck_assert_uint_eq(c.max_write_zeroes_sectors, 512);
	ck_assert_uint_eq(c.max_write_zeroes_seg, 1);
	ck_assert_uint_eq(c.write_zeroes_may_unmap, 1);
	ck_assert_uint_eq(c.unused, 0);
	for (unsigned int i = 0; i < sizeof(c.unused1); i++)
		ck_assert_uint_eq(c.unused1[i], 0);
	ck_assert_uint_eq(c.max_secure_erase_sectors, 256);
	ck_assert_uint_eq(c.max_secure_erase_seg, 1);
	ck_assert_uint_eq(c.secure_erase_sector_alignment, 16);
	close_blk();
	/* Nothing of what is not offered. */
	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 1, 1, 64);
	dev->ops->config_read(dev, 0, &c, VIRTIO_BLK_CONFIG_LEN);
	ck_assert(!(dev->features & ERASURE));
	for (size_t i = offsetof(struct virtio_blk_config, max_discard_sectors);
	     i < VIRTIO_BLK_CONFIG_LEN; i++)
		ck_assert_uint_eq(((u8 *)&c)[i], 0);
	close_blk();
}
END_TEST

START_TEST(test_config_space)
{
	struct virtio_blk_config c;

	open_blk(rig_open(&disk_memory_ops, "memory:1048576"), 3, 1, 64);
	memset(&c, 0, sizeof(c));
	dev->ops->config_read(dev, 0, &c, VIRTIO_BLK_CONFIG_LEN);
	ck_assert_uint_eq(c.capacity, SECTORS);
	ck_assert_uint_eq(c.seg_max, 62);
	ck_assert_uint_eq(c.blk_size, 512);
	ck_assert_uint_eq(c.num_queues, 3);
	ck_assert_uint_eq(dev->ops->id, VIRTIO_ID_BLOCK);
	ck_assert(!(dev->features >> VIRTIO_BLK_F_RO & 1));
	close_blk();
}
END_TEST

static void add_requests(Suite *suite)
{
	TCase *tc = tcase_create("requests");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_write_then_read);
	tcase_add_test(tc, test_file);
	tcase_add_test(tc, test_lone_requests_do_not_wait);
	tcase_add_test(tc, test_unknown_type_unsupp);
	tcase_add_test(tc, test_get_id);
	tcase_add_test(tc, test_range);
	tcase_add_test(tc, test_zero_length);
	tcase_add_test(tc, test_readonly_write_ioerr);
	tcase_add_loop_test(tc, test_any_layout, 0, 9);
	tcase_add_test(tc, test_header_in_bytes);
	tcase_add_test(tc, test_config_space);
	suite_add_tcase(suite, tc);
}

static void add_cache(Suite *suite)
{
	TCase *tc = tcase_create("cache");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_cache_modes, DISK_CACHE_NONE,
			    DISK_CACHE_UNSAFE + 1);
	tcase_add_test(tc, test_wce_toggled);
	suite_add_tcase(suite, tc);
}

static void add_erasure(Suite *suite)
{
	TCase *tc = tcase_create("erasure");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_erasure);
	tcase_add_loop_test(tc, test_hostile_segment, 0,
			    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(tc, test_segments);
	tcase_add_test(tc, test_erasure_not_negotiated);
	tcase_add_test(tc, test_erasure_readonly);
	tcase_add_test(tc, test_erasure_durable);
	tcase_add_loop_test(tc, test_erasure_under_load, 0, 2);
	tcase_add_test(tc, test_erasure_config);
	suite_add_tcase(suite, tc);
}

static void add_mess(Suite *suite)
{
	TCase *tc = tcase_create("mess");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_short_header);
	tcase_add_test(tc, test_no_header);
	tcase_add_loop_test(tc, test_no_status, 0, 2);
	tcase_add_test(tc, test_bad_head);
	tcase_add_test(tc, test_buffer_outside_memory);
	tcase_add_test(tc, test_bad_ring);
	tcase_add_test(tc, test_other_device_lives);
	suite_add_tcase(suite, tc);
}

static void add_load(Suite *suite)
{
	TCase *tc = tcase_create("load");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_batch_of_64, 0, 4);
	tcase_add_test(tc, test_many_are_waited_for);
	tcase_add_test(tc, test_polled);
	tcase_add_loop_test(tc, test_interrupts_are_delayed, 0, 2);
	tcase_add_test(tc, test_sequential_is_merged);
	tcase_add_test(tc, test_errors_complete_once);
	tcase_add_test(tc, test_error_used_len);
	tcase_add_test(tc, test_more_chains_than_slots);
	tcase_add_loop_test(tc, test_queues_on_threads, 1, 5);
	tcase_add_test(tc, test_device_reset_under_load);
	tcase_add_test(tc, test_reset_while_more_comes);
	tcase_add_loop_test(tc, test_queue_reset_under_load, 1, 3);
	tcase_add_test(tc, test_smaller_rings_fewer_queues);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("blk");
	SRunner *runner;
	int failed;

	add_requests(suite);
	add_cache(suite);
	add_erasure(suite);
	add_mess(suite);
	add_load(suite);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
