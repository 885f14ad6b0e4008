/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts of what the device did: each line "NAME COUNT" goes to the file
 * $FUZZ_COUNTS, if set, when the fuzzer ends.  A fuzzer that does not get
 * somewhere finds nothing there: run.sh wants none to be 0 after the seeds.
 */
#ifndef LKVM_TESTS_FUZZ_COUNTS_H
#define LKVM_TESTS_FUZZ_COUNTS_H

enum fuzz_count {
	/* Requests that reached the disk. */
	FUZZ_READ,
	FUZZ_WRITE,
	FUZZ_FLUSH,
	FUZZ_DISCARD,
	FUZZ_WRITE_ZEROES,
	FUZZ_SECURE_ERASE,
	/* Those that the device answers itself. */
	FUZZ_GET_ID,
	FUZZ_UNKNOWN,
	FUZZ_CONFIG_READ,
	/* The driver switched the write cache. */
	FUZZ_CACHE_OFF,
	FUZZ_CACHE_ON,
	FUZZ_BROKEN,		/* devices that were, at the end */
	FUZZ_COUNTS
};

void fuzz_count(enum fuzz_count what);

#endif
