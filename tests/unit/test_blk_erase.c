// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk requests on ranges without data: discards, zeroes, secure erasure.
 */
/* helpers: blk_rig.c guest_ring.c disk_rig.c fault_disk.c */
#include "blk_rig.h"
#include "disk_rig.h"
#include "fault_disk.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void add_erasure(Suite *suite, bool packed)
{
	TCase *tc = tcase_of(suite, packed ? "erasure, packed" : "erasure", packed);

	tcase_add_test(tc, test_erasure);
	tcase_add_loop_test(tc, test_hostile_segment, 0,
			    sizeof(hostile) / sizeof(hostile[0]));
	tcase_add_test(tc, test_segments);
	tcase_add_test(tc, test_erasure_not_negotiated);
	tcase_add_test(tc, test_erasure_readonly);
	tcase_add_test(tc, test_erasure_durable);
	tcase_add_loop_test(tc, test_erasure_under_load, 0, 2);
	tcase_add_test(tc, test_erasure_config);
}

int main(void)
{
	Suite *suite = suite_create("blk-erase");
	SRunner *runner;
	int failed;

	for (int packed = 0; packed < 2; packed++)
		add_erasure(suite, packed);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
