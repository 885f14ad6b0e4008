/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of two vCPUs: the second one counts and never leaves the guest, while
 * the first one changes the modes of both, time and again.  Prints PASS if that
 * succeeds each time and the other one still counts.
 *
 * Big endian, real mode, linked to a low address; r3 is what a call returns.
 */
#define H_PUT_TERM_CHAR	0x58
#define H_SET_MODE	0x31c
#define H_RTAS		0xf000
#define TERMINAL	0x71000000
#define SET_MODE_LE	4
#define TIMES		200

/* powerpc/rtas.c: where they are in its table */
#define POWER_OFF	5
#define START_CPU	9

	.machine power8
	.text
	.globl _start
_start:
	lis	%r4, start_cpu@h
	ori	%r4, %r4, start_cpu@l
	bl	rtas
	li	%r14, 0
	li	%r15, TIMES
	bl	await_other

1:	andi.	%r4, %r15, 1		/* on, off, on... */
	li	%r5, SET_MODE_LE
	li	%r6, 0
	li	%r7, 0
	li	%r3, H_SET_MODE
	sc	1
	cmpdi	%r3, 0
	bne	power_off
	addi	%r15, %r15, -1
	cmpdi	%r15, 0
	bne	1b
	bl	await_other

	ld	%r6, pass@l(0)
	li	%r5, 5
	lis	%r4, TERMINAL@h
	li	%r3, H_PUT_TERM_CHAR
	sc	1
power_off:
	lis	%r4, power_off_call@h
	ori	%r4, %r4, power_off_call@l
	bl	rtas
	b	.

/* Until the other vCPU's count is not what it was: r14. */
await_other:
1:	ld	%r0, count@l(0)
	cmpd	%r0, %r14
	beq	1b
	mr	%r14, %r0
	blr

/* r4: the argument block */
rtas:
	lis	%r3, 0
	ori	%r3, %r3, H_RTAS
	sc	1
	blr

other:
	li	%r4, 0
1:	addi	%r4, %r4, 1
	std	%r4, count@l(0)
	b	1b

	.balign 8
count:	.quad	0
pass:	.ascii	"PASS\n\0\0\0"
start_cpu:
	.long	START_CPU, 3, 1, 1, other, 0
start_cpu_status:
	.long	0
power_off_call:
	.long	POWER_OFF, 2, 1, 0, 0, 0
