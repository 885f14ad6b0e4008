// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exit device: what a guest's program reports becomes the end of the VM.
 */
#include "kvm/exit_device.h"
#include "barrier.h"
#include "endian.h"
#include "kvm/console.h"
#include "kvm/pci.h"
#include "kvm/vm.h"
#include "log.h"
#include <assert.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>

struct exit_device {
	struct pci_function fn;
	struct vm *vm;
	bool listens;	/* set by a vCPU */
	u32 stops;	/* the main thread's */
};

static void exit_device_report(struct exit_device *dev, u32 value)
{
	int detail = value & 0xff;

	if (value >> 16 != EXIT_DEVICE_MAGIC)
		return;
	switch (value >> 8 & 0xff) {
	case EXIT_REPORT_STATUS:
		vm_end(dev->vm, VM_EXITED, detail);
		break;
	case EXIT_REPORT_SIGNAL:
		vm_end(dev->vm, VM_KILLED, detail);
		break;
	case EXIT_REPORT_NOT_RUN:
		vm_end(dev->vm, VM_NOT_RUN, detail);
		break;
	case EXIT_REPORT_INPUT:
		console_want_input(dev->vm->console);
		break;
	case EXIT_REPORT_LISTENS:
		write_once(&dev->listens, true);
		break;
	}
}

/* On any vCPU's thread: what stands there now may be another's write already. */
static void exit_device_written(struct pci_function *fn, unsigned int offset,
				unsigned int len)
{
	struct exit_device *dev = (struct exit_device *)fn;
	const __le32 none = 0;
	__le32 value;

	if (offset != EXIT_DEVICE_REGISTER || len != sizeof(value))
		return;
	pci_function_get(fn, offset, &value, sizeof(value));
	pci_function_put(fn, offset, &none, sizeof(none));
	exit_device_report(dev, le32_to_cpu(value));
}

int exit_device_stop(struct exit_device *dev)
{
	__le32 stops;

	if (!read_once(&dev->listens))
		return -ENOTCONN;
	stops = cpu_to_le32(++dev->stops);
	pci_function_put(&dev->fn, EXIT_DEVICE_STOPS, &stops, sizeof(stops));
	return 0;
}

static const struct pci_function_ops exit_device_ops = {
	.config_written = exit_device_written,
};

int exit_device_new(struct exit_device **dp, struct vm *vm)
{
	static const struct pci_ids ids = {
		.vendor = EXIT_DEVICE_VENDOR,
		.device = EXIT_DEVICE_ID,
		.subvendor = EXIT_DEVICE_VENDOR,
		.subdevice = EXIT_DEVICE_ID,
		.class_code = 0x088000,	/* a system peripheral, of no other kind */
	};
	/* Id and next are the function's affair; then its length, and the registers. */
	static const u8 cap[12] = { [2] = sizeof(cap) };
	static const u8 wmask[12] = { [4] = 0xff, 0xff, 0xff, 0xff };
	struct exit_device *dev = calloc(1, sizeof(*dev));
	unsigned int at;
	int err;

	if (!dev)
		return log_no_memory();
	dev->vm = vm;
	pci_function_init(&dev->fn, &exit_device_ops, &ids);
	at = pci_function_add_cap(&dev->fn, PCI_CAP_ID_VNDR, cap, wmask, sizeof(cap));
	assert(at == EXIT_DEVICE_CAP);
	err = pci_function_add(vm->pci, &dev->fn);
	if (err) {
		free(dev);
		return err;
	}
	*dp = dev;
	return 0;
}

void exit_device_free(struct exit_device *dev)
{
	if (!dev)
		return;
	pci_function_remove(&dev->fn);
	free(dev);
}
