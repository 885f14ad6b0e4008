/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bus: which device answers at an address.  One for MMIO, one for PIO.
 *
 * Filled while the machine is built, read-only once vCPUs run: look-ups take
 * no lock and come from all vCPU threads at once; each device guards itself.
 */
#ifndef LKVM_KVM_BUS_H
#define LKVM_KVM_BUS_H

#include "endian.h"

#define BUS_RANGES_MAX 32

/*
 * @offset is relative to the range.  @len is 1, 2, 4 or 8 bytes; @data is in
 * guest byte order.  An access never crosses the end of the range.
 */
struct bus_ops {
	void (*read)(void *ctx, u64 offset, void *data, unsigned int len);
	void (*write)(void *ctx, u64 offset, const void *data,
		      unsigned int len);
};

struct bus {
	unsigned int nranges;
	struct bus_range {
		u64 base;
		u64 size;
		const struct bus_ops *ops;
		void *ctx;
	} range[BUS_RANGES_MAX];
};

/* Asserts that the range is free and that there is room: layout is a constant. */
void bus_add(struct bus *bus, u64 base, u64 size, const struct bus_ops *ops,
	     void *ctx);
/* No vCPU runs.  @base as it was added. */
void bus_remove(struct bus *bus, u64 base);
/* Whether somebody answers at @addr. */
bool bus_claimed(const struct bus *bus, u64 addr);

/* An address nobody claims reads as all ones and ignores writes. */
void bus_read(const struct bus *bus, u64 addr, void *data, unsigned int len);
void bus_write(const struct bus *bus, u64 addr, const void *data,
	       unsigned int len);

#endif
