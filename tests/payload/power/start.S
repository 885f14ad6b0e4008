/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry, exception vectors, and what C cannot say.  Big endian, translation off
 * but for the one load or store that reaches a device: with a hashed page
 * table, real mode is memory alone.
 *
 * A hypervisor call changes r0, r3-r12, CTR, XER and CR, besides SRR0 and SRR1.
 */
#define H_CEDE		0xe0
#define MSR_DR		0x10
#define STACK_SIZE	16384

	.machine power8

/*
 * At 0: each kind of exception has 0x80 bytes.  An interrupt can only come
 * out of cede(), where r11 is free: it leaves what ceded with interrupts off.
 */
	.section .vectors, "ax"
	.org	0x100
	.set	vector, 0x100
	.rept	30
	.org	vector
	.if	vector == 0x500 || vector == 0x900
	lis	%r11, 0x7fff		/* no decrementer's for seconds */
	mtdec	%r11
	mfsrr1	%r11
	rldicl	%r11, %r11, 48, 1	/* MSR[EE] */
	rotldi	%r11, %r11, 16
	mtsrr1	%r11
	rfid
	.else
	li	%r3, vector
	mfsrr0	%r4
	b	exception
	.endif
	.set	vector, vector + 0x80
	.endr

	.text
/* r3: the device tree */
	.globl	_start
_start:
	lis	%r1, stacks@h
	ori	%r1, %r1, stacks@l
	bl	environment
	bl	guest_main
	b	.

/* start-cpu comes here; r3: which stack */
	.globl	cpu_start
cpu_start:
	lis	%r1, stacks@h
	ori	%r1, %r1, stacks@l
	mulli	%r3, %r3, STACK_SIZE
	add	%r1, %r1, %r3
	bl	environment
	bl	other_main
	b	.

/* r1: the lower end of this CPU's stack */
environment:
	addi	%r1, %r1, STACK_SIZE - 64
	lis	%r2, .TOC.@h
	ori	%r2, %r2, .TOC.@l
	blr

exception:
	lis	%r1, stacks@h
	ori	%r1, %r1, stacks@l
	bl	environment
	bl	exception_main
	b	.

/* u64 hcall4(u64 nr, u64 args[4]): r4 to r7, there and back */
	.globl	hcall4
hcall4:
	std	%r31, -8(%r1)
	mr	%r31, %r4
	ld	%r4, 0(%r31)
	ld	%r5, 8(%r31)
	ld	%r6, 16(%r31)
	ld	%r7, 24(%r31)
	sc	1
	std	%r4, 0(%r31)
	std	%r5, 8(%r31)
	std	%r6, 16(%r31)
	std	%r7, 24(%r31)
	ld	%r31, -8(%r1)
	blr

/* void cede(void): until an interrupt */
	.globl	cede
cede:
	li	%r3, H_CEDE
	sc	1
	li	%r0, 0
	mtmsrd	%r0, 1			/* if there was none */
	blr

/* void slb_set(u64 vsid_part, u64 esid_part) */
	.globl	slb_set
slb_set:
	isync
	slbmte	%r3, %r4
	isync
	blr

/* u32 read32(u64 addr), void write32(u64 addr, u32 value): little endian */
	.macro	device_access name, instruction, reg
	.globl	\name
\name:
	mfmsr	%r10
	ori	%r9, %r10, MSR_DR
	sync
	mtmsrd	%r9
	isync
	\instruction \reg, 0, %r3
	sync
	mtmsrd	%r10
	isync
	blr
	.endm
	device_access read8, lbzx, %r3
	device_access read16, lhbrx, %r3
	device_access read32, lwbrx, %r3
	device_access write8, stbx, %r4
	device_access write16, sthbrx, %r4
	device_access write32, stwbrx, %r4

	.bss
	.balign	16
stacks:	.space	2 * STACK_SIZE
