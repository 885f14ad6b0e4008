/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integer types by their kernel names, and fields of a fixed byte order as types
 * of their own: __le16 ... __be64 can only be read through the functions below;
 * sparse (make C=1) checks it.
 */
#ifndef LKVM_ENDIAN_H
#define LKVM_ENDIAN_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __CHECKER__
#define __force __attribute__((force))
#else
#define __force
#endif

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LE_SWAP(bits, v) (v)
#define BE_SWAP(bits, v) __builtin_bswap##bits(v)
#else
#define LE_SWAP(bits, v) __builtin_bswap##bits(v)
#define BE_SWAP(bits, v) (v)
#endif

#define ENDIAN_FUNCTIONS(order, bits, swap)                                    \
	static inline u##bits order##bits##_to_cpu(__##order##bits v)          \
	{                                                                      \
		return swap(bits, (__force u##bits)v);                         \
	}                                                                      \
	static inline __##order##bits cpu_to_##order##bits(u##bits v)          \
	{                                                                      \
		return (__force __##order##bits)swap(bits, v);                 \
	}

ENDIAN_FUNCTIONS(le, 16, LE_SWAP)
ENDIAN_FUNCTIONS(le, 32, LE_SWAP)
ENDIAN_FUNCTIONS(le, 64, LE_SWAP)
ENDIAN_FUNCTIONS(be, 16, BE_SWAP)
ENDIAN_FUNCTIONS(be, 32, BE_SWAP)
ENDIAN_FUNCTIONS(be, 64, BE_SWAP)

#endif
