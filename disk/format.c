// SPDX-License-Identifier: GPL-2.0-only
/*
 * Refuses images that are not raw: see format.h.
 */
#include "disk/format.h"
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBE_SIZE 4096u

/* From the description of each format, by its makers. */
struct format {
	const char *name;
	unsigned int offset;	/* of the signature */
	unsigned int len;
	const char *signature;
	const char *command;	/* what makes it raw */
	const char *into;	/* between the old name and the new one */
};

#define IMAGE(name, offset, signature) \
	{ name " image", offset, sizeof(signature) - 1, signature, \
	  "qemu-img convert -O raw", "" }
#define PACKED(tool, signature) \
	{ "file compressed by " tool, 0, sizeof(signature) - 1, signature, \
	  tool " -dc", ">" }

static const struct format formats[] = {
	IMAGE("qcow2", 0, "QFI\xfb"),
	IMAGE("VMDK", 0, "KDMV"),
	IMAGE("VMDK", 0, "COWD"),
	IMAGE("VMDK", 0, "# Disk DescriptorFile"),
	IMAGE("VHDX", 0, "vhdxfile"),
	IMAGE("VHD", 0, "conectix"),
	IMAGE("VDI", 64, "\x7f\x10\xda\xbe"),
	PACKED("gzip", "\x1f\x8b\x08"),
	PACKED("xz", "\xfd" "7zXZ\0"),
	PACKED("zstd", "\x28\xb5\x2f\xfd"),
	PACKED("bzip2", "BZh"),
};

static const struct format *format_find(const char *start, size_t len)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const struct format *f = &formats[i];

		if (f->offset + f->len <= len &&
		    !memcmp(start + f->offset, f->signature, f->len))
			return f;
	}
	return NULL;
}

int format_check(const char *path, int fd, u32 align)
{
	size_t room = align < PROBE_SIZE ? PROBE_SIZE : align;
	const struct format *f = NULL;
	char *start;
	ssize_t n;

	start = aligned_alloc(room, room);
	if (!start) {
		log_error("--disk %s: out of memory", path);
		return -ENOMEM;
	}
	n = pread(fd, start, room, 0);	/* what fails is the guest's to see */
	if (n > 0)
		f = format_find(start, (size_t)n);
	free(start);
	if (!f)
		return 0;
	log_error("--disk %s: it looks like a %s, and lkvm takes raw ones only; convert it by `%s %s %s%s.raw` if it is from where you trust, or add `format=raw` if a guest wrote that to its raw disk",
		  path, f->name, f->command, path, f->into, path);
	return -EINVAL;
}
