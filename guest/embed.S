/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that lkvm has in itself. */
	.section .rodata

	.globl guest_init, guest_init_size
	.balign 8
guest_init_size:
	.8byte guest_init_end - guest_init
guest_init:
	.incbin "init"
guest_init_end:

	.globl mkinitrd_script
mkinitrd_script:
	.incbin "scripts/mkinitrd.sh"
	.byte 0

	.section .note.GNU-stack, "", %progbits
