#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# /init of the guests of rivals.sh: one fio run, silent while it lasts, for every
# character on the console is an exit.

# fio DISK JOBS DEPTH SECONDS; terse fields: 6 KiB read, 8 IOPS, 40 mean latency in us
measure() {
	fio --name=bench --filename="$1" --ioengine=libaio --direct=1 --rw=randread --bs=4k \
		--numjobs="$2" --iodepth="$3" --size=100% --randrepeat=0 --norandommap \
		--runtime="$4" --time_based --group_reporting --minimal 2>&1 |
		awk -F ';' 'NF > 50 { print "BENCH iops=" $8 " lat=" int($40) " io=" $6 / 4 }'
}
# Without a VM: "rivals-guest.sh fio DISK..." on the host itself.
if [ "${1-}" = fio ]; then shift; measure "$@"; exit; fi

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules.list
param() { sed -n "s/^\(.* \)\{0,1\}$1=\([^ ]*\).*/\2/p" /proc/cmdline; }

# The default scheduler depends on the number of queues: the same for all.
echo none > /sys/block/vda/queue/scheduler
# Loaded once, so that the start of the measured run is short.
fio --version > /dev/null
echo "BENCH ready"
sleep "$(param wait)"
measure /dev/vda "$(param jobs)" "$(param depth)" "$(param seconds)"
sleep 1
reboot -f
