// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel mode: descriptors, vCPUs, the disk's queues; the passes and their
 * report.  Slow where it is emulated, and never part of what is measured.
 */
#include "ring3.h"

#define VECTOR 0x50		/* of the first queue */
#define VECTOR_UNDEFINED 6
#define KERNEL_CODE 0x18
#define GATE 0x8e00ull		/* interrupts off */
#define TSS_ENTRY 8
#define TRAMPOLINE 0x8000
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_ON 0x1ff
#define MSR_KVM_CLOCK 0x4b564d01
#define FEATURES (F_VERSION_1 | F_BLK_MQ | F_INDIRECT | F_EVENT_IDX)

struct table_pointer {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct kvm_clock {
	u32 version, pad;
	u64 tsc, ns;
	u32 ns_per_tick;	/* 2^-32 ns */
	signed char shift;
	u8 flags, pad2[2];
};

volatile u32 irqs[QUEUES_MAX][16];
volatile u32 aps_started;
extern u64 gdt[];
extern const u8 irq_stubs[], exception_stubs[], leave_ring3[];
extern const u8 trampoline_start[], trampoline_end[];

static u64 idt[256][2] __attribute__((aligned(16)));
static struct cpu cpus[CPUS_MAX];
static struct lane lanes[QUEUES_MAX];
static u8 data[QUEUES_MAX][DEPTH_MAX][BLOCK] __attribute__((aligned(4096)));
static struct device dev;
static struct job job;
static volatile u32 pass_number;
static u32 nr_cpus, nr_queues, tsc_khz;

void kernel_main(u32 info, u32 n);
void exception(u32 vector, const u64 *frame);

void exception(u32 vector, const u64 *frame)
{
	bool code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;

	print("FAIL exception %u at %x\n", vector, (u32)frame[code]);
	power_off();
}

static void gate(u32 vector, const u8 *to)
{
	u64 at = (u32)to;

	idt[vector][0] = (at & 0xffff) | KERNEL_CODE << 16 | GATE << 32 |
			 at >> 16 << 48;
}

static void idt_init(void)
{
	for (u32 i = 0; i < 32; i++)
		gate(i, exception_stubs + 16 * i);
	gate(VECTOR_UNDEFINED, leave_ring3);
	for (u32 i = 0; i < QUEUES_MAX; i++)
		gate(VECTOR + i, irq_stubs + 32 * i);
}

/* On the vCPU itself: what it needs to leave ring 3, and its local APIC. */
static void cpu_init(u32 n)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (u32)idt };
	struct cpu *cpu = &cpus[n];
	u64 rsp0 = (u32)&cpu->kernel_rsp, base = (u32)cpu->tss;
	u16 selector = (u16)(8 * (TSS_ENTRY + 2 * n));

	memcpy((u8 *)cpu->tss + 4, &rsp0, sizeof(rsp0));
	*(u16 *)((u8 *)cpu->tss + 102) = 104;	/* no I/O bitmap */
	gdt[TSS_ENTRY + 2 * n] = 103 | (base & 0xffffff) << 16 | 0x89ull << 40 |
				 base >> 24 << 56;
	__asm__ volatile("lidt %0; ltr %1" : : "m"(pointer), "r"(selector));
	write32(LAPIC + LAPIC_SPURIOUS, LAPIC_ON);
}

/* The clock that KVM gives tells how fast the TSC is. */
static void tsc_init(void)
{
	static struct kvm_clock clock __attribute__((aligned(64)));
	u64 khz;

	__asm__ volatile("wrmsr" : : "c"(MSR_KVM_CLOCK), "a"((u32)&clock | 1), "d"(0)
			 : "memory");
	CHECK(WAIT(((volatile struct kvm_clock *)&clock)->ns_per_tick));
	khz = (1000000ull << 32) / clock.ns_per_tick;
	tsc_khz = (u32)(clock.shift < 0 ? khz << -clock.shift : khz >> clock.shift);
}

static u32 ns(u64 ticks)
{
	return (u32)(ticks * 1000000 / tsc_khz);
}

static void lane_tables(struct lane *l)
{
	for (u16 i = 0; i < DEPTH_MAX; i++) {
		struct slot *s = &l->slot[i];

		s->table[0] = (struct desc){ (u32)&s->request, 16, DESC_NEXT, 1 };
		s->table[1] = (struct desc){ (u32)l->data[i], BLOCK, 0, 2 };
		s->table[2] = (struct desc){ (u32)&s->request.status, 1, DESC_WRITE, 0 };
		l->desc[i] = (struct desc){ (u32)s->table, sizeof(s->table),
					    DESC_INDIRECT, 0 };
		l->free[i] = i;
	}
}

static void set_address(u32 reg, const volatile void *addr)
{
	write32(dev.common + reg, (u32)addr);
	write32(dev.common + reg + 4, 0);
}

static void lane_init(struct lane *l, u16 index)
{
	l->job = &job;
	l->index = index;
	l->data = data[index];
	l->irqs = irqs[index];
	l->random = 0x9e3779b97f4a7c15ull * (index + 1u);
	lane_tables(l);
	msix_route(&dev, index, (u8)(VECTOR + index), (u8)(index % nr_cpus));
	write16(dev.common + R_QUEUE_SELECT, index);
	l->size = read16(dev.common + R_QUEUE_SIZE);
	if (l->size > RING_MAX)
		l->size = RING_MAX;
	CHECK(job.depth <= l->size);
	write16(dev.common + R_QUEUE_SIZE, l->size);
	write16(dev.common + R_QUEUE_VECTOR, index);
	CHECK(read16(dev.common + R_QUEUE_VECTOR) == index);
	set_address(R_QUEUE_DESC, l->desc);
	set_address(R_QUEUE_DRIVER, &l->avail);
	set_address(R_QUEUE_DEVICE, &l->used);
	l->notify = dev.notify + read16(dev.common + R_QUEUE_NOTIFY_OFF) * dev.notify_step;
	write16(dev.common + R_QUEUE_ENABLE, 1);
}

static void disk_init(void)
{
	device_find(&dev, 0);
	device_negotiate(&dev, FEATURES);
	CHECK(dev.features == FEATURES);
	nr_queues = param("queues", 1);
	CHECK(nr_queues && nr_queues <= QUEUES_MAX);
	CHECK(nr_queues <= read16(dev.common + R_NUM_QUEUES));
	msix_on(&dev);
	for (u32 i = 0; i < nr_queues; i++) {
		struct cpu *cpu = &cpus[i % nr_cpus];

		lane_init(&lanes[i], (u16)i);
		cpu->lanes[cpu->nr_lanes++] = &lanes[i];
	}
	device_ok(&dev);
	job.blocks = device_sectors(&dev) / BLOCK_SECTORS;
	CHECK(job.blocks && !(job.blocks >> 32));
}

static void run_cpu(struct cpu *cpu)
{
	enter_ring3(cpu, drive, cpu->user_stack + sizeof(cpu->user_stack));
	cpu->done = true;
}

static void ap_main(u32 n)
{
	cpu_init(n);
	cpus[n].up = true;
	for (u32 pass = 1;; pass++) {
		while (pass_number != pass)
			__builtin_ia32_pause();
		run_cpu(&cpus[n]);
	}
}

static void start_cpus(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	nr_cpus = r[1] >> 16 & 0xff;
	CHECK(nr_cpus && nr_cpus <= CPUS_MAX);
	memcpy((void *)TRAMPOLINE, trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	for (u32 n = 1; n < nr_cpus; n++) {
		write32(LAPIC + LAPIC_ICR_HIGH, n << 24);
		write32(LAPIC + LAPIC_ICR_LOW, ICR_INIT);
		write32(LAPIC + LAPIC_ICR_HIGH, n << 24);
		write32(LAPIC + LAPIC_ICR_LOW, ICR_STARTUP | TRAMPOLINE >> 12);
		CHECK(WAIT(cpus[n].up));
	}
}

static void lane_reset(struct lane *l)
{
	for (u32 i = 0; i < DEPTH_MAX; i++)
		l->slot[i].table[1].flags = DESC_NEXT | (job.write ? 0 : DESC_WRITE);
	memset(l->histogram, 0, sizeof(l->histogram));
	l->requests = l->completed = l->kicks = l->latency = 0;
	*l->irqs = 0;
}

/* All lanes do the job, each on its vCPU. */
static void pass(void)
{
	for (u32 i = 0; i < nr_queues; i++)
		lane_reset(&lanes[i]);
	for (u32 n = 0; n < nr_cpus; n++)
		cpus[n].done = false;
	mb();
	pass_number++;
	run_cpu(&cpus[0]);
	for (u32 n = 0; n < nr_cpus; n++)
		while (!cpus[n].done)
			__builtin_ia32_pause();
	for (u32 i = 0; i < nr_queues; i++) {
		CHECK(!lanes[i].errors);
		CHECK(!lanes[i].mismatches);
		CHECK(lanes[i].completed == lanes[i].requests);
	}
}

/* The latency that @part of a thousand requests did not exceed. */
static u32 percentile(u64 requests, u32 part)
{
	u64 seen = 0;

	for (u32 b = 0; b < BUCKETS; b++) {
		for (u32 i = 0; i < nr_queues; i++)
			seen += lanes[i].histogram[b];
		if (seen * 1000 >= requests * part)
			return ns(bucket_value(b));
	}
	return 0;
}

/* Of the last pass.  Kicks and interrupts are for 1000 requests. */
static void report(void)
{
	u64 requests = 0, latency = 0, kicks = 0, interrupts = 0;
	u64 begun = ~0ull, finished = 0;

	for (u32 i = 0; i < nr_queues; i++) {
		const struct lane *l = &lanes[i];

		requests += l->completed;
		latency += l->latency;
		kicks += l->kicks;
		interrupts += *l->irqs;
		begun = l->begun < begun ? l->begun : begun;
		finished = l->finished > finished ? l->finished : finished;
	}
	CHECK(requests && finished > begun);
	print("RING3 mode=%s depth=%u queues=%u cpus=%u requests=%u iops=%u lat_ns=%u ",
	      job.irq ? "irq" : "poll", job.depth, nr_queues, nr_cpus, (u32)requests,
	      (u32)(requests * 1000 * tsc_khz / (finished - begun)), ns(latency / requests));
	print("p50_ns=%u p99_ns=%u kicks=%u irqs=%u\n", percentile(requests, 500),
	      percentile(requests, 990), (u32)(kicks * 1000 / requests),
	      (u32)(interrupts * 1000 / requests));
}

static void passes(void)
{
	if (job.verify) {
		CHECK(job.count && job.count * nr_queues <= job.blocks);
		job.write = true;
		pass();
		job.write = false;
	}
	pass();
	report();
}

void kernel_main(u32 info, u32 n)
{
	if (n)
		ap_main(n);
	start_info = (const struct hvm_start_info *)info;
	outb(0x21, 0xff);	/* the old PICs stay silent */
	outb(0xa1, 0xff);
	idt_init();
	cpu_init(0);
	tsc_init();
	start_cpus();
	job.irq = param_is("mode", "irq");
	job.depth = param("depth", 1);
	job.count = param("count", 0);
	job.verify = param("verify", 0);
	job.ticks = param("seconds", 1) * 1000ull * tsc_khz;
	CHECK(job.irq || param_is("mode", "poll"));
	CHECK(job.depth && job.depth <= DEPTH_MAX);
	disk_init();
	passes();
	print("PASS\n");
	power_off();
}
