// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X: the table that the guest writes, and the irqfds that follow it.
 *
 * A message is taken over when its vector is unmasked, whole; software must
 * mask a vector to change it (PCI Local Bus 3.0, 6.8.2.9), so no half-written
 * message is ever sent.
 */
#include "kvm/msix.h"
#include "barrier.h"
#include "kvm/event.h"
#include "kvm/pci.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PBA_OFFSET_MIN 2048	/* so that the BAR is at least a page */

struct msix_vector {
	/* The table entry as the guest sees it, in host byte order. */
	u32 addr_lo;
	u32 addr_hi;
	u32 data;
	u32 control;

	int fd;
	int gsi;
	bool connected;		/* irqfd is in KVM */
	bool routed;		/* KVM has a message for the gsi: */
	u64 routed_addr;
	u32 routed_data;
};

struct msix {
	struct vm *vm;
	struct pci_function *fn;
	unsigned int cap;	/* offset in configuration space */
	u32 pba_offset;
	unsigned int nvectors;
	pthread_mutex_t lock;
	bool was_enabled;
	struct msix_vector vector[];
};

static u8 msix_control(const struct msix *msix)
{
	return read_once(&msix->fn->config[msix->cap + PCI_MSIX_FLAGS + 1]);
}

bool msix_enabled(const struct msix *msix)
{
	return msix_control(msix) & PCI_MSIX_FLAGS_ENABLE >> 8;
}

unsigned int msix_vectors(const struct msix *msix)
{
	return msix->nvectors;
}

int msix_fd(const struct msix *msix, unsigned int vector)
{
	assert(vector < msix->nvectors);
	return msix->vector[vector].fd;
}

static u32 msix_pba_offset(unsigned int nvectors)
{
	u32 offset = PBA_OFFSET_MIN;

	while (offset < nvectors * PCI_MSIX_ENTRY_SIZE)
		offset *= 2;
	return offset;
}

static void msix_add_cap(struct msix *msix, unsigned int bar)
{
	u8 cap[PCI_CAP_MSIX_SIZEOF] = { 0 }, wmask[PCI_CAP_MSIX_SIZEOF] = { 0 };
	__le16 flags = cpu_to_le16((u16)(msix->nvectors - 1));
	__le16 writable = cpu_to_le16(PCI_MSIX_FLAGS_ENABLE |
				      PCI_MSIX_FLAGS_MASKALL);
	__le32 table = cpu_to_le32(bar);
	__le32 pba = cpu_to_le32(msix->pba_offset | bar);

	memcpy(cap + PCI_MSIX_FLAGS, &flags, sizeof(flags));
	memcpy(cap + PCI_MSIX_TABLE, &table, sizeof(table));
	memcpy(cap + PCI_MSIX_PBA, &pba, sizeof(pba));
	memcpy(wmask + PCI_MSIX_FLAGS, &writable, sizeof(writable));
	msix->cap = pci_function_add_cap(msix->fn, PCI_CAP_ID_MSIX, cap, wmask,
					 sizeof(cap));
}

int msix_new(struct msix **mp, struct vm *vm, struct pci_function *fn,
	     unsigned int bar, unsigned int nvectors)
{
	struct msix *msix;

	assert(nvectors >= 1 && nvectors <= PCI_MSIX_FLAGS_QSIZE + 1);
	msix = calloc(1, sizeof(*msix) + nvectors * sizeof(msix->vector[0]));
	if (!msix)
		return log_no_memory();
	msix->vm = vm;
	msix->fn = fn;
	msix->pba_offset = msix_pba_offset(nvectors);
	pthread_mutex_init(&msix->lock, NULL);
	for (; msix->nvectors < nvectors; msix->nvectors++) {
		struct msix_vector *v = &msix->vector[msix->nvectors];

		v->control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		v->gsi = irq_msi_alloc(vm);
		if (v->gsi < 0) {
			int err = v->gsi;

			log_error("no interrupt is left for vector %u of a disk; use fewer disks or queues",
				  msix->nvectors);
			msix_free(msix);
			return err;
		}
		/* What firmware sends where it, not the guest, fills tables. */
		v->data = (u32)v->gsi;
		v->fd = event_new();
		if (v->fd < 0) {
			int err = v->fd;

			log_error("cannot create an eventfd for each of %u interrupts; raise the limit of open files (ulimit -n) or use fewer queues",
				  nvectors);
			msix_free(msix);
			return err;
		}
	}
	msix_add_cap(msix, bar);
	pci_function_add_bar(fn, bar, 2 * msix->pba_offset);
	*mp = msix;
	return 0;
}

static void msix_disconnect(struct msix *msix, struct msix_vector *v)
{
	irqfd_detach(msix->vm, v->fd, (u32)v->gsi);
	v->connected = false;
}

/* Give KVM the vector's message, and its eventfd.  Lock held. */
static void msix_connect(struct msix *msix, struct msix_vector *v)
{
	u64 addr = (u64)v->addr_hi << 32 | v->addr_lo;
	bool same = v->routed && v->routed_addr == addr &&
		    v->routed_data == v->data;

	if (!same && irq_msi_route(msix->vm, (u32)v->gsi, addr, v->data))
		return;
	v->routed = true;
	v->routed_addr = addr;
	v->routed_data = v->data;
	v->connected = !irqfd_attach(msix->vm, v->fd, (u32)v->gsi, -1);
}

/* Connect or disconnect as masks and enable bit say.  Lock held. */
static void msix_update(struct msix *msix, struct msix_vector *v)
{
	u8 control = msix_control(msix);
	bool want = control & PCI_MSIX_FLAGS_ENABLE >> 8 &&
		    !(control & PCI_MSIX_FLAGS_MASKALL >> 8) &&
		    !(v->control & PCI_MSIX_ENTRY_CTRL_MASKBIT);

	if (want && !v->connected)
		msix_connect(msix, v);
	else if (!want && v->connected)
		msix_disconnect(msix, v);
}

void msix_free(struct msix *msix)
{
	for (unsigned int i = 0; i < msix->nvectors; i++) {
		if (msix->vector[i].connected)
			msix_disconnect(msix, &msix->vector[i]);
		close(msix->vector[i].fd);
	}
	pthread_mutex_destroy(&msix->lock);
	free(msix);
}

void msix_config_written(struct msix *msix)
{
	bool enabled;

	pthread_mutex_lock(&msix->lock);
	enabled = msix_enabled(msix);
	for (unsigned int i = 0; i < msix->nvectors; i++) {
		msix_update(msix, &msix->vector[i]);
		if (msix->was_enabled && !enabled)
			event_clear(msix->vector[i].fd);
	}
	msix->was_enabled = enabled;
	pthread_mutex_unlock(&msix->lock);
}

/* The table's dword at @offset, or NULL behind its end. */
static u32 *msix_table_word(struct msix *msix, u32 offset)
{
	u32 i = offset / PCI_MSIX_ENTRY_SIZE;

	if (i >= msix->nvectors)
		return NULL;
	switch (offset % PCI_MSIX_ENTRY_SIZE) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return &msix->vector[i].addr_lo;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		return &msix->vector[i].addr_hi;
	case PCI_MSIX_ENTRY_DATA:
		return &msix->vector[i].data;
	default:
		return &msix->vector[i].control;
	}
}

static u32 msix_pending_word(struct msix *msix, u32 offset)
{
	u32 first = offset * 8, bits = 0;

	for (u32 i = first; i < first + 32 && i < msix->nvectors; i++) {
		struct msix_vector *v = &msix->vector[i];

		if (!v->connected && event_pending(v->fd))
			bits |= 1u << (i - first);
	}
	return bits;
}

static u32 msix_read_word(struct msix *msix, u32 offset)
{
	u32 *word;

	if (offset >= msix->pba_offset)
		return msix_pending_word(msix, offset - msix->pba_offset);
	word = msix_table_word(msix, offset);
	return word ? *word : 0;
}

/* 6.8.2: software uses aligned accesses of 4 or 8 bytes, others are undefined. */
static bool msix_access_ok(u32 offset, unsigned int len)
{
	return (len == 4 || len == 8) && offset % len == 0;
}

void msix_bar_read(struct msix *msix, u32 offset, void *data, unsigned int len)
{
	memset(data, 0, len);
	if (!msix_access_ok(offset, len))
		return;
	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < len; i += 4) {
		__le32 word = cpu_to_le32(msix_read_word(msix, offset + i));

		memcpy((u8 *)data + i, &word, sizeof(word));
	}
	pthread_mutex_unlock(&msix->lock);
}

void msix_bar_write(struct msix *msix, u32 offset, const void *data,
		    unsigned int len)
{
	if (!msix_access_ok(offset, len) || offset >= msix->pba_offset)
		return;
	pthread_mutex_lock(&msix->lock);
	for (unsigned int i = 0; i < len; i += 4) {
		u32 *word = msix_table_word(msix, offset + i);
		__le32 value;

		if (!word)
			break;
		memcpy(&value, (const u8 *)data + i, sizeof(value));
		*word = le32_to_cpu(value);
		if ((offset + i) % PCI_MSIX_ENTRY_SIZE ==
		    PCI_MSIX_ENTRY_VECTOR_CTRL)
			msix_update(msix,
				    &msix->vector[(offset + i) / PCI_MSIX_ENTRY_SIZE]);
	}
	pthread_mutex_unlock(&msix->lock);
}
