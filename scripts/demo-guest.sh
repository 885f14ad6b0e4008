#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# /init of the demo's guest (see demo.sh): first in the initrd, where it loads the
# drivers and mounts /dev/vda, then on that ext4 root, where it shows the queues.
export PATH=/bin:/sbin
if [ -e /modules.list ] && [ -s /modules.list ]; then
	/bin/busybox --install -s /bin
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev
	while read -r module; do insmod "/modules/$module"; done < /modules.list
	mount -t ext4 /dev/vda /mnt
	for fs in proc sys dev; do mount -o move /$fs /mnt/$fs; done
	exec switch_root /mnt /init
fi

/bin/busybox --install -s /bin
title() { echo; echo "guest: $*"; }

title "Linux $(uname -r), $(nproc) CPUs, root on $(awk '$2 == "/" { d = $1 " (" $3 ")" } END { print d }' /proc/mounts)"
title "its queues, and the CPUs that each serves"
for queue in /sys/block/vda/mq/*; do echo "  queue ${queue##*/}: CPU $(cat "$queue/cpu_list")"; done

title "fio: 4k random read, 4 jobs at depth 32, 4 seconds ..."
echo none > /sys/block/vda/queue/scheduler
fio --name=demo --filename=/dev/vda --readonly --ioengine=libaio --direct=1 --rw=randread --bs=4k \
	--numjobs=4 --iodepth=32 --cpus_allowed=0-3 --cpus_allowed_policy=split --size=100% \
	--runtime=4 --time_based --group_reporting | grep -E 'IOPS|clat.*avg'

title "interrupts of each queue, per CPU"
grep -E 'CPU0|virtio0' /proc/interrupts

title "power off"
mount -o remount,ro /
poweroff -f
