// SPDX-License-Identifier: GPL-2.0-only
/*
 * What every guest stands on: console, command line, PCI configuration, ends.
 */
#include "payload.h"
#include <stdarg.h>

#define COM1 0x3f8
#define COM1_LSR (COM1 + 5)
#define LSR_THRE 0x20
#define PM1_CONTROL 0x604
#define S5_NOW (5 << 10 | 1 << 13)

const struct hvm_start_info *start_info;
void *memset(void *to, int byte, size_t len)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(len) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(len) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const u8 *x = a, *y = b;

	for (size_t i = 0; i < len; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

static void put(char c)
{
	while (!(inb(COM1_LSR) & LSR_THRE))
		;
	outb(COM1, (u8)c);
}

static void put_number(u32 v, u32 base)
{
	char digits[10];
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put(digits[--n]);
}

void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			for (const char *s = va_arg(args, const char *); *s; s++)
				put(*s);
			break;
		case 'c':
			put((char)va_arg(args, int));
			break;
		case 'u':
			put_number(va_arg(args, u32), 10);
			break;
		case 'x':
			put_number(va_arg(args, u32), 16);
			break;
		}
	}
	va_end(args);
}

void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void power_off(void)
{
	outw(PM1_CONTROL, S5_NOW);
	halt();
}

void fail(const char *file, int line, const char *what)
{
	print("FAIL %s:%u: %s\n", file, (u32)line, what);
	power_off();
}

static const char *cmdline(void)
{
	return (const char *)(u32)start_info->cmdline;
}

/* Behind "name=" on the command line, or NULL. */
static const char *param_text(const char *name)
{
	const char *s = cmdline();

	while (*s) {
		const char *n = name;

		while (*n && *s == *n) {
			s++;
			n++;
		}
		if (!*n && *s == '=')
			return s + 1;
		while (*s && *s != ' ')
			s++;
		while (*s == ' ')
			s++;
	}
	return NULL;
}

bool param_is(const char *name, const char *value)
{
	const char *s = param_text(name);

	if (!s)
		return false;
	while (*value && *s == *value) {
		s++;
		value++;
	}
	return !*value && (!*s || *s == ' ');
}

u32 param(const char *name, u32 otherwise)
{
	const char *s = param_text(name);
	u32 v = 0;

	if (!s)
		return otherwise;
	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u32)(*s - '0');
	return v;
}

static u16 pci_select(u8 slot, u8 reg)
{
	outl(0xcf8, 1u << 31 | (u32)slot << 11 | (reg & 0xfc));
	return 0xcfc + (reg & 3);
}

u32 pci_read(u8 slot, u8 reg, u8 len)
{
	u16 port = pci_select(slot, reg);

	return len == 1 ? inb(port) : len == 2 ? inw(port) : inl(port);
}

void pci_write(u8 slot, u8 reg, u32 value, u8 len)
{
	u16 port = pci_select(slot, reg);

	if (len == 1)
		outb(port, (u8)value);
	else if (len == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

void ioapic_route(u32 pin, u8 vector, bool level, bool low)
{
	write32(IOAPIC, 0x10 + 2 * pin + 1);
	write32(IOAPIC + 0x10, 0);	/* to APIC 0 */
	write32(IOAPIC, 0x10 + 2 * pin);
	write32(IOAPIC + 0x10, vector | (u32)level << 15 | (u32)low << 13);
}
