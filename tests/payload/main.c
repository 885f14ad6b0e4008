// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest of all cases: its interrupts, and the choice of the case.
 */
#include "payload.h"

#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ON 0x1ff

struct idt_gate {
	u16 offset_low, selector, type, offset_high;
};

struct idt_gate idt[256];
volatile u32 irq_count[256];
void (*volatile irq_hook)(u32 vector);
extern const u8 irq_stubs[];
extern const u8 idt_pointer[];

void irq_dispatch(u32 vector);
void payload_main(const struct hvm_start_info *info);

void irq_dispatch(u32 vector)
{
	if (vector < 32) {
		print("FAIL exception %u\n", vector);
		power_off();
	}
	irq_count[vector]++;
	if (irq_hook)
		irq_hook(vector);
	write32(LAPIC + LAPIC_EOI, 0);
}

void irq_init(void)
{
	write32(LAPIC + LAPIC_SPURIOUS, LAPIC_ON);
}

static void idt_init(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 stub = (u32)irq_stubs + 16 * i;

		idt[i] = (struct idt_gate){
			.offset_low = (u16)stub,
			.selector = 8,
			.type = 0x8e00,
			.offset_high = (u16)(stub >> 16),
		};
	}
}

void linger(void)
{
	u64 end = rdtsc() + 100000000;

	while (rdtsc() < end)
		let_irqs_in();
}

static void run_case(const struct payload_case *c)
{
	for (; c->name; c++) {
		if (!param_is("case", c->name))
			continue;
		c->run();
		print("PASS\n");
		power_off();
	}
}

void payload_main(const struct hvm_start_info *info)
{
	start_info = info;
	idt_init();
	outb(0x21, 0xff);	/* the old PICs stay silent */
	outb(0xa1, 0xff);
	run_case(machine_cases);
	run_case(blk_cases);
	run_case(queue_cases);
	run_case(storm_cases);
	run_case(hostile_cases);
	run_case(mmio_cases);
	run_case(host_cases);
	run_case(control_cases);
	CHECK(!"no such case");
}
