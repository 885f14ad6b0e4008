/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSI-X capability and table of a PCI function (PCI Local Bus 3.0, 6.8.2).
 *
 * Each vector has an eventfd for the life of the function: whoever owns the
 * vector signals it and need not know whether it is masked.  An enabled,
 * unmasked vector's eventfd is connected to KVM by irqfd.  A masked one's is
 * not: its signal stays in the eventfd, which thus is the pending bit, and KVM
 * delivers it when the vector is connected again.
 *
 * Until the guest writes it, a vector's data is its GSI: firmware that assigns
 * messages itself has done so.
 *
 * Control path of the guest, any vCPU thread, guarded by a lock of its own.
 */
#ifndef LKVM_KVM_MSIX_H
#define LKVM_KVM_MSIX_H

#include "endian.h"

struct msix;
struct pci_function;
struct vm;

/* Capability and BAR @bar, which holds nothing else.  0 or -errno. */
int msix_new(struct msix **mp, struct vm *vm, struct pci_function *fn,
	     unsigned int bar, unsigned int nvectors);
void msix_free(struct msix *msix);

/* Guest accesses to the BAR. */
void msix_bar_read(struct msix *msix, u32 offset, void *data, unsigned int len);
void msix_bar_write(struct msix *msix, u32 offset, const void *data,
		    unsigned int len);
/* The capability's control word may have changed. */
void msix_config_written(struct msix *msix);

bool msix_enabled(const struct msix *msix);
unsigned int msix_vectors(const struct msix *msix);
/* Signal this to send the vector; any thread, until msix_free(). */
int msix_fd(const struct msix *msix, unsigned int vector);

#endif
