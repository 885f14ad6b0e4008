/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry of the boot vCPU by PVH (32-bit, flat, no paging, EBX: start_info),
 * entry of the others by SIPI, and the way into C from every interrupt.
 */
#define CODE 0x08
#define DATA 0x10
#define STACK_SHIFT 12
#define TRAMPOLINE 0x8000	/* SIPI vector 8; free in lkvm's memory map */

	.section .note.pvh, "a", @note
	.align 4
	.long 4			/* "Xen" */
	.long 4
	.long 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long _start

	.text
	.code32
	.global _start
_start:
	cld
	lgdt gdt_pointer
	ljmp $CODE, $1f
1:	mov $DATA, %eax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $boot_stack + (1 << STACK_SHIFT), %esp
	lidt idt_pointer
	push %ebx
	call payload_main
2:	hlt
	jmp 2b

/* Copied to TRAMPOLINE: 16-bit code, reached with CS:IP 0x0800:0000. */
	.code16
	.global trampoline_start, trampoline_end
trampoline_start:
	cli
	mov %cs, %ax
	mov %ax, %ds
	lgdtl trampoline_gdt - trampoline_start
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $CODE, $ap_start
trampoline_gdt:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:

	.code32
ap_start:
	mov $DATA, %eax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	cld
	lidt idt_pointer
	mov $1, %esi
	lock xadd %esi, ap_started	/* the n-th to come takes stack n */
	inc %esi
	mov %esi, %esp
	shl $STACK_SHIFT, %esp
	add $ap_stacks, %esp
	call ap_main
3:	cli
	hlt
	jmp 3b

/* One stub for each vector, 16 bytes apart; idt_init() relies on it. */
	.align 16
	.global irq_stubs
irq_stubs:
	vector = 0
	.rept 256
	.align 16
	push $vector
	jmp irq_common
	vector = vector + 1
	.endr

irq_common:
	pusha
	push 32(%esp)
	call irq_dispatch
	add $4, %esp
	popa
	/*
	 * The stack holds vector, EIP, CS, EFLAGS.  A KVM that emulates
	 * protected mode may lack iret, so return by popf and ret.
	 */
	push %eax
	mov 16(%esp), %eax
	xchg %eax, 8(%esp)	/* EFLAGS for EIP */
	mov %eax, 16(%esp)	/* EIP for EFLAGS */
	mov 8(%esp), %eax
	mov %eax, 12(%esp)	/* EFLAGS for CS */
	pop %eax
	add $8, %esp
	popf
	ret

	.data
	.align 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	/* CODE */
	.quad 0x00cf93000000ffff	/* DATA */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
	.global idt_pointer
idt_pointer:
	.word 256 * 8 - 1
	.long idt

	.bss
	.align 16
boot_stack:
	.skip 1 << STACK_SHIFT
ap_stacks:
	.skip 256 << STACK_SHIFT

	.section .note.GNU-stack, "", @progbits
