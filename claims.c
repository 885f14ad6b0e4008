// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims on CPUs: open file description locks (fcntl(2)), which two guests of one
 * process have apart, and flock(2) while one of them chooses.
 */
#include "claims.h"
#include "log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define BEGIN_TRIES 150
#define BEGIN_PAUSE_NS 10000000

/*
 * Who may not write may still claim: a shared lock wants a file open for reading.  Not
 * in the directory of the control sockets, which is for one user alone.
 */
int claims_open(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/" CLAIMS_FILE, dir);
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int claims_find(const char *common, int *why)
{
	const char *own = getenv("XDG_RUNTIME_DIR");
	int fd = claims_open(common);

	*why = fd < 0 ? fd : 0;
	if (fd >= 0 || !own)
		return fd;
	fd = claims_open(own);
	return fd < 0 ? *why : fd;
}

void claims_begin(int fd)
{
	const struct timespec pause = { .tv_nsec = BEGIN_PAUSE_NS };

	for (int i = 0; i < BEGIN_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return;
		if (errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
		errno = EWOULDBLOCK;
	}
	log_warn("affinity: " CLAIMS_FILE ": %s; this guest goes on, and one that starts now may be given the same CPUs: see who has that file open (fuser)",
		 errno == EWOULDBLOCK ?
			 "another process keeps it locked, longer than a guest takes to choose" :
			 strerror(errno));
}

void claims_end(int fd)
{
	flock(fd, LOCK_UN);
}

static struct flock byte_lock(unsigned int byte, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = byte,
		.l_len = 1,
	};
}

static bool byte_claimed(int fd, unsigned int byte)
{
	struct flock lock = byte_lock(byte, F_WRLCK);

	return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

static int byte_claim(int fd, unsigned int byte)
{
	struct flock lock = byte_lock(byte, F_RDLCK);

	return fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
}

void claims_of_others(int fd, const struct cpu_mask *of,
		      struct cpu_mask *claimed)
{
	memset(claimed, 0, sizeof(*claimed));
	for (unsigned int cpu = 0; cpu < CPUS_MAX; cpu++)
		if (cpu_mask_has(of, cpu) && byte_claimed(fd, cpu))
			cpu_mask_add(claimed, cpu);
}

int claims_add(int fd, const struct cpu_mask *cpus)
{
	int err = 0;

	for (unsigned int cpu = 0; cpu < CPUS_MAX && !err; cpu++)
		if (cpu_mask_has(cpus, cpu))
			err = byte_claim(fd, cpu);
	return err;
}

bool claims_has_irq(int fd, unsigned int irq)
{
	return byte_claimed(fd, CPUS_MAX + irq);
}

int claims_add_irq(int fd, unsigned int irq)
{
	return byte_claim(fd, CPUS_MAX + irq);
}
