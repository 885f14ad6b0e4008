// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk on real I/O threads, from a driver's ring to a disk and back: what
 * each request does, every layout of it, every way to get it wrong, and cache
 * modes.  Many requests at once: test_blk_load.c; without data: test_blk_erase.c.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "virtio/blk_queue.h"	/* first, for the sake of -Wshadow */
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Type @type with 16 bytes to read and 512 to write: its status. */
static u8 request_both_ways(u32 type, u64 readable)
{
	const struct slot *s = &slots[0];
	struct ring_buf bufs[] = {
		{ readable, 16, false },
		{ readable + 16, 512, false },
		{ s->data, 512, true },
		{ s->status, 1, true },
	};
	u32 written;

	set_header(s, type, 4);
	memcpy(arena_ptr(&arena, readable, 16), arena_ptr(&arena, s->header, 16),
	       16);
	*status_byte(s) = 0xee;
	ring_add(&rings[0], bufs, 4);
	ck_assert_int_eq(mprotect(arena_ptr(&arena, readable, 4096), 4096,
				  PROT_READ), 0);
	ring_kick(&rings[0]);
	ring_wait_used(&rings[0], &written);
	ck_assert_int_eq(mprotect(arena_ptr(&arena, readable, 4096), 4096,
				  PROT_READ | PROT_WRITE), 0);
	return *status_byte(s);
}

/* 2.7.5.1: each request has its readable buffers in memory that cannot be written. */
START_TEST(test_readable_buffers_not_written)
{
	static const u32 types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT,
				     VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
				     VIRTIO_BLK_T_DISCARD,
				     VIRTIO_BLK_T_WRITE_ZEROES,
				     VIRTIO_BLK_T_SECURE_ERASE, 77 };
	u64 readable;

	setup();
	readable = arena_alloc(&arena, 4096, 4096);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_ne(request_both_ways(types[i], readable), 0xee);
	ck_assert_uint_eq(request_both_ways(VIRTIO_BLK_T_IN, readable),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request_both_ways(VIRTIO_BLK_T_OUT, readable),
			  VIRTIO_BLK_S_OK);
	close_blk();
}
END_TEST

/* 2.7.5.1: what a writable buffer holds before is nobody's business. */
START_TEST(test_writable_buffers_not_read)
{
	const struct slot *s = &slots[0];
	struct ring_buf bufs[3];
	struct rig_capture c;
	u32 written;

	setup();
	bufs[0] = (struct ring_buf){ s->header, 16, false };
	bufs[1] = (struct ring_buf){ s->data, 512, true };
	bufs[2] = (struct ring_buf){ s->status, 1, true };
	memset(slot_data(s), 0x5a, 512);
	set_header(s, VIRTIO_BLK_T_OUT, 0);
	ring_add(&rings[0], bufs, 3);	/* no data: it is on the wrong side */
	ring_kick(&rings[0]);
	ring_wait_used(&rings[0], &written);
	ck_assert_uint_eq(STAT(0, written_bytes), 0);
	ck_assert_uint_eq(slot_data(s)[511], 0x5a);
	expect_request(VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_OK, 513);
	for (unsigned int i = 0; i < 512; i++)
		ck_assert_uint_eq(slot_data(s)[i], 0);
	/* A header there is none. */
	bufs[0].in = true;
	rig_capture_start(&c);
	ring_add(&rings[0], bufs, 3);
	ring_kick(&rings[0]);
	wait_broken();
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "request header");
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
	ring_init(&ring, &arena, 8, 0);
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

/* --- cache modes --------------------------------------------------------- */

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

/* What was written with the cache is durable once it is switched off. */
START_TEST(test_wce_off_flushes)
{
	struct rig_capture c;

	open_cached(DISK_CACHE_NONE);
	drive(DRIVER_FEATURES | WCE);
	ck_assert(!write_is_durable());
	write_wce(1);
	ck_assert_uint_eq(fault_host.syncs, 0);
	write_wce(0);
	ck_assert_uint_eq(fault_host.syncs, 1);
	write_wce(0);
	write_wce(1);
	ck_assert_uint_eq(fault_host.syncs, 1);
	/* If the host cannot, the driver sees that it is still to flush. */
	fault_host.no_sync = EIO;
	rig_capture_start(&c);
	write_wce(0);
	write_wce(0);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "write cache stays on", "told once");
	ck_assert_uint_eq(read_wce(), 1);
	ck_assert(!write_is_durable());
	fault_host.no_sync = 0;
	write_wce(0);
	ck_assert_uint_eq(read_wce(), 0);
	ck_assert_uint_eq(fault_host.syncs, 4);
	close_blk();
}
END_TEST

/*
 * Linux tells an error of writing back once for each open file.  If a switch of
 * the cache has met it, the next flush must not say that all is well.
 */
START_TEST(test_wce_off_fails_next_flush)
{
	struct rig_capture c;

	open_cached(DISK_CACHE_NONE);
	drive(DRIVER_FEATURES | WCE);
	fault_host.no_sync = EIO;
	rig_capture_start(&c);
	write_wce(0);
	rig_capture_end(&c);
	fault_host.no_sync = 0;
	ck_assert_uint_eq(read_wce(), 1);
	rig_capture_start(&c);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_IOERR, 1);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "flush", "I/O errors", strerror(EIO));
	close_blk();
}
END_TEST

/* What was told of one kind of failure does not hide another. */
START_TEST(test_each_kind_is_told)
{
	struct rig_capture c;

	memset(&fault_host, 0, sizeof(fault_host));
	open_blk(rig_open(&disk_fault_ops, "fault:1:100:0:memory:1048576"), 1, 1,
		 64);
	drive(DRIVER_FEATURES | WCE);
	rig_capture_start(&c);
	expect_request(VIRTIO_BLK_T_IN, 8, 512, VIRTIO_BLK_S_IOERR, 0);
	expect_request(VIRTIO_BLK_T_IN, 8, 512, VIRTIO_BLK_S_IOERR, 0);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "read", "told once");
	fault_host.no_sync = EIO;
	rig_capture_start(&c);
	write_wce(0);
	write_wce(0);
	rig_capture_end(&c);
	rig_expect_line(&c, "vdt", "write cache stays on", "told once");
	fault_host.no_sync = 0;
	close_blk();
}
END_TEST

static void on_pause(void *ctx, const char *why)
{
	expect(strstr(why, "flush"));
	__atomic_add_fetch((unsigned int *)ctx, 1, __ATOMIC_RELAXED);
}

/*
 * werror=stop, enospc: the host has dropped what it could not write, and its
 * next flush succeeds.  Resumed, the guest's must fail all the same, once.
 */
START_TEST(test_kept_flush_fails)
{
	unsigned int pauses = 0;
	u32 written;

	open_cached(DISK_CACHE_NONE);
	blk->on_error.write = _i ? VIRTIO_BLK_ENOSPC : VIRTIO_BLK_STOP;
	blk->on_error.pause = on_pause;
	blk->on_error.ctx = &pauses;
	drive(DRIVER_FEATURES | WCE);
	fault_host.no_sync = ENOSPC;
	write_wce(0);
	fault_host.no_sync = 0;
	add_request(0, &slots[0], VIRTIO_BLK_T_FLUSH, 0, 0);
	ring_kick(&rings[0]);
	while (!count_of(&pauses))
		usleep(1000);
	ck_assert(!ring_used_pending(&rings[0]));
	virtio_blk_retry(blk);
	ring_wait_used(&rings[0], &written);
	ck_assert_uint_eq(written, 1);
	ck_assert_uint_eq(*status_byte(&slots[0]), VIRTIO_BLK_S_IOERR);
	expect_request(VIRTIO_BLK_T_FLUSH, 0, 0, VIRTIO_BLK_S_OK, 1);
	ck_assert_uint_eq(pauses, 1);
	close_blk();
}
END_TEST

static void add_requests(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "requests, packed" : "requests", packed);

	tcase_add_test(tc, test_write_then_read);
	tcase_add_test(tc, test_file);
	tcase_add_test(tc, test_unknown_type_unsupp);
	tcase_add_test(tc, test_get_id);
	tcase_add_test(tc, test_range);
	tcase_add_test(tc, test_zero_length);
	tcase_add_test(tc, test_readonly_write_ioerr);
	tcase_add_loop_test(tc, test_any_layout, 0, 9);
	tcase_add_test(tc, test_header_in_bytes);
	tcase_add_test(tc, test_readable_buffers_not_written);
	tcase_add_test(tc, test_writable_buffers_not_read);
	tcase_add_test(tc, test_config_space);
}

static void add_cache(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "cache, packed" : "cache", packed);

	tcase_add_loop_test(tc, test_cache_modes, DISK_CACHE_NONE,
			    DISK_CACHE_UNSAFE + 1);
	tcase_add_test(tc, test_wce_toggled);
	tcase_add_test(tc, test_wce_off_flushes);
	tcase_add_test(tc, test_wce_off_fails_next_flush);
	tcase_add_test(tc, test_each_kind_is_told);
	tcase_add_loop_test(tc, test_kept_flush_fails, 0, 2);
}

static void add_mess(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "mess, packed" : "mess", packed);

	tcase_add_test(tc, test_short_header);
	tcase_add_test(tc, test_no_header);
	tcase_add_loop_test(tc, test_no_status, 0, 2);
	tcase_add_test(tc, test_buffer_outside_memory);
	tcase_add_test(tc, test_bad_ring);
	if (packed)
		return;
	tcase_add_test(tc, test_bad_head);
	tcase_add_test(tc, test_other_device_lives);
}

int main(void)
{
	Suite *suite = suite_create("blk");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++) {
		add_requests(suite, packed);
		add_cache(suite, packed);
		add_mess(suite, packed);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
