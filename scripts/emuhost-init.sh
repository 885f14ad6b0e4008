#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154 # emuhost is from the kernel command line
#
# /init of the emulated host (see emuhost.sh): shows it the real machine's files
# and runs the command that emuhost.sh left in the directory named by $emuhost,
# which came through the kernel command line.
#
# The root is this machine's own, read-only over 9p, under a tmpfs that takes
# whatever is written and is gone at the end.
busybox=/bin/busybox
for applet in mount mkdir insmod stty chroot cat sync umount poweroff ip ln hostname chmod sleep; do
	$busybox ln -s busybox /bin/$applet
done

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules.list

# Script output has a serial line of its own; the console keeps to the first.
exec > /dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost

# A sign of life on a third line, for whoever watches for a stall.
while echo alive; do sleep 2; done > /dev/ttyS2 &

share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$2" "$1" "$3"; }

mkdir -p /lower /upper /new
share root ro,cache=loose /lower
mount -t tmpfs -o mode=755 tmpfs /upper
mkdir /upper/up /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/up,workdir=/upper/work overlay /new
for fs in proc sys dev; do mount -o move /$fs /new/$fs; done
mkdir -p /new/dev/shm /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/run
mount -t debugfs debugfs /new/sys/kernel/debug
ip link set lo up
hostname emuhost

# What emuhost.sh wants here: shared directories, modules, the command.
number=0
while read -r dir; do
	share "share$number" cache=none "/new$dir"
	number=$((number + 1))
done < "/new$emuhost/shares"
mkdir -p /new/lib/modules
ln -s "$(cat "/new$emuhost/modules")" /new/lib/modules/

# The kernel looks for modprobe in this root when it wants a module.
printf '#!/bin/busybox sh\nexec chroot /new /sbin/modprobe "$@"\n' > /sbin/modprobe
chmod 755 /sbin/modprobe

chroot /new /bin/sh "$emuhost/command" < /new/dev/null
status=$?

# Disks must be complete before the end is announced.
sync
umount -a -r > /new/dev/null 2>&1
echo "@@emuhost exit $status"
poweroff -f
