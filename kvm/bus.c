// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address to device, by linear search: a machine has a handful of ranges, and
 * the data path never comes here (kicks are ioeventfds).
 */
#include "kvm/bus.h"
#include <assert.h>
#include <string.h>

void bus_add(struct bus *bus, u64 base, u64 size, const struct bus_ops *ops,
	     void *ctx)
{
	assert(bus->nranges < BUS_RANGES_MAX);
	for (unsigned int i = 0; i < bus->nranges; i++) {
		const struct bus_range *r = &bus->range[i];

		assert(base + size <= r->base || r->base + r->size <= base);
	}
	bus->range[bus->nranges++] = (struct bus_range){
		.base = base,
		.size = size,
		.ops = ops,
		.ctx = ctx,
	};
}

void bus_remove(struct bus *bus, u64 base)
{
	for (unsigned int i = 0; i < bus->nranges; i++)
		if (bus->range[i].base == base)
			bus->range[i] = bus->range[--bus->nranges];
}

static const struct bus_range *bus_find(const struct bus *bus, u64 addr,
					unsigned int len)
{
	for (unsigned int i = 0; i < bus->nranges; i++) {
		const struct bus_range *r = &bus->range[i];
		u64 off = addr - r->base;

		if (off < r->size && len <= r->size - off)
			return r;
	}
	return NULL;
}

bool bus_claimed(const struct bus *bus, u64 addr)
{
	return bus_find(bus, addr, 1);
}

void bus_read(const struct bus *bus, u64 addr, void *data, unsigned int len)
{
	const struct bus_range *r = bus_find(bus, addr, len);

	memset(data, 0xff, len);
	if (r)
		r->ops->read(r->ctx, addr - r->base, data, len);
}

void bus_write(const struct bus *bus, u64 addr, const void *data,
	       unsigned int len)
{
	const struct bus_range *r = bus_find(bus, addr, len);

	if (r)
		r->ops->write(r->ctx, addr - r->base, data, len);
}
