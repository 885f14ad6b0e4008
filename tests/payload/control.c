// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of a guest that is controlled while it runs; the runner does that.
 */
#include "virtio.h"

#define VECTOR 0x50
#define SCI 9
#define PM1_STATUS 0x600
#define PM1_ENABLE 0x602
#define PM1_POWER_BUTTON 0x100

static struct device dev;
static struct queue q;
static u8 data[SECTOR] __attribute__((aligned(4096)));
static volatile u32 presses, spurious;

/* The runner takes its time: a minute. */
#define WAIT_LONG(cond)                                                        \
	({                                                                     \
		u32 tries_ = 12;                                               \
		while (tries_-- && !WAIT(cond))                                \
			;                                                      \
		(cond);                                                        \
	})

/* The last sector is there, and the one behind it is not. */
static void check_end(u64 sectors)
{
	CHECK(write_and_read(&q, sectors - 1, SECTOR, 3));
	CHECK(queue_do(&q, T_IN, sectors, data, SECTOR) == S_IOERR);
	CHECK(queue_do(&q, T_IN, sectors - 1, data, 2 * SECTOR) == S_IOERR);
}

/* From "sectors" to "to" sectors: capacity, generation, interrupt (5.2.5). */
static void case_resized(void)
{
	u8 generation;

	irq_init();
	disk_start(&dev, &q, 0);
	queue_calls_off(&q);
	device_route(&dev, VECTOR);
	CHECK(device_sectors(&dev) == param("sectors", 0));
	check_end(param("sectors", 0));
	generation = (u8)reg_read(&dev, R_GENERATION);
	print("READY\n");
	CHECK(WAIT_LONG(irq_count[VECTOR]));
	CHECK(device_sectors(&dev) == param("to", 0));
	CHECK((u8)reg_read(&dev, R_GENERATION) != generation);
	check_end(param("to", 0));
	linger();
	CHECK(irq_count[VECTOR] == 1);
}

static void button_hook(u32 vector)
{
	(void)vector;
	if (!(inw(PM1_STATUS) & PM1_POWER_BUTTON)) {
		spurious++;	/* legal, as of any level */
		return;
	}
	outw(PM1_STATUS, PM1_POWER_BUTTON);
	CHECK(!(inw(PM1_STATUS) & PM1_POWER_BUTTON));
	presses++;
}

/* ACPI 6.4, 4.8.2.2.1.1; "ignore=1": it is pressed in vain. */
static void case_button(void)
{
	irq_init();
	irq_hook = button_hook;
	ioapic_route(SCI, VECTOR, true, false);
	outw(PM1_ENABLE, PM1_POWER_BUTTON);
	CHECK(inw(PM1_ENABLE) == PM1_POWER_BUTTON && !inw(PM1_STATUS));
	print("READY\n");
	CHECK(WAIT_LONG(presses));
	linger();
	CHECK(presses == 1 && spurious <= 1);	/* the line is low again */
	print("PRESSED\n");
	while (param("ignore", 0))
		let_irqs_in();
}

/* So many reads, and no more. */
static void case_served(void)
{
	disk_start(&dev, &q, 0);
	for (u32 i = 0; i < param("reads", 0); i++)
		CHECK(queue_do(&q, T_IN, 0, data, SECTOR) == S_OK);
	print("READY\n");
	for (;;)
		__asm__ volatile("pause");
}

/* Reads for ever, 16 at a time. */
static void case_reads(void)
{
	disk_start(&dev, &q, 0);
	print("READY\n");
	for (;;) {
		for (u32 slot = 0; slot < 16; slot++)
			queue_add(&q, slot, T_IN, 0, data, SECTOR);
		queue_kick(&q);
		while (!queue_wait(&q))	/* a limit may take its time */
			;
	}
}

const struct payload_case control_cases[] = {
	{ "resized", case_resized },
	{ "button", case_button },
	{ "served", case_served },
	{ "reads", case_reads },
	{ NULL, NULL },
};
