// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt controller (XICS, LoPAPR 14.5.4.4, 7.3.10), all of it in the
 * host's kernel, and a vCPU that does nothing but take interrupts.
 */
#include "payload.h"

#define H_EOI 0x64
#define H_CPPR 0x68
#define H_IPI 0x6c
#define H_XIRR 0x74

struct other other;

u32 xirr(void)
{
	u64 args[4] = { 0 };

	CHECK_EQ(hcall4(H_XIRR, args), H_SUCCESS);
	return (u32)args[0];
}

void eoi(u32 xirr)
{
	CHECK_EQ(hcall(H_EOI, xirr, 0, 0, 0), H_SUCCESS);
}

void cppr(u8 priority)
{
	CHECK_EQ(hcall(H_CPPR, priority, 0, 0, 0), H_SUCCESS);
}

s64 ipi(u64 server, u8 priority)
{
	return hcall(H_IPI, server, priority, 0, 0);
}

u32 take(void)
{
	u32 x = xirr();

	if (x & 0xffffff)
		eoi(x);
	return x & 0xffffff;
}

bool quiet(void)
{
	linger();
	return take() == 0;
}

s32 set_xive(u32 source, u32 server, u32 priority)
{
	return rtas("ibm,set-xive", ARGS(source, server, priority), NULL, 0);
}

/* The IPI's request is taken back first: an end alone lets it come again. */
void other_main(void);
void other_main(void)
{
	cppr(ALL);
	other.begun = 1;
	if (other.work)
		other.work();
	other.idle = 1;
	for (;;) {
		u32 x = xirr(), source = x & 0xffffff;

		if (!source) {
			cede();
			continue;
		}
		if (source == IPI)
			ipi(1, ALL);
		eoi(x);
		other.source = source;
		other.count++;
	}
}

void other_begin(void (*work)(void))
{
	other.work = work;
	CHECK_EQ(rtas("start-cpu", ARGS(1, (u32)(u64)cpu_start, 1), NULL, 0), 0);
	CHECK(WAIT(other.begun));
}
