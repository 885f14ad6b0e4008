// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every case stands on: terminal, ends, time, device tree.
 */
#include "payload.h"

#define FDT_BEGIN_NODE 1
#define FDT_END_NODE 2
#define FDT_PROP 3

struct fdt_header {
	u32 magic, totalsize, off_struct, off_strings;
};

static const struct fdt_header *tree;

void *memset(void *to, int byte, size_t len)
{
	volatile u8 *d = to;

	while (len--)
		*d++ = (u8)byte;
	return to;
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void print(const char *text)
{
	for (; *text; text++)
		hcall(H_PUT_TERM_CHAR, TERMINAL, 1, (u64)*text << 56, 0);
}

static void print_hex(u64 v)
{
	print("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		print((char[]){ "0123456789abcdef"[v >> shift & 15], 0 });
}

void power_off(void)
{
	rtas("power-off", ARGS(0, 0), NULL, 0);
	for (;;)
		;
}

static void print_failed(const char *file, u64 line, const char *what)
{
	char digits[8];
	int n = sizeof(digits) - 1;

	digits[n] = 0;
	do
		digits[--n] = "0123456789"[line % 10];
	while (line /= 10);
	print("FAIL ");
	print(file);
	print(":");
	print(digits + n);
	print(": ");
	print(what);
}

void fail(const char *file, int line, const char *what)
{
	print_failed(file, (u64)line, what);
	print("\n");
	power_off();
}

void check_equal(const char *file, int line, const char *what, u64 got, u64 want)
{
	if (got == want)
		return;
	print_failed(file, (u64)line, what);
	print(": ");
	print_hex(got);
	print("\n");
	power_off();
}

/* --- time ---------------------------------------------------------------- */

u64 timebase(void)
{
	return __builtin_ppc_get_timebase();
}

u64 seconds(u32 n)
{
	return (u64)n * tree_cell("timebase-frequency", 0);
}

void linger(void)
{
	u64 end = timebase() + seconds(1) / 20;

	while (timebase() < end)
		;
}

/* --- device tree --------------------------------------------------------- */

/* A node's name or a property behind @at, and the token after it. */
static const u32 *tree_next(const u32 *at)
{
	const char *name = (const char *)(at + 1);
	u32 len = 0;

	if (*at == FDT_PROP)
		return at + 3 + (at[1] + 3) / 4;
	if (*at != FDT_BEGIN_NODE)
		return at + 1;
	while (name[len])
		len++;
	return at + 1 + len / 4 + 1;
}

const u32 *tree_cells(const char *name, u32 *len)
{
	const char *strings = (const char *)tree + tree->off_strings;
	const u32 *at = (const u32 *)((const u8 *)tree + tree->off_struct);

	for (; *at >= FDT_BEGIN_NODE && *at <= 4; at = tree_next(at)) {
		if (*at != FDT_PROP || !same(strings + at[2], name))
			continue;
		*len = at[1] / 4;
		return at + 3;
	}
	fail("tree", 0, name);
}

u32 tree_cell(const char *name, u32 index)
{
	u32 len;
	const u32 *cells = tree_cells(name, &len);

	CHECK(index < len);
	return cells[index];
}

/* --- cases --------------------------------------------------------------- */

void exception_main(u64 vector, u64 pc);
void exception_main(u64 vector, u64 pc)
{
	print("FAIL exception ");
	print_hex(vector);
	print(" at ");
	print_hex(pc);
	print("\n");
	power_off();
}

/* Behind @text at the beginning of @s; NULL if it does not begin so. */
static const char *behind(const char *s, const char *text)
{
	for (; *text; text++)
		if (*s++ != *text)
			return NULL;
	return s;
}

/* Whether the command line has "case=@name". */
static bool wanted(const char *name)
{
	u32 len;
	const char *s = (const char *)tree_cells("bootargs", &len);

	for (; *s; s++) {
		const char *value = behind(s, "case=");
		const char *end = value ? behind(value, name) : NULL;

		if (end)
			return !*end || *end == ' ';
	}
	return false;
}

static void run(const struct payload_case *cases)
{
	for (; cases->name; cases++) {
		if (!wanted(cases->name))
			continue;
		cases->run();
		print("PASS\n");
		power_off();
	}
}

void guest_main(const struct fdt_header *fdt);
void guest_main(const struct fdt_header *fdt)
{
	tree = fdt;
	cppr(ALL);
	run(xics_cases);
	run(disk_cases);
	run(hostile_cases);
	fail("command line", 0, "no such case");
}
