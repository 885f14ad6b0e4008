// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI host bridge as firmware shows it: configuration space and MSIs by
 * run-time services (LoPAPR 7.3.4, 7.3.10.5), and the functions that the device
 * tree describes.  The bridge itself is kvm/pci.c.
 *
 * MSIs are assigned for good when a function is made: its MSI-X table has the
 * source number of each vector as the data word, and a service only tells what
 * is there.  A guest can write that word; then it has lost the vector.
 */
#include "barrier.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include "powerpc/spapr.h"
#include <linux/pci_regs.h>

/* Functions of ibm,change-msi; Linux knows them, too: pseries/msi.c */
#define CHANGE_QUERY	0	/* nothing: how many are there? */
#define CHANGE_ANY	1	/* with the type as third result: MSI-X, too */
#define CHANGE_RESET	2	/* to what a function begins with: none */
#define CHANGE_MSI	3
#define CHANGE_MSIX	4
#define CHANGE_MSI32	5	/* sent to addresses below 4 GiB */
#define CHANGE_MSIX32	6	/* which all of ours are */

#define TYPE_MSIX	2	/* third result of ibm,change-msi */
#define TRIGGER_EDGE	1
#define NO_INTERRUPT	1	/* status of ibm,query-interrupt-source-number */

/* --- configuration space ------------------------------------------------- */

/* 7.3.4, config_addr: where it points to. */
struct config_addr {
	unsigned int bus;
	unsigned int devfn;
	unsigned int reg;	/* 0..4095 */
};

static struct config_addr config_addr(u32 addr)
{
	return (struct config_addr){
		.bus = addr >> 16 & 0xff,
		.devfn = addr >> 8 & 0xff,
		.reg = (addr >> 28 << 8) | (addr & 0xff),
	};
}

/* 7.3.4.1: one byte, or two or four that are aligned. */
static bool config_access_ok(u32 addr, u32 size)
{
	return (size == 1 || size == 2 || size == 4) && !(addr & (size - 1));
}

/* Of a function that is not there: success, all ones (R1-7.3.4.1-5). */
static int config_read(struct rtas_call *call, u32 addr, u32 size)
{
	struct config_addr at = config_addr(addr);
	__le32 value = 0;

	if (!config_access_ok(addr, size))
		return RTAS_PARAMETER;
	pci_config_read(call->vm->pci, at.bus, at.devfn, at.reg, &value, size);
	call->rets[0] = le32_to_cpu(value);
	return RTAS_SUCCESS;
}

static int config_write(const struct rtas_call *call, u32 addr, u32 size,
			u32 value)
{
	struct config_addr at = config_addr(addr);
	__le32 bytes = cpu_to_le32(value);

	if (!config_access_ok(addr, size))
		return RTAS_PARAMETER;
	pci_config_write(call->vm->pci, at.bus, at.devfn, at.reg, &bytes, size);
	return RTAS_SUCCESS;
}

/* Second and third argument. */
static bool buid_ok(const struct rtas_call *call)
{
	u64 buid = (u64)call->args[1] << 32 | call->args[2];

	return buid == SPAPR_PHB_BUID;
}

int spapr_read_pci_config(struct rtas_call *call)
{
	return config_read(call, call->args[0], call->args[1]);
}

int spapr_write_pci_config(struct rtas_call *call)
{
	const u32 *args = call->args;

	return config_write(call, args[0], args[1], args[2]);
}

int spapr_ibm_read_pci_config(struct rtas_call *call)
{
	if (!buid_ok(call))
		return RTAS_PARAMETER;
	return config_read(call, call->args[0], call->args[3]);
}

int spapr_ibm_write_pci_config(struct rtas_call *call)
{
	const u32 *args = call->args;

	if (!buid_ok(call))
		return RTAS_PARAMETER;
	return config_write(call, args[0], args[3], args[4]);
}

/* --- MSI-X --------------------------------------------------------------- */

static u32 slot_get(struct pci_host *host, unsigned int slot, unsigned int reg,
		    unsigned int len)
{
	__le32 value = 0;

	pci_config_read(host, 0, slot << 3, reg, &value, len);
	return le32_to_cpu(value);
}

/* A function's MSI-X capability; nothing in it but the enable bit is the guest's. */
struct msix_cap {
	struct pci_function *fn;
	unsigned int reg;	/* where in configuration space */
	u32 flags;
	u32 count;		/* of vectors */
	unsigned int bar;	/* where the table is */
	u32 offset;
};

static bool msix_find(struct pci_host *host, unsigned int slot,
		      struct msix_cap *cap)
{
	unsigned int reg = slot_get(host, slot, PCI_CAPABILITY_LIST, 1);
	u32 table;

	while (reg && slot_get(host, slot, reg, 1) != PCI_CAP_ID_MSIX)
		reg = slot_get(host, slot, reg + PCI_CAP_LIST_NEXT, 1);
	if (!reg)
		return false;
	cap->fn = pci_host_function(host, slot);
	cap->reg = reg;
	cap->flags = slot_get(host, slot, reg + PCI_MSIX_FLAGS, 2);
	cap->count = (cap->flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	table = slot_get(host, slot, reg + PCI_MSIX_TABLE, 4);
	cap->bar = table & PCI_MSIX_TABLE_BIR;
	cap->offset = table & PCI_MSIX_TABLE_OFFSET;
	return true;
}

/* The source of @vector, or 0 if the guest has overwritten it. */
static u32 msix_source(const struct vm *vm, const struct msix_cap *cap,
		       u32 vector)
{
	u32 entry = cap->offset + vector * PCI_MSIX_ENTRY_SIZE;
	__le32 data;
	u32 source;

	cap->fn->ops->bar_read(cap->fn, cap->bar, entry + PCI_MSIX_ENTRY_DATA,
			       &data, sizeof(data));
	source = le32_to_cpu(data);
	if (source < SPAPR_IRQ_MSI_BASE || source >= vm->irqs.next_gsi)
		return 0;
	return source;
}

/* The function that the first three arguments name, if it has MSI-X. */
static bool msix_named(const struct rtas_call *call, struct msix_cap *cap)
{
	struct config_addr at = config_addr(call->args[0]);
	struct pci_host *host = call->vm->pci;

	return buid_ok(call) && !at.bus && !(at.devfn & 7) &&
	       pci_host_function(host, at.devfn >> 3) &&
	       msix_find(host, at.devfn >> 3, cap);
}

/* How many the guest has of this function's; set by any vCPU. */
static u32 *msix_assigned(const struct rtas_call *call,
			  const struct msix_cap *cap)
{
	return &call->vm->arch->msis[cap->fn->slot];
}

static int msix_tell(const struct rtas_call *call, const struct msix_cap *cap)
{
	u32 n = read_once(msix_assigned(call, cap));

	call->rets[0] = n;
	if (n && call->nret > 2)
		call->rets[2] = TYPE_MSIX;
	return RTAS_SUCCESS;
}

static int msix_disable(const struct rtas_call *call,
			const struct msix_cap *cap)
{
	u32 addr = (u32)cap->fn->slot << 11 | (cap->reg + PCI_MSIX_FLAGS);

	write_once(msix_assigned(call, cap), 0);
	return config_write(call, addr, 2,
			    cap->flags & ~(u32)PCI_MSIX_FLAGS_ENABLE);
}

/* Tell the controller of the first @n sources. */
static int msix_assign(const struct rtas_call *call, const struct msix_cap *cap,
		       u32 n)
{
	if (n > cap->count)
		n = cap->count;
	for (u32 i = 0; i < n; i++) {
		u32 source = msix_source(call->vm, cap, i);

		if (!source || xics_add_msi(call->vm, source))
			return RTAS_HARDWARE;
	}
	write_once(msix_assigned(call, cap), n);
	return msix_tell(call, cap);
}

/*
 * 7.3.10.5.1: config_addr, bridge, function, number wanted, sequence number;
 * how many there are now, next sequence number, type if there is room for it.
 * None wanted, by whatever function, ends MSI and MSI-X.
 */
int spapr_change_msi(struct rtas_call *call)
{
	u32 function = call->args[3], n = call->args[4];
	struct msix_cap cap;

	if (function > CHANGE_MSIX32 || !msix_named(call, &cap))
		return RTAS_PARAMETER;
	if (function == CHANGE_QUERY)
		return msix_tell(call, &cap);
	if (function == CHANGE_RESET || !n)
		return msix_disable(call, &cap);
	if (function == CHANGE_MSI || function == CHANGE_MSI32 ||
	    (function == CHANGE_ANY && call->nret < 3))
		return RTAS_PARAMETER;	/* which there is none of */
	return msix_assign(call, &cap, n);
}

/* 7.3.10.5.2: config_addr, bridge, vector; source, how it is triggered. */
int spapr_query_msi_source(struct rtas_call *call)
{
	u32 vector = call->args[3], source;
	struct msix_cap cap;

	if (!msix_named(call, &cap))
		return RTAS_PARAMETER;
	if (vector >= cap.count)
		return NO_INTERRUPT;
	source = msix_source(call->vm, &cap, vector);
	if (!source)
		return RTAS_HARDWARE;
	call->rets[0] = source;
	call->rets[1] = TRIGGER_EDGE;
	return RTAS_SUCCESS;
}

/* --- device tree --------------------------------------------------------- */

static void describe_bars(struct pci_host *host, const struct pci_function *fn,
			  struct spapr_pci_function *out)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		unsigned int reg = PCI_BASE_ADDRESS_0 + 4 * i;

		if (!fn->bar[i].size)	/* and all that are, are of memory */
			continue;
		out->bar[out->nbars].bar = i;
		out->bar[out->nbars].addr =
			(u64)slot_get(host, fn->slot, reg + 4, 4) << 32 |
			(slot_get(host, fn->slot, reg, 4) & ~0xfu);
		out->bar[out->nbars].size = fn->bar[i].size;
		out->nbars++;
	}
}

static void describe(struct pci_host *host, const struct pci_function *fn,
		     struct spapr_pci_function *out)
{
	unsigned int slot = fn->slot;
	u32 class = slot_get(host, slot, PCI_CLASS_REVISION, 4);
	struct msix_cap cap;

	*out = (struct spapr_pci_function){
		.slot = slot,
		.vendor = (u16)slot_get(host, slot, PCI_VENDOR_ID, 2),
		.device = (u16)slot_get(host, slot, PCI_DEVICE_ID, 2),
		.subvendor = (u16)slot_get(host, slot, PCI_SUBSYSTEM_VENDOR_ID, 2),
		.subdevice = (u16)slot_get(host, slot, PCI_SUBSYSTEM_ID, 2),
		.revision = (u8)class,
		.class_code = class >> 8,
		.intx = fn->intx_gsi,
		.msix = msix_find(host, slot, &cap) ? cap.count : 0,
	};
	describe_bars(host, fn, out);
}

/* Slot 0 is the bridge. */
unsigned int spapr_pci_describe(struct pci_host *host,
				struct spapr_pci_function *functions,
				unsigned int max)
{
	unsigned int n = 0;

	for (unsigned int slot = 1; slot < PCI_SLOTS && n < max; slot++) {
		const struct pci_function *fn = pci_host_function(host, slot);

		if (fn)
			describe(host, fn, &functions[n++]);
	}
	return n;
}
