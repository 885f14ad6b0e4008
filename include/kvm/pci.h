/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI host bridge with one bus, and the functions on it: configuration space
 * with write masks, 64-bit memory and I/O BARs that can be sized and moved, a
 * capability list, and INTx through irqfd with resample.
 *
 * Configuration and BAR accesses come from any vCPU thread.  Configuration
 * space and address decoding are guarded by the bridge's lock; a function's
 * own registers by the function.
 * References: PCI Local Bus 3.0, PCI Express Base 3.0 section 7.
 */
#ifndef LKVM_KVM_PCI_H
#define LKVM_KVM_PCI_H

#include "endian.h"
#include "kvm/bus.h"

#define PCI_SLOTS 32
#define PCI_BARS 6
#define PCI_CONFIG_SIZE 256

struct pci_function;
struct pci_host;
struct vm;

struct pci_function_ops {
	void (*bar_read)(struct pci_function *fn, unsigned int bar, u32 offset,
			 void *data, unsigned int len);
	void (*bar_write)(struct pci_function *fn, unsigned int bar, u32 offset,
			  const void *data, unsigned int len);
	/* CPUs now reach the BAR at @addr; 0: not at all.  Bridge lock held. */
	void (*bar_moved)(struct pci_function *fn, unsigned int bar, u64 addr);
	/*
	 * Optional hooks around configuration accesses, for capabilities that
	 * act: before a read, after a write.  Bridge lock not held.
	 */
	void (*config_read)(struct pci_function *fn, unsigned int offset,
			    unsigned int len);
	void (*config_written)(struct pci_function *fn, unsigned int offset,
			       unsigned int len);
	/*
	 * The guest has ended an INTx interrupt: does the function still ask
	 * for one?  On the main thread.
	 */
	bool (*intx_level)(struct pci_function *fn);
};

struct pci_function {
	const struct pci_function_ops *ops;
	struct pci_host *host;
	u8 slot;
	u8 next_cap;		/* where the next capability goes */
	u8 last_cap;
	u8 config[PCI_CONFIG_SIZE];
	u8 wmask[PCI_CONFIG_SIZE];	/* bits the guest can change */
	struct pci_bar {
		u32 size;	/* 0: not there */
		u32 type;	/* PCI_BASE_ADDRESS_SPACE_IO, MEM_TYPE_64 */
		u64 addr;	/* where CPUs reach it, 0: nowhere */
	} bar[PCI_BARS];

	u32 intx_gsi;
	bool intx_attached;	/* to KVM; bridge lock */
	bool intx_asserted;	/* until the guest has ended it; any thread */
	int intx_fd;		/* signal to assert INTx; any thread */
	int intx_resample_fd;	/* KVM signals: the guest has ended it */
};

int pci_host_new(struct pci_host **hp, struct vm *vm);
void pci_host_free(struct pci_host *host);
/* The function in @slot, or NULL. */
struct pci_function *pci_host_function(struct pci_host *host, unsigned int slot);

/* Configuration access by address parts; all ones where there is nothing. */
void pci_config_read(struct pci_host *host, unsigned int bus, unsigned int devfn,
		     unsigned int offset, void *data, unsigned int len);
void pci_config_write(struct pci_host *host, unsigned int bus,
		      unsigned int devfn, unsigned int offset, const void *data,
		      unsigned int len);

/* Ready-made bus_ops for a memory-mapped ECAM of bus 0 (ctx: struct pci_host). */
extern const struct bus_ops pci_ecam_ops;
#define PCI_ECAM_BUS_SIZE (1u << 20)

struct pci_ids {
	u16 vendor, device, subvendor, subdevice;
	u8 revision;
	u32 class_code;		/* class << 16 | subclass << 8 | prog-if */
};
void pci_function_init(struct pci_function *fn, const struct pci_function_ops *ops,
		       const struct pci_ids *ids);
/*
 * A memory BAR of 64 bits, which takes @bar and the next one.  @size: a power of
 * two, at least 16.
 */
void pci_function_add_bar(struct pci_function *fn, unsigned int bar, u32 size);
/* One in I/O space; false, and no BAR, where the machine has none. */
bool pci_function_add_io_bar(struct pci_function *fn, unsigned int bar, u32 size);
/*
 * Append a capability of @len bytes, read-only but where @wmask (may be NULL)
 * has ones; returns its offset.  Its two first bytes are set here.
 */
unsigned int pci_function_add_cap(struct pci_function *fn, u8 id, const void *cap,
				  const void *wmask, unsigned int len);
/*
 * Put it into a free slot, give its BARs addresses as firmware would, connect
 * INTA.  0 or -errno; pci_function_remove() undoes it.
 */
int pci_function_add(struct pci_host *host, struct pci_function *fn);
void pci_function_remove(struct pci_function *fn);

/* The function's own view of its configuration space, from a hook. */
void pci_function_get(struct pci_function *fn, unsigned int offset, void *data,
		      unsigned int len);
void pci_function_put(struct pci_function *fn, unsigned int offset,
		      const void *data, unsigned int len);

/* Assert INTx unless the guest has disabled it; any thread. */
void pci_function_intx(struct pci_function *fn);


#endif
