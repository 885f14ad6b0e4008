// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of a host whose disk fails or changes under the guest; the runner does
 * that to it, and looks at what lkvm says.
 */
#include "virtio.h"

#define BLOCK (16 * SECTOR)

static struct device dev;
static struct queue q;
static u8 data[BLOCK] __attribute__((aligned(4096)));

static bool zero(void)
{
	for (u32 i = 0; i < BLOCK; i++)
		if (data[i])
			return false;
	return true;
}

/* Until the runner has changed the first sector; about five seconds. */
static bool told_to_go(void)
{
	u64 end = rdtsc() + 15000000000ull;

	do {
		data[0] = 0;
		if (queue_do(&q, T_IN, 0, data, SECTOR) == S_OK && data[0] == 'G')
			return true;
		linger();
	} while (rdtsc() < end);
	return false;
}

/*
 * Write blocks, wait for the runner with "go=1", read them back.  From the block
 * "error" on reads fail, from "zero" on they give zeroes; "failed=1": some writes
 * fail; "lost=1": what was written need not be there.
 */
static void case_host(void)
{
	u32 blocks = param("blocks", 64), go = param("go", 0), failed = 0;
	u64 sectors;

	disk_start(&dev, &q, 0);
	sectors = device_sectors(&dev);
	if (!go)
		print("READY\n");
	for (u32 i = 1; i < blocks; i++) {
		fill(data, BLOCK, i);
		failed += queue_do(&q, T_OUT, 16 * i, data, BLOCK) != S_OK;
	}
	print("%u of %u writes failed\n", failed, blocks);
	CHECK(!failed == !param("failed", 0));
	if (go) {
		print("READY\n");
		CHECK(told_to_go());
	}
	CHECK(device_sectors(&dev) == sectors);
	for (u32 i = 1; i < blocks; i++) {
		u8 status = queue_do(&q, T_IN, 16 * i, data, BLOCK);

		CHECK(status == (i >= param("error", ~0u) ? S_IOERR : S_OK));
		if (i >= param("zero", ~0u))
			CHECK(zero());
		else if (i < param("error", ~0u) && !param("lost", 0))
			CHECK(filled(data, BLOCK, i));
	}
	for (u32 i = 1; i < blocks && param("again", 0); i++) {
		fill(data, BLOCK, i);
		CHECK(queue_do(&q, T_OUT, 16 * i, data, BLOCK) == S_OK);
	}
}

/* Reads, 16 at a time: the runner knows how long they may take. */
static void case_steady(void)
{
	disk_start(&dev, &q, 0);
	for (u32 i = 0; i < param("reads", 0); i += 16) {
		for (u32 slot = 0; slot < 16; slot++)
			queue_add(&q, slot, T_IN, 0, data,
				  SECTOR * param("sectors", 1));
		queue_kick(&q);
		CHECK(queue_wait(&q));
	}
}

const struct payload_case host_cases[] = {
	{ "host", case_host },
	{ "steady", case_steady },
	{ NULL, NULL },
};
