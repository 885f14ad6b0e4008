#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2154 # ppchost is from the kernel command line
#
# /init of the emulated POWER8 host (see ppchost.sh): runs the command that
# ppchost.sh left in the directory named by $ppchost, which came through the
# kernel command line.
#
# The root is this small system over the real machine's files, read-only over 9p,
# whose programs cannot run here; both under a tmpfs that takes whatever is written
# and is gone at the end.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules.list

share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$2" "$1" "$3"; }

mkdir -p /lower /upper /new
share root ro,cache=loose /lower
mount -t tmpfs -o mode=755 tmpfs /upper
mkdir /upper/up /upper/work
mount -t overlay -o lowerdir=/:/lower,upperdir=/upper/up,workdir=/upper/work overlay /new
for fs in proc sys; do mount -o move /$fs /new/$fs; done
mount -t devtmpfs dev /new/dev
mkdir -p /new/dev/shm /new/dev/pts
mount -t tmpfs tmpfs /new/dev/shm
mount -t devpts devpts /new/dev/pts
mount -t tmpfs tmpfs /new/run
mount -t debugfs debugfs /new/sys/kernel/debug
hostname ppchost

# What ppchost.sh wants here: shared directories (the first is its own), modules,
# the command.
number=0
while read -r dir; do
	share "share$number" cache=none "/new$dir"
	number=$((number + 1))
done < "/new$ppchost/shares"
mkdir -p /new/lib/modules
ln -s "$(cat "/new$ppchost/modules")" /new/lib/modules/

# A sign of life, for whoever watches for a stall.
while echo alive; do sleep 2; done > "/new$ppchost/alive" &

chroot /new /bin/sh "$ppchost/command" < /dev/null > "/new$ppchost/output" 2>&1
status=$?

# Disks must be complete before the end is announced.
umount -a -t ext4 2> /dev/null
sync
echo $status > "/new$ppchost/ending"
mv "/new$ppchost/ending" "/new$ppchost/status"
poweroff -f
