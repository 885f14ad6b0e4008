/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lkvm run -- COMMAND puts before the user's initrd: a cpio archive with a
 * program, guest/init.c, that the kernel runs first, and a file that tells it what
 * to do.  That file goes past the kernel's command line, so that each byte of
 * each argument arrives.
 *
 * The file is a sequence of strings, each with a NUL behind it and a letter, one
 * of these, in front that tells what it is.
 */
#ifndef LKVM_GUEST_FILES_H
#define LKVM_GUEST_FILES_H

#define GUEST_DIR	"lkvm"
#define GUEST_INIT	GUEST_DIR "/init"
#define GUEST_ORDERS	GUEST_DIR "/orders"

enum guest_order {
	GUEST_ARGUMENT = 'a',		/* of the command, in order, itself first */
	GUEST_ENVIRONMENT = 'e',	/* NAME=VALUE */
	GUEST_ROOT = 'r',		/* the root file system's device ... */
	GUEST_ROOT_READONLY = 'o',	/* ... is mounted read-only */
	GUEST_WINDOW = 'w',		/* "ROWS COLUMNS" of the terminal */
	GUEST_FED = 'f',		/* input comes in lines of hex, when asked for */
};

#endif
