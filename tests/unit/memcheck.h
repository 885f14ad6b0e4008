/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells valgrind of memory that the kernel wrote behind its back, as it does
 * with the AIO ring and with the buffers of reads reported there.  Nothing
 * without valgrind.
 */
#ifndef LKVM_TESTS_MEMCHECK_H
#define LKVM_TESTS_MEMCHECK_H

#ifndef __CHECKER__
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

#ifndef VALGRIND_MAKE_MEM_DEFINED
#define VALGRIND_MAKE_MEM_DEFINED(p, n) do { } while (0)
#endif

#endif
