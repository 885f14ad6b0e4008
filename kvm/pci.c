// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI host bridge and its functions' configuration space.
 *
 * A function's configuration is an array of bytes with a mask of those bits
 * that the guest can write; sizing a BAR works by its mask alone.  What a write
 * changes in the decoding is worked out after it.  The bridge claims the PCI
 * windows of the MMIO and the PIO bus, and finds the BAR behind an address itself, since
 * BARs move while the guest runs.
 */
#include "kvm/pci.h"
#include "arch.h"
#include "barrier.h"
#include "kvm/event.h"
#include "kvm/vm.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAP 0x40	/* behind the type 0 header */
#define COMMAND_MASK \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)

enum { WINDOW_IO, WINDOW_MEM, WINDOW_MEM64, WINDOWS };

struct pci_host {
	struct vm *vm;
	pthread_mutex_t lock;	/* configuration spaces and BAR addresses */
	struct pci_function bridge;
	struct pci_function *slots[PCI_SLOTS];
	struct pci_window {
		struct pci_host *host;
		const struct arch_pci_window *at;
		bool io;
		u64 next;	/* where "firmware" puts the next BAR */
	} window[WINDOWS];
};

static void put_le16(u8 *p, u16 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static void put_le32(u8 *p, u32 v)
{
	put_le16(p, (u16)v);
	put_le16(p + 2, (u16)(v >> 16));
}

static u32 get_le32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

void pci_function_init(struct pci_function *fn,
		       const struct pci_function_ops *ops,
		       const struct pci_ids *ids)
{
	memset(fn, 0, sizeof(*fn));
	fn->ops = ops;
	fn->next_cap = FIRST_CAP;
	fn->intx_fd = -1;
	fn->intx_resample_fd = -1;
	put_le16(fn->config + PCI_VENDOR_ID, ids->vendor);
	put_le16(fn->config + PCI_DEVICE_ID, ids->device);
	put_le16(fn->config + PCI_SUBSYSTEM_VENDOR_ID, ids->subvendor);
	put_le16(fn->config + PCI_SUBSYSTEM_ID, ids->subdevice);
	put_le32(fn->config + PCI_CLASS_REVISION,
		 ids->class_code << 8 | ids->revision);
	put_le16(fn->wmask + PCI_COMMAND, COMMAND_MASK);
	fn->wmask[PCI_INTERRUPT_LINE] = 0xff;
	fn->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
}

static void pci_add_bar(struct pci_function *fn, unsigned int bar, u32 size,
			u32 type)
{
	u8 *mask = fn->wmask + PCI_BASE_ADDRESS_0 + 4 * bar;

	assert(bar < PCI_BARS && size >= 16 && !(size & (size - 1)));
	fn->bar[bar].size = size;
	fn->bar[bar].type = type;
	put_le32(fn->config + PCI_BASE_ADDRESS_0 + 4 * bar, type);
	put_le32(mask, ~(size - 1));
}

void pci_function_add_bar(struct pci_function *fn, unsigned int bar, u32 size)
{
	assert(bar + 1 < PCI_BARS && !fn->bar[bar + 1].size);
	pci_add_bar(fn, bar, size, PCI_BASE_ADDRESS_MEM_TYPE_64);
	put_le32(fn->wmask + PCI_BASE_ADDRESS_0 + 4 * (bar + 1), ~0u);
}

bool pci_function_add_io_bar(struct pci_function *fn, unsigned int bar, u32 size)
{
	if (!arch_pci_io_window.size)
		return false;
	pci_add_bar(fn, bar, size, PCI_BASE_ADDRESS_SPACE_IO);
	fn->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
	return true;
}

unsigned int pci_function_add_cap(struct pci_function *fn, u8 id,
				  const void *cap, const void *wmask,
				  unsigned int len)
{
	unsigned int at = fn->next_cap;

	assert(at + len <= PCI_CONFIG_SIZE);
	memcpy(fn->config + at, cap, len);
	if (wmask)
		memcpy(fn->wmask + at, wmask, len);
	fn->config[at + PCI_CAP_LIST_ID] = id;
	fn->config[at + PCI_CAP_LIST_NEXT] = 0;
	if (fn->last_cap)
		fn->config[fn->last_cap + PCI_CAP_LIST_NEXT] = (u8)at;
	else
		fn->config[PCI_CAPABILITY_LIST] = (u8)at;
	fn->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	fn->last_cap = (u8)at;
	fn->next_cap = (u8)((at + len + 3) & ~3u);
	return at;
}

static bool pci_bar_io(const struct pci_bar *bar)
{
	return bar->type == PCI_BASE_ADDRESS_SPACE_IO;
}

static u64 pci_bar_get(const struct pci_function *fn, unsigned int bar)
{
	const u8 *reg = fn->config + PCI_BASE_ADDRESS_0 + 4 * bar;
	u64 high = pci_bar_io(&fn->bar[bar]) ? 0 : get_le32(reg + 4);

	return high << 32 | (get_le32(reg) & ~0xfu);
}

static void pci_bar_set(struct pci_function *fn, unsigned int bar, u64 addr)
{
	u8 *reg = fn->config + PCI_BASE_ADDRESS_0 + 4 * bar;

	put_le32(reg, (u32)addr | fn->bar[bar].type);
	if (!pci_bar_io(&fn->bar[bar]))
		put_le32(reg + 4, (u32)(addr >> 32));
}

static struct pci_window *pci_window_for(struct pci_host *host,
					 const struct pci_bar *bar)
{
	if (pci_bar_io(bar))
		return &host->window[WINDOW_IO];
	return &host->window[arch_pci_window64.size ? WINDOW_MEM64 : WINDOW_MEM];
}

/* Firmware's work: an address in its window for each BAR.  0 or -ENOSPC. */
static int pci_place_bars(struct pci_host *host, struct pci_function *fn)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_window *w = pci_window_for(host, &fn->bar[i]);
		u64 size = fn->bar[i].size;
		u64 addr = (w->next + size - 1) & ~(size - 1);

		if (!size)
			continue;
		if (addr + size > w->at->base + w->at->size)
			return -ENOSPC;
		pci_bar_set(fn, i, addr);
		w->next = addr + size;
	}
	return 0;
}

/*
 * INTx is asserted by whoever has something to tell, unless it is asserted or
 * disabled; and where it falls or is enabled, that is looked at once more.  Each
 * of them stores, fences, and loads what the other has stored: what there is to
 * tell (the function's), intx_asserted, the command register.
 */
static void pci_intx_ended(void *arg)
{
	struct pci_function *fn = arg;

	event_clear(fn->intx_resample_fd);
	write_once(&fn->intx_asserted, false);
	full_fence();
	if (fn->ops->intx_level(fn))
		pci_function_intx(fn);
}

static bool pci_intx_disabled(const struct pci_function *fn)
{
	return read_once(&fn->config[PCI_COMMAND + 1]) &
	       PCI_COMMAND_INTX_DISABLE >> 8;
}

/*
 * KVM tells of the end of a level interrupt at a price: on some hosts each
 * end of any interrupt then costs a detour.  So it is connected only while the guest
 * wants it.  Lock held, or before vCPUs run.
 */
static int pci_intx_update(struct pci_function *fn)
{
	struct vm *vm = fn->host->vm;
	bool wanted = !pci_intx_disabled(fn);
	int err = 0;

	if (wanted == fn->intx_attached)
		return 0;
	if (wanted) {
		err = irqfd_attach(vm, fn->intx_fd, fn->intx_gsi,
				   fn->intx_resample_fd);
	} else {
		irqfd_detach(vm, fn->intx_fd, fn->intx_gsi);
		/* KVM will not tell of its end; who asks raises it anew. */
		write_once(&fn->intx_asserted, false);
	}
	fn->intx_attached = wanted && !err;
	return err;
}

static int pci_intx_init(struct pci_function *fn)
{
	fn->intx_gsi = arch_pci_intx_gsi(fn->slot);
	fn->config[PCI_INTERRUPT_PIN] = 1;
	fn->config[PCI_INTERRUPT_LINE] = (u8)fn->intx_gsi;
	fn->intx_fd = event_new();
	fn->intx_resample_fd = event_new();
	if (fn->intx_fd < 0 || fn->intx_resample_fd < 0) {
		log_error("cannot create an eventfd; raise the limit of open files (ulimit -n)");
		return -EMFILE;
	}
	vm_watch(fn->host->vm, fn->intx_resample_fd, POLLIN, pci_intx_ended, fn);
	return pci_intx_update(fn);
}

int pci_function_add(struct pci_host *host, struct pci_function *fn)
{
	unsigned int slot = 1;	/* 0 is the bridge */
	int err;

	while (slot < PCI_SLOTS && host->slots[slot])
		slot++;
	if (slot == PCI_SLOTS) {
		log_error("no PCI slot is free: at most %d devices, a command's exit device among them; give fewer disks",
			  PCI_SLOTS - 1);
		return -ENOSPC;
	}
	err = pci_place_bars(host, fn);
	if (err) {
		log_error("a PCI window is full: fewer disks or queues");
		return err;
	}
	fn->host = host;
	fn->slot = (u8)slot;
	if (fn->ops->intx_level) {
		err = pci_intx_init(fn);
		if (err)
			return err;
	}
	host->slots[slot] = fn;
	return 0;
}

void pci_function_remove(struct pci_function *fn)
{
	if (fn->host) {
		fn->host->slots[fn->slot] = NULL;
		if (fn->intx_attached)
			irqfd_detach(fn->host->vm, fn->intx_fd, fn->intx_gsi);
	}
	if (fn->intx_fd >= 0)
		close(fn->intx_fd);
	if (fn->intx_resample_fd >= 0)
		close(fn->intx_resample_fd);
}

void pci_function_intx(struct pci_function *fn)
{
	full_fence();
	if (pci_intx_disabled(fn))
		return;
	if (!__atomic_exchange_n(&fn->intx_asserted, true, __ATOMIC_ACQ_REL))
		event_signal(fn->intx_fd);
}

struct pci_function *pci_host_function(struct pci_host *host, unsigned int slot)
{
	return slot < PCI_SLOTS ? host->slots[slot] : NULL;
}

/*
 * Where CPUs reach a BAR by its registers; 0 when nowhere.  One of memory may
 * be in either window of memory.  Lock held.
 */
static u64 pci_bar_address(const struct pci_function *fn, unsigned int bar)
{
	bool io = pci_bar_io(&fn->bar[bar]);
	u8 enable = io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	u64 size = fn->bar[bar].size, addr;

	if (!size || !(fn->config[PCI_COMMAND] & enable))
		return 0;
	addr = pci_bar_get(fn, bar);
	for (unsigned int i = 0; i < WINDOWS; i++) {
		const struct pci_window *w = &fn->host->window[i];

		if (w->io == io && addr >= w->at->base &&
		    size <= w->at->size &&
		    addr - w->at->base <= w->at->size - size)
			return addr - w->at->base + w->at->cpu;
	}
	return 0;
}

static void pci_update_decoding(struct pci_function *fn)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		u64 addr = pci_bar_address(fn, i);

		if (addr == fn->bar[i].addr)
			continue;
		fn->bar[i].addr = addr;
		if (fn->ops->bar_moved)
			fn->ops->bar_moved(fn, i, addr);
	}
}

static struct pci_function *pci_find(struct pci_host *host, unsigned int bus,
				     unsigned int devfn, unsigned int offset,
				     unsigned int len)
{
	if (bus || devfn & 7 || offset + len > PCI_CONFIG_SIZE)
		return NULL;
	return pci_host_function(host, devfn >> 3);
}

void pci_config_read(struct pci_host *host, unsigned int bus,
		     unsigned int devfn, unsigned int offset, void *data,
		     unsigned int len)
{
	struct pci_function *fn = pci_find(host, bus, devfn, offset, len);

	memset(data, 0xff, len);
	if (!fn)
		return;
	if (fn->ops->config_read)
		fn->ops->config_read(fn, offset, len);
	pthread_mutex_lock(&host->lock);
	memcpy(data, fn->config + offset, len);
	pthread_mutex_unlock(&host->lock);
	/* 6.2.3: the interrupt status bit is live. */
	if (offset <= PCI_STATUS && PCI_STATUS < offset + len &&
	    fn->ops->intx_level && fn->ops->intx_level(fn))
		((u8 *)data)[PCI_STATUS - offset] |= PCI_STATUS_INTERRUPT;
}

void pci_function_get(struct pci_function *fn, unsigned int offset, void *data,
		      unsigned int len)
{
	pthread_mutex_lock(&fn->host->lock);
	memcpy(data, fn->config + offset, len);
	pthread_mutex_unlock(&fn->host->lock);
}

void pci_function_put(struct pci_function *fn, unsigned int offset,
		      const void *data, unsigned int len)
{
	pthread_mutex_lock(&fn->host->lock);
	memcpy(fn->config + offset, data, len);
	pthread_mutex_unlock(&fn->host->lock);
}

void pci_config_write(struct pci_host *host, unsigned int bus,
		      unsigned int devfn, unsigned int offset, const void *data,
		      unsigned int len)
{
	struct pci_function *fn = pci_find(host, bus, devfn, offset, len);
	const u8 *bytes = data;

	if (!fn)
		return;
	pthread_mutex_lock(&host->lock);
	for (unsigned int i = 0; i < len; i++) {
		u8 mask = fn->wmask[offset + i];
		u8 *byte = &fn->config[offset + i];

		write_once(byte, (u8)((*byte & ~mask) | (bytes[i] & mask)));
	}
	pci_update_decoding(fn);
	if (fn->ops->intx_level)
		pci_intx_update(fn);
	pthread_mutex_unlock(&host->lock);
	if (fn->ops->config_written)
		fn->ops->config_written(fn, offset, len);
	full_fence();
	if (fn->ops->intx_level && fn->ops->intx_level(fn))
		pci_function_intx(fn);	/* it may just have been enabled */
}

static void ecam_read(void *ctx, u64 offset, void *data, unsigned int len)
{
	pci_config_read(ctx, 0, (unsigned int)(offset >> 12), offset & 0xfff,
			data, len);
}

static void ecam_write(void *ctx, u64 offset, const void *data,
		       unsigned int len)
{
	pci_config_write(ctx, 0, (unsigned int)(offset >> 12), offset & 0xfff,
			 data, len);
}

const struct bus_ops pci_ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

/* The function and BAR at @addr; *@offset is relative to the BAR. */
static struct pci_function *pci_window_find(struct pci_window *w, u64 addr,
					    unsigned int len, unsigned int *bar,
					    u32 *offset)
{
	struct pci_function *found = NULL;

	pthread_mutex_lock(&w->host->lock);
	for (unsigned int s = 0; s < PCI_SLOTS && !found; s++) {
		struct pci_function *fn = w->host->slots[s];

		for (unsigned int i = 0; fn && i < PCI_BARS; i++) {
			u64 off = addr - fn->bar[i].addr;

			if (!fn->bar[i].addr ||
			    pci_bar_io(&fn->bar[i]) != w->io ||
			    off >= fn->bar[i].size ||
			    len > fn->bar[i].size - off)
				continue;
			*bar = i;
			*offset = (u32)off;
			found = fn;
			break;
		}
	}
	pthread_mutex_unlock(&w->host->lock);
	return found;
}

static void pci_window_read(void *ctx, u64 at, void *data, unsigned int len)
{
	struct pci_window *w = ctx;
	struct pci_function *fn;
	unsigned int bar;
	u32 offset;

	fn = pci_window_find(w, w->at->cpu + at, len, &bar, &offset);
	if (fn)
		fn->ops->bar_read(fn, bar, offset, data, len);
}

static void pci_window_write(void *ctx, u64 at, const void *data,
			     unsigned int len)
{
	struct pci_window *w = ctx;
	struct pci_function *fn;
	unsigned int bar;
	u32 offset;

	fn = pci_window_find(w, w->at->cpu + at, len, &bar, &offset);
	if (fn)
		fn->ops->bar_write(fn, bar, offset, data, len);
}

static const struct bus_ops pci_window_ops = {
	.read = pci_window_read,
	.write = pci_window_write,
};

static void pci_window_init(struct pci_host *host, unsigned int i, bool io,
			    const struct arch_pci_window *at)
{
	struct pci_window *w = &host->window[i];

	*w = (struct pci_window){ host, at, io, at->base };
	if (at->size)
		bus_add(io ? &host->vm->pio : &host->vm->mmio, at->cpu,
			at->size, &pci_window_ops, w);
}

int pci_host_new(struct pci_host **hp, struct vm *vm)
{
	static const struct pci_function_ops bridge_ops;
	static const struct pci_ids bridge_ids = {
		.vendor = 0x1b36,	/* Red Hat: generic PCI host bridge */
		.device = 0x0008,
		.class_code = 0x060000,
	};
	struct pci_host *host = calloc(1, sizeof(*host));

	if (!host)
		return log_no_memory();
	host->vm = vm;
	pthread_mutex_init(&host->lock, NULL);
	pci_function_init(&host->bridge, &bridge_ops, &bridge_ids);
	host->slots[0] = &host->bridge;
	pci_window_init(host, WINDOW_IO, true, &arch_pci_io_window);
	pci_window_init(host, WINDOW_MEM, false, &arch_pci_window);
	pci_window_init(host, WINDOW_MEM64, false, &arch_pci_window64);
	*hp = host;
	return 0;
}

void pci_host_free(struct pci_host *host)
{
	pthread_mutex_destroy(&host->lock);
	free(host);
}
