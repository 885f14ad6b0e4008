/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From PVH's 32-bit entry, or SIPI, to 64-bit code; the ways to ring 3 and back.
 * All of the first 4 GiB is mapped as it is, and open to ring 3.
 *
 * User selectors are those of a 64-bit Linux host: a KVM that runs user mode on
 * the host's own segments takes no others.
 */
#define CODE32 0x08
#define DATA 0x10
#define CODE 0x18
#define USER_DATA 0x2b
#define USER_CODE 0x33
#define GDT_ENTRIES 24		/* two for each TSS, from the eighth on */
#define STACK_SHIFT 13
#define CPU_KERNEL_RSP 4096	/* struct cpu */
#define FRAME 40		/* of an interrupt, up to CPU_KERNEL_RSP */
#define LAPIC_EOI 0xfee000b0
#define IRQS 16			/* QUEUES_MAX */
#define EXCEPTIONS 32

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
	ljmp $CODE32, $1f
1:	xor %esi, %esi

/* ESI: number of the vCPU; EBX: start_info, of the first */
start32:
	mov $DATA, %eax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov %cr4, %eax
	or $0x20, %eax		/* PAE */
	mov %eax, %cr4
	mov $page_top, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx	/* EFER: LME */
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax	/* PG */
	mov %eax, %cr0
	ljmp $CODE, $1f
	.code64
1:	lea 1(%esi), %esp
	shl $STACK_SHIFT, %esp
	add $stacks, %esp
	mov %ebx, %edi
	call kernel_main
2:	cli
	hlt
	jmp 2b

/* Copied to 0x8000: 16-bit code, reached with CS:IP 0x0800:0000. */
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
	ljmpl $CODE32, $ap_start
trampoline_gdt:
	.word GDT_ENTRIES * 8 - 1
	.long gdt
trampoline_end:

	.code32
ap_start:
	mov $DATA, %eax
	mov %ax, %ds
	mov $1, %esi
	lock xadd %esi, aps_started
	inc %esi
	jmp start32

	.code64
/* enter_ring3(EDI: cpu, ESI: fn, EDX: end of its stack) */
	.global enter_ring3
enter_ring3:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, CPU_KERNEL_RSP(%edi)
	movl $ring3_end, -8(%edx)
	movl $0, -4(%edx)
	sub $8, %edx
	mov $USER_DATA, %eax
	mov %ax, %ds
	mov %ax, %es
	push $USER_DATA
	push %rdx
	push $0x202		/* interrupts on */
	push $USER_CODE
	mov %esi, %esi
	push %rsi
	iretq
ring3_end:
	ud2

/*
 * Undefined opcode: the end of ring 3, if it comes from there.  Software
 * interrupts of user mode do not reach every KVM's guest.
 */
	.global leave_ring3
leave_ring3:
	cmpl $ring3_end, (%rsp)
	jne exception_stubs + 16 * 6
	mov FRAME(%rsp), %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

/* A queue's interrupt; kernel mode may be slow, so it only counts.  32 bytes apart. */
	.macro irq_stub n
	.align 32
	push %rax
	incl irqs + 64 * \n(%rip)
	mov $LAPIC_EOI, %eax
	movl $0, (%rax)
	pop %rax
	iretq
	.endm
	.global irq_stubs
	.align 32
irq_stubs:
	n = 0
	.rept IRQS
	irq_stub n
	n = n + 1
	.endr

	.global exception_stubs
	.align 16
exception_stubs:
	n = 0
	.rept EXCEPTIONS
	.align 16
	mov $n, %edi
	mov %esp, %esi
	jmp exception
	n = n + 1
	.endr

	.data
	.align 16
	.global gdt
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	/* CODE32 */
	.quad 0x00cf93000000ffff	/* DATA */
	.quad 0x00af9b000000ffff	/* CODE */
	.quad 0
	.quad 0x00cff3000000ffff	/* USER_DATA */
	.quad 0x00affb000000ffff	/* USER_CODE */
	.quad 0
	.fill GDT_ENTRIES - 8, 8, 0
gdt_pointer:
	.word GDT_ENTRIES * 8 - 1
	.long gdt

	.align 4096
page_top:
	.quad page_dir_pointers + 7
	.fill 511, 8, 0
page_dir_pointers:
	.quad page_dirs + 7, page_dirs + 0x1007, page_dirs + 0x2007, page_dirs + 0x3007
	.fill 508, 8, 0
page_dirs:
	at = 0x87		/* 2 MiB, user, writable */
	.rept 2048
	.quad at
	at = at + 0x200000
	.endr

	.bss
	.align 16
stacks:
	.skip 8 << STACK_SHIFT	/* CPUS_MAX */

	.section .note.GNU-stack, "", @progbits
