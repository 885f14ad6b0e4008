// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel and initrd files on the host.
 */
#include "kvm/boot_file.h"
#include "arch.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What to do about a file that does not open. */
static const char *boot_file_remedy(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return "check the path";
	case EACCES:
	case EPERM:
		return "make it readable for you, or copy it";
	default:
		return "give another file";
	}
}

static int boot_file_usable(struct boot_file *file)
{
	struct stat st;

	if (fstat(file->fd, &st) < 0) {
		int err = -errno;

		log_error("%s %s: %s; give another file", file->option,
			  file->path, strerror(-err));
		return err;
	}
	if (S_ISDIR(st.st_mode)) {
		log_error("%s %s: is a directory; give a file in it",
			  file->option, file->path);
		return -EISDIR;
	}
	if (!S_ISREG(st.st_mode)) {
		log_error("%s %s: is not a regular file; copy it to one",
			  file->option, file->path);
		return -EINVAL;
	}
	if (st.st_size == 0) {
		log_error("%s %s: is empty; give another file", file->option,
			  file->path);
		return -ENODATA;
	}
	file->size = st.st_size;
	return 0;
}

int boot_file_open(struct boot_file *file, const char *option, const char *path)
{
	int err;

	*file = (struct boot_file){ .option = option, .path = path };
	/* O_NONBLOCK: a FIFO that nobody writes would hold us up. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0) {
		err = errno;
		log_error("%s %s: %s; %s", option, path, strerror(err),
			  boot_file_remedy(err));
		file->path = NULL;
		return -err;
	}
	err = boot_file_usable(file);
	if (err)
		boot_file_close(file);
	return err;
}

void boot_file_close(struct boot_file *file)
{
	if (file->path)
		close(file->fd);
	file->path = NULL;
}

int boot_file_check(const struct boot_file *file, u64 offset, u64 len)
{
	if (offset <= file->size && len <= file->size - offset)
		return 0;
	log_error("%s %s: truncated: it has %llu bytes and needs %llu more at %llu; copy it again",
		  file->option, file->path, (unsigned long long)file->size,
		  (unsigned long long)len, (unsigned long long)offset);
	return -ENODATA;
}

int boot_file_read(const struct boot_file *file, u64 offset, void *data,
		   u64 len)
{
	u8 *to = data;
	ssize_t n;
	int err;

	err = boot_file_check(file, offset, len);
	if (err)
		return err;
	for (u64 done = 0; done < len; done += n) {
		n = pread(file->fd, to + done, len - done, offset + done);
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n <= 0) {
			err = n < 0 ? errno : ENODATA;
			log_error("%s %s: cannot read it at %llu: %s; copy it again",
				  file->option, file->path,
				  (unsigned long long)(offset + done),
				  n < 0 ? strerror(err) : "it has shrunk");
			return -err;
		}
	}
	return 0;
}

int boot_file_head(const struct boot_file *file, struct boot_head *head)
{
	head->len = file->size < BOOT_HEAD_SIZE ? file->size : BOOT_HEAD_SIZE;
	return boot_file_read(file, 0, head->data, head->len);
}

int boot_initrd_open(struct boot_initrd *initrd, const struct boot_spec *boot)
{
	int err = 0;

	*initrd = (struct boot_initrd){
		.path = boot->initrd ? boot->initrd : "(lkvm's own)",
		.archive = boot->archive,
		.archive_size = boot->archive_size,
	};
	if (boot->initrd)
		err = boot_file_open(&initrd->file, "--initrd", boot->initrd);
	initrd->size = initrd->archive_size + initrd->file.size;
	return err;
}

void boot_initrd_close(struct boot_initrd *initrd)
{
	boot_file_close(&initrd->file);
}

int boot_initrd_read(const struct boot_initrd *initrd, void *data)
{
	u64 first = initrd->archive_size;

	if (first)
		memcpy(data, initrd->archive, first);
	if (!initrd->file.path)
		return 0;
	return boot_file_read(&initrd->file, 0, (u8 *)data + first,
			      initrd->file.size);
}

/* What people give by mistake, by its first bytes. */
static const struct boot_magic {
	const char *bytes;
	u8 len;
	const char *what;
} boot_magics[] = {
	{ "MZ", 2, "an EFI program or a kernel of another architecture" },
	{ "\x1f\x8b", 2, "a gzip file" },
	{ "\xfd" "7zXZ", 5, "an xz file" },
	{ "\x28\xb5\x2f\xfd", 4, "a zstd file" },
	{ "BZh", 3, "a bzip2 file" },
	{ "070701", 6, "a cpio archive: an --initrd?" },
	{ "QFI\xfb", 4, "a qcow2 disk image" },
	{ "#!", 2, "a script" },
	{ "\x7f" "ELF", 4, "an ELF file, but not for this machine" },
};

const char *boot_file_kind(const struct boot_head *head)
{
	for (size_t i = 0; i < sizeof(boot_magics) / sizeof(boot_magics[0]); i++)
		if (head->len >= boot_magics[i].len &&
		    !memcmp(head->data, boot_magics[i].bytes,
			    boot_magics[i].len))
			return boot_magics[i].what;
	return "data";
}
