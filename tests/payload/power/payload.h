/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tiny guest that tests the POWER back end from the inside, without an
 * operating system.  One ELF file holds every case; the command line says
 * case=NAME.  A case that returns has passed: the guest prints PASS and powers off.
 *
 * What firmware may choose comes from the device tree, as it does for Linux.
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
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct payload_case {
	const char *name;
	void (*run)(void);
};
extern const struct payload_case xics_cases[], disk_cases[], hostile_cases[];

/* --- start.S ------------------------------------------------------------- */

u64 hcall4(u64 nr, u64 args[4]);
void cede(void);
void slb_set(u64 vsid_part, u64 esid_part);
void cpu_start(void);
/* Registers of devices, little endian; addresses are map()'s. */
u8 read8(u64 addr);
u16 read16(u64 addr);
u32 read32(u64 addr);
void write8(u64 addr, u8 value);
void write16(u64 addr, u16 value);
void write32(u64 addr, u32 value);

/* --- lib.c: console, ends, time, device tree ----------------------------- */

void print(const char *text);
void fail(const char *file, int line, const char *what) __attribute__((noreturn));
#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			fail(__FILE_NAME__, __LINE__, #cond);                  \
	} while (0)
/* That @got is @want, and if not, what it is. */
void check_equal(const char *file, int line, const char *what, u64 got, u64 want);
#define CHECK_EQ(got, want)                                                    \
	check_equal(__FILE_NAME__, __LINE__, #got " == " #want, (u64)(got), (u64)(want))

void *memset(void *to, int byte, size_t len);
void power_off(void) __attribute__((noreturn));

u64 timebase(void);
u64 seconds(u32 n);	/* of the timebase */
/* For about five seconds until @cond; whether it came. */
#define WAIT(cond)                                                             \
	({                                                                     \
		u64 end_ = timebase() + seconds(5);                           \
		bool met_;                                                     \
		do                                                             \
			met_ = (cond);                                         \
		while (!met_ && timebase() < end_);                            \
		met_;                                                          \
	})
/* Give what must not come some time to come. */
void linger(void);

/* The first property of the tree that is called so, in any node; fails if none. */
const u32 *tree_cells(const char *name, u32 *len);
u32 tree_cell(const char *name, u32 index);

/* --- firmware.c: hypervisor calls and run-time services ------------------ */

#define H_SUCCESS 0
#define H_FUNCTION (-2)
#define H_PARAMETER (-4)
#define H_GET_TERM_CHAR 0x54
#define H_PUT_TERM_CHAR 0x58
#define H_RTAS 0xf000
#define TERMINAL 0x71000000

#define RTAS_PARAMETER (-3)
#define RTAS_HARDWARE (-1)

/* r3; the results are lost */
s64 hcall(u64 nr, u64 a, u64 b, u64 c, u64 d);

/* A service by its name: status; @rets has what else it returns, @nrets cells. */
s32 rtas(const char *name, const u32 *args, u32 nargs, u32 *rets, u32 nrets);
#define ARGS(...) (const u32[]){ __VA_ARGS__ }, sizeof((u32[]){ __VA_ARGS__ }) / 4

#define BUID 0x8000000, 0x20000000	/* the bridge: its unit address */
/* Of a function on bus 0. */
u32 pci_read(u32 slot, u32 reg, u32 len);
void pci_write(u32 slot, u32 reg, u32 value, u32 len);

/* Where a page of device registers that the CPU has at @gpa is to be used. */
u64 map(u64 gpa);

/* --- interrupts.c -------------------------------------------------------- */

#define IPI 2		/* the source of all */
#define ALL 0xffu	/* priority that lets all in; as a source's: none */

/* What H_XIRR returns: the priority it had in the top byte, then the source. */
u32 xirr(void);
void eoi(u32 xirr);
void cppr(u8 priority);
s64 ipi(u64 server, u8 priority);
/* The source of the interrupt that is there, ended at once; 0: none. */
u32 take(void);
/* None comes, for some time. */
bool quiet(void);

s32 set_xive(u32 source, u32 server, u32 priority);

/*
 * The other vCPU: does its work, if any, and then cedes, takes each interrupt,
 * counts it, and cedes again.
 */
struct other {
	void (*volatile work)(void);
	volatile u32 begun;
	volatile u32 idle;	/* the work is done */
	volatile u32 count;
	volatile u32 source;	/* of the last */
};
extern struct other other;
void other_begin(void (*work)(void));

#endif
