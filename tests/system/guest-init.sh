#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash disable=SC2012
#
# /init of the guests of the system tests, in an initrd or on an ext4 root.
#
# The kernel command line says what to do: do=TASK,TASK... names functions below;
# the guest powers off after the last one.  Results go to the console as lines
# "GUEST name=value", which tests.sh compares; nothing is judged here.
#
#	nopvpanic      leave the pvpanic driver out
#	root=/dev/vda  continue with the same tasks from that file system
/bin/busybox --install -s /bin
[ -e /proc/self ] || mount -t proc proc /proc
[ -e /sys/class ] || mount -t sysfs sys /sys
[ -e /dev/null ] || mount -t devtmpfs dev /dev

say() { echo "GUEST $*"; }
param() { sed -n "s/^\(.* \)\{0,1\}$1=\([^ ]*\).*/\2/p" /proc/cmdline; }
flag() { grep -qw "$1" /proc/cmdline; }
# try NAME COMMAND...: says whether that went well
try() {
	local name=$1; shift
	if "$@" 2> /dev/null; then say "$name=good"; else say "$name=failed"; fi
}

load_modules() {
	while read -r module; do
		case $module in
		pvpanic*) flag nopvpanic && continue ;;
		esac
		# What modprobe would find on the command line.
		insmod "/modules/$module" $(sed -n "s/.*\b${module%.ko}\.\([a-z_]*=[^ ]*\).*/\1/p" /proc/cmdline) ||
			say "insmod=$module failed"
	done < /modules.list
}

direct_read() { dd if="$1" of=/dev/null bs=4k iflag=direct count="$2" 2> /dev/null; }
# A little I/O from each CPU in turn, so that each queue has its share.
each_cpu() {
	for cpu in $(seq 0 $(($(nproc) - 1))); do
		taskset -c "$cpu" dd if=/dev/vda of=/dev/null bs=4k count=64 iflag=direct 2> /dev/null ||
			say "read=failed on cpu $cpu"
	done
}

# How many interrupts match a pattern, and how many of them have fired.
lines()  { grep -c "$1" /proc/interrupts; }
firing() { awk -v p="$1" '$0 ~ p { n = 0; for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; if (n) hot++ }
	END { print hot + 0 }' /proc/interrupts; }

task_mq() {
	each_cpu
	say "queues=$(ls /sys/block/vda/mq | wc -l)"
	say "cpus=$(cat /sys/block/vda/mq/*/cpu_list | tr -d ' ' | tr '\n' ' ')"
	say "vectors=$(lines 'virtio0-req\.')"
	say "firing=$(firing 'virtio0-req[.]')"
}

# Which layout of rings was agreed on: VIRTIO_F_RING_PACKED is bit 34.
task_rings() { say "packed=$(cut -c 35 /sys/bus/virtio/devices/virtio0/features)"; }

# An ext4 on vda that is filled, and one that is emptied: by a file system that
# discards what it frees, and by fstrim.
task_fill() {
	try mkfs mkfs.ext4 -q -F /dev/vda
	try mount mount -t ext4 /dev/vda /mnt
	for file in a b; do dd if=/dev/urandom of=/mnt/$file bs=1M count=16 2> /dev/null; done
	try umount umount /mnt
}
task_trim() {
	say "discard_max=$(cat /sys/block/vda/queue/discard_max_bytes)"
	try mount_discard mount -t ext4 -o discard /dev/vda /mnt
	rm /mnt/a
	sync
	try umount_discard umount /mnt
	try mount mount -t ext4 /dev/vda /mnt
	rm /mnt/b
	sync
	try fstrim /bin/fstrim /mnt
	try umount umount /mnt
}
# Each disk's serial number begins with the file system that it gets; all at once.
task_filesystems() {
	for disk in /sys/block/vd*; do filesystem "${disk##*/}" & done
	wait
}
filesystem() {
	serial=$(cat "/sys/block/$1/serial") fs=${serial%%-*} mnt=/tmp/$1
	case $fs in ext4) force=-F ;; *) force=-f ;; esac
	mkdir -p "$mnt"
	say "block_$serial=$(cat "/sys/block/$1/queue/logical_block_size")"
	try "mkfs_$serial" "mkfs.$fs" -q $force "/dev/$1"
	try "mount_$serial" mount -t "$fs" "/dev/$1" "$mnt"
	fio --name="$serial" --filename="$mnt/fio" --size=4M --rw=randwrite --bs=4k --ioengine=libaio \
		--direct=1 --iodepth=16 --verify=crc32c --verify_fatal=1 > "/tmp/fio.$1" 2>&1
	say "fio_$serial=$?"
	dd if=/dev/urandom of="$mnt/kept" bs=64k count=16 2> /dev/null
	sum=$(md5sum < "$mnt/kept")
	rm "$mnt/fio"
	try "fstrim_$serial" /bin/fstrim "$mnt"
	try "umount_$serial" umount "$mnt"
	try "again_$serial" mount -t "$fs" "/dev/$1" "$mnt"
	try "kept_$serial" [ "$(md5sum < "$mnt/kept")" = "$sum" ]
	try "end_$serial" umount "$mnt"
}
# The first half of vdb is zeroed, the other one discarded; by full path, as the
# shell prefers applets of its own.
task_zero() {
	half=$(($(cat /sys/block/vdb/size) * 256))
	try zero /bin/blkdiscard -z -l $half /dev/vdb
	try zeroes cmp -s -n $half /dev/vdb /dev/zero
	try discard /bin/blkdiscard -o $half /dev/vdb
}

# The same for a device whose interrupt has but one line: without MSI-X, or on MMIO.
task_intx() {
	each_cpu
	say "vectors=$(lines 'virtio0-req\.')"
	say "intx=$(firing 'virtio0$')"
}

# Random writes with checksums, checked; then the checksum of all of the disk.
task_verify() {
	fio --name=verify --filename=/dev/vda --ioengine=libaio --direct=1 --rw=randwrite \
		--bs=4k --numjobs=4 --iodepth=32 --size=25% --offset_increment=25% \
		--verify=crc32c --verify_fatal=1 --group_reporting > /tmp/fio 2>&1
	say "fio=$? err=$(sed -n 's/.*err= *\([0-9]*\).*/\1/p' /tmp/fio | tr '\n' ' ')"
	say "io=$(sed -n 's/.*issued rwts: total=\([0-9,]*\).*/\1/p' /tmp/fio)"
	say "md5=$(dd if=/dev/vda bs=1M iflag=direct 2> /dev/null | md5sum | cut -c 1-32)"
}

# Write and read back 1 MiB on each disk but the read-only ones and null ones.
task_readback() {
	dd if=/dev/urandom of=/tmp/data bs=64k count=16 2> /dev/null
	for disk in vda vdb vdc vdd; do
		[ "$(cat /sys/block/$disk/ro 2> /dev/null)" = 0 ] || continue
		dd if=/tmp/data of=/dev/$disk bs=64k seek=16 oflag=direct 2> /dev/null
		dd if=/dev/$disk of=/tmp/back bs=64k skip=16 count=16 iflag=direct 2> /dev/null
		try "readback_$disk" cmp -s /tmp/data /tmp/back
	done
}

# What the guest sees of each disk.
task_disks() {
	for disk in /sys/block/vd*; do
		name=${disk##*/}
		say "$name=$(cat "$disk/size") ro=$(cat "$disk/ro") queues=$(ls "$disk/mq" | wc -l)" \
			"serial=$(cat "$disk/serial" 2> /dev/null)"
		try "read_$name" direct_read "/dev/$name" 256
	done
}

task_write_ro() {
	try write_ro dd if=/dev/zero of=/dev/vdb bs=4k count=1
}

task_reload() {
	for i in 1 2 3; do
		rmmod virtio_blk && insmod /modules/virtio_blk.ko
		try "reload_$i" direct_read /dev/vda 256
	done
}

# unbind NAME DRIVER DEVICE: take the device away under load and give it back
unbind() {
	for i in 1 2 3; do
		for _ in 1 2 3 4; do dd if=/dev/vda of=/dev/null bs=256k iflag=direct 2> /dev/null & done
		usleep 200000
		echo "$3" > "/sys/bus/$2/unbind"
		wait
		echo "$3" > "/sys/bus/$2/bind"
		try "$1_$i" direct_read /dev/vda 256
	done
}
task_unbind() { unbind unbind virtio/drivers/virtio_blk virtio0; }
# The same with the transport's driver.
task_unbind_mmio() { unbind unbind_mmio platform/drivers/virtio-mmio LNRO0005:00; }

# Random read at depth 64, for lkvm's counters.
task_depth64() {
	echo none > /sys/block/vda/queue/scheduler
	fio --name=depth64 --filename=/dev/vda --ioengine=libaio --direct=1 --rw=randread --bs=4k \
		--iodepth=64 --size=100% --runtime="$(param seconds)" --time_based > /tmp/fio 2>&1
	say "fio=$? io=$(sed -n 's/.*issued rwts: total=\([0-9]*\).*/\1/p' /tmp/fio)" \
		"iops=$(sed -n 's/.*IOPS=\([^,]*\),.*/\1/p' /tmp/fio)"
}

# The driver polls for completions itself: virtio_blk.poll_queues=N.
task_poll_queues() {
	say "io_poll=$(cat /sys/block/vda/queue/io_poll)"
	fio --name=poll --filename=/dev/vda --ioengine=io_uring --hipri --direct=1 --rw=randwrite --bs=4k \
		--size=1M --verify=crc32c --verify_fatal=1 > /tmp/fio 2>&1
	say "fio=$? io=$(sed -n 's/.*issued rwts: total=\([0-9,]*\).*/\1/p' /tmp/fio)"
}

# So many requests one after the other: no page is read ahead.
task_reads() {
	echo 0 > /sys/block/vda/queue/read_ahead_kb
	try reads dd if=/dev/vda of=/dev/null bs=64k count="$(param reads)"
}

# Each CPU but the first goes and comes back.
task_hotplug() {
	for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
		echo 0 > "$cpu" && say "without=$(cat /sys/devices/system/cpu/online)"
		echo 1 > "$cpu" || say "hotplug=failed at $cpu"
	done
	say "online=$(cat /sys/devices/system/cpu/online)"
}

# A line from the console, and whether its interrupt brought it.
task_typed() {
	say listening
	read -r line
	say "typed=$line"
	say "firing=$(firing "$(param interrupt)")"
}

# NUMA nodes as Linux and numactl, if it is here, have them, and whether Linux had to complain.
task_nodes() {
	for node in /sys/devices/system/node/node[0-9]*; do
		say "${node##*/}=$(cat "$node/cpulist") mib=$(awk '/MemTotal/ { print int($4 / 1024) }' "$node/meminfo")" \
			"distance=$(tr ' ' , < "$node/distance")"
	done
	! command -v numactl > /dev/null || numactl -H | while read -r line; do say "numactl: $line"; done
	say "complaints=$(dmesg | grep -iE 'not on the same node|srat.*(reject|fail|bug)|numa.*(fail|invalid)' | tr '\n' ';')"
}

# The host makes vda larger.
task_resized() {
	before=$(cat /sys/block/vda/size)
	say "resizing=$before"
	for _ in $(seq 300); do
		[ "$(cat /sys/block/vda/size)" = "$before" ] || break
		usleep 100000
	done
	say "resized=$(cat /sys/block/vda/size)"
	say "told=$(dmesg | grep -c 'vda.* new size: ')"
	try read_end dd if=/dev/vda of=/dev/null bs=512 iflag=direct count=8 skip=$(($(cat /sys/block/vda/size) - 8))
}

# So many requests a second, long enough for the host to watch.
# The rates are fio's own, requests and KiB a second.
task_rated() {
	echo none > /sys/block/vdb/queue/scheduler
	say rating
	fio --name=rated --filename=/dev/vdb --ioengine=libaio --direct=1 --rw=randread --bs=4k --iodepth=4 \
		--numjobs=2 --rate_iops=200 --size=100% --runtime="$(param seconds)" --time_based --group_reporting \
		--output-format=terse > /tmp/fio 2>&1
	say "fio=$? $(awk -F';' '$3 == "rated" { print "iops=" $8 " kib=" $7 }' /tmp/fio)"
}

# Until the power button is pressed, as logind and acpid see it.
task_button() {
	: > /tmp/pressed
	for event in /dev/input/event*; do head -c 24 "$event" >> /tmp/pressed & done
	say listening
	until [ -s /tmp/pressed ]; do usleep 100000; done
	say pressed
}

task_idle_driver() { say "cpuidle=$(cat /sys/devices/system/cpu/cpuidle/current_driver)"; }

task_root() {
	say "root=$(awk '$2 == "/" { print $1, $3 }' /proc/mounts | tail -n 1)"
	seq 1 100000 > /written && sync
	say "md5=$(md5sum < /written | cut -c 1-32)"
	mount -o remount,ro /
}

task_ready()  { say ready; while :; do sleep 1; done; }
task_reboot() { reboot -f; }
task_panic()  { echo c > /proc/sysrq-trigger; }

# With root= the initrd's part is but to load the drivers and to hand over.
root=$(param root)
if [ -n "$root" ] && [ $$ = 1 ] && [ -e /modules.list ] && [ ! -e /is-root ]; then
	load_modules
	mount -t ext4 "$root" /mnt || say "mount=failed"
	for fs in proc sys dev; do mount -o move /$fs /mnt/$fs; done
	exec switch_root /mnt /init
fi
say "nproc=$(nproc) release=$(uname -r)"
[ -e /is-root ] || load_modules
for task in $(param 'do' | tr , ' '); do "task_$task"; done
say end
poweroff -f
