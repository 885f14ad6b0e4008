// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of a hostile driver: what it can do to a packed ring, and noise in rings
 * of either layout.  blk.c has what it can do to a split one.
 */
#include "virtio.h"

static struct device dev, dev2;
static struct queue q, q2;
static u8 back[SECTOR];

/* What a packed ring's driver can do wrong, of which "how" is one. */
static void break_packed(u32 how)
{
	u64 addr[] = { (u32)&q.request[0], (u32)back, (u32)&q.request[0].status };
	u32 len[] = { 16, SECTOR, 1 }, n = 3;
	u16 flags[] = { DESC_NEXT, DESC_WRITE | DESC_NEXT, DESC_WRITE };

	q.request[0].type = T_IN;
	switch (how) {
	case 0:		/* longer than the ring */
		for (n = 0; n < q.size; n++)
			queue_put(&q, addr[0], 16, DESC_NEXT, 0);
		n = 0;
		break;
	case 1:		/* not available to its end */
		flags[1] |= DESC_AVAIL;
		break;
	case 2:		/* memory that is not there */
		addr[1] = 0xc0000000;
		break;
	case 3:		/* memory that ends in the middle, and wraps */
		addr[1] = ~0ull - 100;
		break;
	case 4:		/* no status byte */
		flags[0] = 0;
		break;
	case 5:		/* a short header */
		len[0] = 15;
		break;
	case 6:		/* readable behind writable */
		flags[2] = 0;
		break;
	case 7:		/* not negotiated */
		flags[0] = DESC_INDIRECT;
		break;
	case 8:		/* a table behind a buffer */
		flags[1] = DESC_INDIRECT;
		break;
	case 9:		/* used already, it says */
		flags[2] |= DESC_USED;
		break;
	}
	for (u32 i = 0; i < n; i++)
		queue_put(&q, addr[i], len[i], flags[i], 0);
	queue_show(&q, 1);
}

/* Two disks: the first needs a reset, the other does not notice. */
static void case_broken_packed(void)
{
	disk_start(&dev, &q, 0);
	disk_start(&dev2, &q2, 1);
	CHECK(q.is_packed);
	break_packed(param("how", 0));
	queue_kick(&q);
	CHECK(WAIT(device_status(&dev) & STATUS_NEEDS_RESET));
	queue_kick(&q);
	linger();
	CHECK(write_and_read(&q2, 0, 8 * SECTOR, 5));
	CHECK(!(device_status(&dev2) & STATUS_NEEDS_RESET));
	disk_start(&dev, &q, 0);
	CHECK(!(device_status(&dev) & STATUS_NEEDS_RESET));
	CHECK(write_and_read(&q, 0, 8 * SECTOR, 6));
}

static u64 wild_state = 88172645463325252ull;

static u32 wild(void)
{
	wild_state ^= wild_state << 13;
	wild_state ^= wild_state >> 7;
	wild_state ^= wild_state << 17;
	return (u32)(wild_state >> 16);
}

/* Anything, but writable memory is nobody's. */
static void wild_desc(struct desc *d)
{
	static u8 nobodys[2 * SECTOR];
	u32 x = wild();

	d->addr = x % 8 ? (u32)nobodys + x / 8 % SECTOR :
		  x & 8 ? (u32)q.indirect : 0xc0000000;
	d->len = x % 8 ? wild() % SECTOR : 16 * (wild() % 5);
	d->flags = (u16)wild();
	d->next = (u16)wild();
	if (!(x % 8) && x & 8)
		*(q.is_packed ? &d->next : &d->flags) = DESC_INDIRECT |
			(wild() & (DESC_AVAIL | DESC_USED));
	else if (!q.is_packed)
		d->flags &= DESC_NEXT | DESC_WRITE;
	else
		d->next &= DESC_NEXT | DESC_WRITE | DESC_AVAIL | DESC_USED;
	if (!q.is_packed)
		d->next %= 80;
}

/* A ring full of anything, again and again, while the device looks at it. */
static void case_wild(void)
{
	u32 broken = 0;

	device_find(&dev, 0);
	for (u32 round = 0; round < 24; round++) {
		device_negotiate(&dev, F_VERSION_1 | F_INDIRECT | F_EVENT_IDX);
		queue_setup(&dev, &q, 0, 16, NO_VECTOR);
		for (u32 i = 0; i < SLOTS; i++)
			for (u32 j = 0; j < 3; j++)
				wild_desc(&q.indirect[i][j]);
		device_ok(&dev);
		for (u32 look = 0; look < 20; look++) {
			for (u32 i = 0; i < 16; i++)
				wild_desc(&q.desc[i]);
			for (u32 i = 0; !q.is_packed && i < 16; i++)
				q.avail.ring[i] = (u16)(wild() % 17);
			*(volatile u32 *)&q.avail = q.is_packed ? wild() :
				(u32)(q.used.idx + wild() % 18) << 16;
			queue_kick(&q);
			for (u32 i = 0; i < wild() % 1000; i++)
				__asm__ volatile("pause");
		}
		broken += !!(device_status(&dev) & STATUS_NEEDS_RESET);
	}
	print("%u of 24 broken\n", broken);
	CHECK(broken > 10);
	disk_start(&dev, &q, 0);
	CHECK(write_and_read(&q, 0, 8 * SECTOR, 6));
}

const struct payload_case hostile_cases[] = {
	{ "broken-packed", case_broken_packed },
	{ "wild", case_wild },
	{ NULL, NULL },
};
