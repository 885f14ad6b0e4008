/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tiny guests that test lkvm from the inside, without an operating system.
 * One ELF file holds every case; the command line says case=NAME.  A case that
 * returns has passed: the guest prints PASS and powers off.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct hvm_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};

struct hvm_memmap {
	u64 addr, size;
	u32 type, reserved;
};

struct hvm_module {
	u64 addr, size, cmdline, reserved;
};

struct payload_case {
	const char *name;
	void (*run)(void);
};
extern const struct payload_case machine_cases[], blk_cases[], queue_cases[],
	storm_cases[], hostile_cases[], mmio_cases[], host_cases[],
	control_cases[];
extern const struct hvm_start_info *start_info;

/* lib.c: console */
void print(const char *fmt, ...);	/* %s %c %u %x; 32 bits */
void fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			fail(__FILE_NAME__, __LINE__, #cond);                  \
	} while (0)

void *memset(void *to, int byte, size_t len);
void *memcpy(void *to, const void *from, size_t len);
int memcmp(const void *a, const void *b, size_t len);
/* The number behind "name=" on the command line, or @otherwise. */
u32 param(const char *name, u32 otherwise);
/* Whether there is "name=value" on it. */
bool param_is(const char *name, const char *value);

/* lib.c: ends */
void power_off(void) __attribute__((noreturn));
void halt(void) __attribute__((noreturn));

/* main.c: interrupts, by the local APIC */
#define IOAPIC 0xfec00000u
#define LAPIC 0xfee00000u
#define LAPIC_EOI 0xb0
#define LAPIC_ICR_LOW 0x300
#define LAPIC_ICR_HIGH 0x310
extern volatile u32 irq_count[256];
extern void (*volatile irq_hook)(u32 vector);	/* before the EOI */
void irq_init(void);
/* machine.c: the others of @cpus vCPUs; each goes on to @run, if that is set. */
void cpus_start(u32 cpus, void (*run)(u32 id));
void ioapic_route(u32 pin, u8 vector, bool level, bool low);

/* Take interrupts until @cond or for about five seconds; the value of @cond. */
#define WAIT(cond)                                                             \
	({                                                                     \
		u64 end_ = rdtsc() + 15000000000ull;                           \
		while (!(cond) && rdtsc() < end_)                              \
			let_irqs_in();                                         \
		(cond);                                                        \
	})
/* Give an interrupt that must not come some time to come. */
void linger(void);

/* lib.c: PCI configuration space, by ports */
u32 pci_read(u8 slot, u8 reg, u8 len);
void pci_write(u8 slot, u8 reg, u32 value, u8 len);
#define ECAM 0xe0000000u

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline void cpuid(u32 leaf, u32 index, u32 r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(index));
}

static inline void mb(void)
{
	__asm__ volatile("lock addl $0, (%%esp)" : : : "memory", "cc");
}

static inline void let_irqs_in(void)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
}

/* Registers in memory; the address is an integer on purpose. */
static inline u8 read8(u32 addr) { return *(volatile u8 *)addr; }
static inline u16 read16(u32 addr) { return *(volatile u16 *)addr; }
static inline u32 read32(u32 addr) { return *(volatile u32 *)addr; }
static inline void write8(u32 addr, u8 v) { *(volatile u8 *)addr = v; }
static inline void write16(u32 addr, u16 v) { *(volatile u16 *)addr = v; }
static inline void write32(u32 addr, u32 v) { *(volatile u32 *)addr = v; }

#endif
