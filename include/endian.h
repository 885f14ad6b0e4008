/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integer types by their kernel names, and little-endian fields as types of
 * their own: __le16, __le32 and __le64 can only be read through the functions
 * below; sparse (make C=1) checks it.
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
#else
#define LE_SWAP(bits, v) __builtin_bswap##bits(v)
#endif

#define LE_FUNCTIONS(bits)                                                     \
	static inline u##bits le##bits##_to_cpu(__le##bits v)                  \
	{                                                                      \
		return LE_SWAP(bits, (__force u##bits)v);                      \
	}                                                                      \
	static inline __le##bits cpu_to_le##bits(u##bits v)                    \
	{                                                                      \
		return (__force __le##bits)LE_SWAP(bits, v);                   \
	}

LE_FUNCTIONS(16)
LE_FUNCTIONS(32)
LE_FUNCTIONS(64)

#endif
