#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2153 # LKVM, DIR, DEADLINE come from run.sh
#
# tests.sh [PATTERN] - the system tests themselves: run.sh starts this as root in
# the emulated host, whose /dev/kvm runs stock Debian guests
#
# A test is a function test_NAME; its first failed step ends it.  $dir/results has
# a line per finished test, so that a repeated run (the emulated host may stall)
# goes on where it was; $dir/logs has each guest's console and lkvm's messages.
# $lkvm is the binary under test; a test's directory is its own, on an ext4 file system
# that has a disk for itself.
set -u

lkvm=$LKVM dir=$DIR deadline=$DEADLINE pattern=${1-}
cloud=$dir/../cache/linux-cloud-amd64
generic=$dir/../cache/linux-amd64
limit=60			# seconds that any guest may take
stalls_allowed=4		# in the whole run

mkdir -p "$dir/logs" /scratch
touch "$dir/results"
mount /dev/vda /scratch || exit
rm -rf /scratch/*
image() { rm -f "$1"; truncate -s "$2" "$1"; }

# --- running a guest -------------------------------------------------------

# guest STATUS DO [OPTION...]: run lkvm with the cloud kernel, tell the guest what
# to do, expect an exit status.  $log is what it printed.  Variables choose
# another $kernel, $initrd, $params, or the program to $wrap lkvm in.  (A bzImage
# unpacks itself, a second here: the tests of booting have that.)
kernel=$cloud/vmlinux initrd=$dir/cloud.cpio params='' wrap=(env)
start() {
	local what=$1; shift
	timeout -k 5 $((limit + 10)) "${wrap[@]}" "$lkvm" run -k "$kernel" -i "$initrd" \
		-m 512M --params "console=ttyS0 quiet panic=-1 $params do=$what" --timeout $limit "$@" \
		< /dev/null > "$log" 2> "$log.err" &
	pid=$!
}

# What the emulator does to guests: it loses an interrupt (124, 137), which its
# description knows; it delivered one at the first instruction behind SYSCALL; and of 24
# guests with four vCPUs that ran one fio job one ended by a triple fault, with any build of
# lkvm, while the emulated host's own kernel dies of such things, too.  The test of
# such a guest runs once more, and is counted and told; $stalls_allowed of them in a run.
emulator_fault() {
	case $1 in
	124 | 137) return 0 ;;
	126) grep -q 'triple fault' "$log.err" ;;
	127) grep -q 'PANIC: double fault' "$log" && grep -q 'RIP: 0010:entry_SYSCALL_64+0x0/' "$log" ;;
	*) return 1 ;;
	esac
}

# expect STATUS FUNCTION ARGUMENT...: what FUNCTION starts ends with this status
expect() {
	local want=$1; shift
	"$@"
	ends "$want"
}
# ends STATUS: so does the guest that runs
ends() {
	local got=0
	wait "$pid" || got=$?
	[ $got -ne "$1" ] || return 0
	! emulator_fault $got || stalled "exit status $got"
	fail "exit status $got, not $1: $(tail -qn 1 "$log.err")"
}
# gone MESSAGE: a guest that stays has ended, or does nothing until its time is over
gone() {
	local got=0
	wait "$pid" || got=$?
	! emulator_fault $got || stalled "$*, exit status $got"
	fail "$*, exit status $got"
}
guest() { expect "$1" start "${@:2}"; }

# in_guest STATUS [OPTION...] -- COMMAND...: run it in a guest.  $input is what it reads.
initrd_option=(-i "$dir/command.cpio") input=/dev/null
start_command() {
	timeout -k 5 $((limit + 10)) "$lkvm" run -k "$kernel" "${initrd_option[@]}" -m 512M --timeout $limit "$@" \
		< "$input" > "$log" 2> "$log.err" &
	pid=$!
}
in_guest() { expect "$1" start_command "${@:2}"; }
# told TEXT: lkvm itself has said so
told() { grep -qF -- "$1" "$log.err" || fail "no \"$1\", but: $(tail -n 3 "$log.err")"; }
# printed TEXT: this is all of what the guest has printed
printed() { [ "$(cat "$log")" = "$1" ] || fail "printed: $(head -n 20 "$log")"; }

# await TEXT: until the guest has said so
await() {
	for _ in $(seq $((limit * 5))); do
		! grep -qs "^GUEST $1" "$log" || return 0
		kill -0 "$pid" 2> /dev/null || break
		sleep 0.2
	done
	gone "the guest never said $1"
}
# ready [OPTION...]: a guest that stays; on return it is up and its init waits,
# after other $tasks.
ready() {
	start "${tasks-}ready" "$@"
	await ready
}

# The process of lkvm itself, below timeout(1).
lkvm_pid() { pgrep -o -P "$pid"; }

# stop SIGNAL STATUS: end the guest of ready()
stop() {
	local got=0
	kill -"$1" "$(lkvm_pid)" || fail "lkvm is gone"
	wait "$pid" || got=$?
	[ $got = "$2" ] || fail "exit status $got after SIG$1, not $2"
}

# --- judging ---------------------------------------------------------------

fail() { echo "# $name: $*"; exit 1; }
stalled() { echo "# $name stalled: $*"; exit 78; }
skip() { echo "$*" > "$log.skip"; exit 77; }
# has LINE...: lines that the guest must have said
has() {
	local line
	for line; do
		tr -d '\r' < "$log" | grep -qE "^GUEST $line\$" ||
			fail "no \"GUEST $line\", but: $(grep -aE "^GUEST ${line%%=*}" "$log" | tr -d '\r' | tr '\n' ';')"
	done
}
said() { tr -d '\r' < "$log" | sed -n "s/^GUEST .*\\b$1=\\([^ ]*\\).*/\\1/p" | head -n 1; }
sum() { md5sum "$1" | cut -c 1-32; }
# total KEY: a counter of all queues or I/O threads from --stats
total() { jq "[.disks[].$1?, .disks[].queues[].$1?, .iothreads[].$1? | numbers] | add // 0" "$stats"; }
check() { [ "$@" ] || fail "not so: $*"; }

# --- the tests -------------------------------------------------------------

boot() { guest 0 mq -c "$1" -d null:64M; has "nproc=$1 .*" "queues=$1" "vectors=$1" "firing=$1" end; }
cloud() { kernel=$cloud/vmlinuz; }
generic() { kernel=$generic/vmlinuz initrd=$dir/generic.cpio; }
test_boot_cloud_1_cpu()   { cloud; boot 1; }
test_boot_cloud_2_cpus()  { cloud; boot 2; }
test_boot_cloud_4_cpus()  { cloud; boot 4; }
test_boot_generic_1_cpu()  { generic; boot 1; }
test_boot_generic_2_cpus() { generic; boot 2; }
test_boot_generic_4_cpus() { generic; boot 4; }
test_boot_cloud_vmlinux()   { boot 2; }
test_boot_generic_vmlinux() { generic; kernel=$generic/vmlinux; boot 2; }

test_end_reboot() { guest 0 reboot; }
test_end_panic_with_pvpanic() { params=panic=0; guest 127 panic; }
test_end_panic_without_driver() { params=nopvpanic; guest 127 panic; }
test_end_triple_fault() { params=reboot=t; guest 126 reboot; }
test_end_timeout() {
	local begin=$SECONDS
	guest 124 ready --timeout 5
	check $((SECONDS - begin)) -le 12
}

# --- commands in guests ----------------------------------------------------

# The script of docs/ci.md: what each status means.  First, as it takes the longest.
ci() {
	PATH=$(dirname "$lkvm"):$PATH KERNEL=$kernel INITRD=$dir/command.cpio LIMIT=$ci_limit \
		timeout -k 5 $((limit + 10)) sh "$dir/ci.sh" "$@" > "$log" 2> "$log.err" &
	pid=$!
}
# verdict STATUS TEXT COMMAND...
verdict() {
	local status=$1 text=$2; shift 2
	expect "$status" ci "$@"
	check "$(tail -n 1 "$log")" = "$text"
}
test_command_ci_script() {
	local ci_limit=$limit
	verdict 0 success true
	verdict 42 'failure: 42' sh -c 'exit 42'
	# What is the command's own is neither a hang nor a panic.
	verdict 123 'failure: 123' no/such/tool
	verdict 123 'failure: 123' sh -c 'exit 124'
	verdict 123 'failure: 123' sh -c 'kill -9 $$'
	verdict 126 'guest died' poweroff -f
	verdict 127 panic sh -c "$panic"
	ci_limit=20
	verdict 124 hang sh -c 'echo last words; sleep 1000'
	told 'the guest last printed: last words'
	kernel=/dev/null
	verdict 125 'not run' true
}

test_command_arguments() {
	local arguments=('a b' '' '"q"' "it's" 'ä€' $'two\nlines' '$HOME * \' $'tab\t' --)
	in_guest 42 -d null:64M -- sh -c 'for a; do echo "[$a]"; done; [ -b /dev/vda ] && exit 42' sh "${arguments[@]}"
	printed "$(printf '[%s]\n' "${arguments[@]}")"
	check ! -s "$log.err"
}
# All bytes of a pipe get through, its end as well, and those of the answer.
test_command_input() {
	head -c 3000 /dev/urandom > "$log.in"
	input=$log.in
	in_guest 0 -- sh -c 'cat; echo end; tty; echo tty > /dev/tty'
	{ cat "$log.in"; printf 'end\nnot a tty\ntty\n'; } > "$log.want"
	cmp "$log" "$log.want" || fail "not as it was sent"
}
# On a terminal: its name, size and kind are there, and it is the command's own.
test_command_terminal() {
	run_on_terminal() {
		script -qec "stty rows 33 cols 99; TERM=some-term exec $lkvm run -k $kernel -i $dir/command.cpio -m 512M --timeout $limit \
			-- sh -c 'tty; stty size; echo \$TERM; echo mine > /dev/tty; kill -INT \$\$'" /dev/null \
			< /dev/null > "$log" 2> "$log.err" &
		pid=$!
	}
	expect 130 run_on_terminal
	check "$(tr -d '\r' < "$log" | head -n 4)" = "$(printf '/dev/ttyS0\n33 99\nsome-term\nmine')"
}
test_command_killed() {
	in_guest 137 -- sh -c 'kill -9 $$'
	told 'sh was killed in the guest by signal 9'
}
# lkvm stop is SIGTERM for the command, which may take it as it likes.
start_stopped() {
	start_command --name stopped "$@"
	for _ in $(seq $((limit * 5))); do
		! grep -q '^running' "$log" || break
		kill -0 "$pid" 2> /dev/null || return 0
		sleep 0.2
	done
	"$lkvm" stop stopped > "$log.stop" 2>&1 || fail "no stop: $(cat "$log.stop")"
}
test_command_stop() {
	expect 143 start_stopped -- sh -c 'echo running; sleep 1000; echo not ended'
	told 'sh was killed in the guest by signal 15'
	printed running
	expect 9 start_stopped -- sh -c 'trap "echo told; exit 9" TERM; echo running; while :; do sleep 1; done'
	printed "$(printf 'running\ntold')"
}
# The status is told by a file in /sys.
test_command_hides_sys() {
	in_guest 42 -- sh -c 'umount -l /sys && [ ! -e /sys/bus ] && exit 42'
}
test_command_high_status() {
	in_guest 200 -- sh -c 'sleep 1000 & exit 200'
	told 'status 200 is that of sh in the guest'
}
test_command_not_there() {
	in_guest 125 -- no/such/program
	told 'no/such/program was not run'
	grep -q 'no/such/program.*lkvm mkinitrd' "$log" || fail "no remedy: $(cat "$log")"
}
test_command_powers_off() {
	in_guest 126 -- poweroff -f
	told 'the guest powered off before poweroff had ended'
}
# Written, unmounted in order, and whole.
test_command_root() {
	cp --sparse=always "$dir/command.img" root.img
	in_guest 7 -d root.img --root=/dev/vda -- sh -c 'echo written > /file; [ ! -e /lkvm ] && exit 7'
	/sbin/e2fsck -fn root.img > "$log.fsck" 2>&1 || fail "e2fsck: $(tail -n 1 "$log.fsck")"
	check "$(/sbin/debugfs -R 'cat /file' root.img 2> /dev/null)" = written
}
test_command_root_readonly() {
	local before
	cp --sparse=always "$dir/command.img" root.img
	before=$(sum root.img)
	in_guest 3 -d root.img,ro --root=/dev/vda,ro -- sh -c 'touch /tmp/x && { touch /file || exit 3; } 2> /dev/null'
	check "$(sum root.img)" = "$before"
}
test_command_root_not_there() {
	in_guest 125 -d null:64M --root=/dev/vdb -- true
	grep -q 'root=/dev/vdb: there is no such disk' "$log" || fail "said: $(cat "$log")"
}
# Without an initrd, the driver of the disk is not there, and this is said.
test_command_without_initrd() {
	initrd_option=()
	in_guest 125 -d null:64M --root=/dev/vda -- true
	grep -q "virtio_pci.*lkvm mkinitrd.*--modules /lib/modules/$(cat "$cloud/version")" "$log" || fail "said: $(cat "$log")"
}
# As in a distribution's initrd: no list of modules, but modprobe and what it wants.
test_command_modprobe() {
	initrd_option=(-i "$dir/modprobe.cpio.gz")
	cp --sparse=always "$dir/command.img" root.img
	in_guest 9 -d root.img --root=/dev/vda,ro -- sh -c 'exit 9'
}
# A panic that no driver tells of: the banner, then a reset; or, if asked for, a hang.
panic='echo c > /proc/sysrq-trigger; sleep 1000'
test_command_panic_without_driver() {
	initrd_option=(-i "$dir/busybox.cpio.gz")
	in_guest 127 -- sh -c "$panic"
}
test_command_panic_that_hangs() {
	initrd_option=(-i "$dir/busybox.cpio.gz")
	in_guest 124 --timeout 20 -p panic=0 -- sh -c "$panic"
	told 'its kernel had panicked'
	told 'the guest last printed:'
}

# One guest that stays serves for what is seen from outside while it runs.
test_running_guest() {
	image a.img 64M
	ready -c 2 -d a.img,queues=4 -d null:1G,queues=4,iothreads=1

	# A second one with the same image is refused and told whose it is.
	local got=0 own
	"$lkvm" run -k "$kernel" -d a.img < /dev/null > "$log.second" 2>&1 || got=$?
	check $got = 125
	grep -qw "$(lkvm_pid)" "$log.second" || fail "the message lacks the holder's pid: $(cat "$log.second")"

	# A thread per queue, one for all queues of the other disk, named for top -H.
	cat "/proc/$(lkvm_pid)/task"/*/comm > "$log.threads"
	check "$(grep -c '^lkvm/vda.q[0-3]$' "$log.threads")" = 4
	check "$(grep -c '^lkvm/vdb' "$log.threads")" = 1

	# lkvm's own memory: all but the mapping of the guest's 512 MiB.
	own=$(awk '/^Size:/ { size = $2 } /^Rss:/ && size < 256 * 1024 { sum += $2 } END { print sum }' \
		"/proc/$(lkvm_pid)/smaps")
	echo "# own memory: $own KiB"
	check "$own" -le 5120

	stop TERM 143
}

# agrees WHAT SEEN OWN: what lkvm saw is fio's own rate, within 2 %
agrees() {
	echo "# $1: fio $3, lkvm stat --watch $2"
	awk -v seen="$2" -v own="$3" 'BEGIN { exit !(own > 0 && seen >= own * 0.98 && seen <= own * 1.02) }' ||
		fail "$1: lkvm stat --watch has $2, fio $3"
}

# A disk that grows, rates that are fio's own, and the power button.
test_control() {
	local seen
	image a.img 64M
	initrd=$dir/tools.cpio params=seconds=20
	start resized,rated,button -c 2 -d a.img,queues=2 -d null:1G,queues=2 --name web
	await resizing
	"$lkvm" resize web vda 96M || fail "no resize"
	await rating
	# fio takes its time to begin
	until [ "$("$lkvm" stat web --json | jq '[.disks[1].queues[].requests] | add')" -ge 1000 ]; do
		kill -0 "$pid" || gone "the guest is gone"
		sleep 0.5
	done
	timeout --preserve-status -s INT 8.5 "$lkvm" stat web --watch > "$log.stat" || fail "no stat --watch"
	await listening
	"$lkvm" debug web > "$log.debug" || fail "no debug"
	"$lkvm" stop web || fail "no stop"
	ends 0
	has resizing=131072 resized=196608 told=1 read_end=good 'fio=0 .*' pressed
	# The mean of the tables' columns IOPS and MB/s, each of a second.
	read -r -a seen <<< "$(awk '$1 == "vdb" && $2 == "all" { n++; iops += $3; mb += $4 }
		END { if (n) print n, iops / n, mb / n }' "$log.stat")"
	check "${seen[0]:-0}" -ge 6
	agrees IOPS "${seen[1]}" "$(said iops)"
	agrees MB/s "${seen[2]}" "$(awk -v kib="$(said kib)" 'BEGIN { print kib * 1024 / 1e6 }')"
	check "$("$lkvm" list | wc -l)" = 1
}

ext4_root() {
	cp --sparse=always "$dir/root.img" root.img
	params=root=/dev/vda
	guest 0 root -c 2 -d "root.img,queues=2,transport=$1"
	has 'root=/dev/vda ext4' end
	/sbin/e2fsck -fn root.img > "$log.fsck" 2>&1 || fail "e2fsck: $(tail -n 1 "$log.fsck")"
	/sbin/debugfs -R 'cat /written' root.img 2> /dev/null > "$log.written"
	check "$(sum "$log.written")" = "$(said md5)"
}
test_ext4_root()      { ext4_root pci; }
test_ext4_root_mmio() { ext4_root mmio; }

# Space that the guest gives back is free on the host, and zeroes are there.
test_discard() {
	local before full
	initrd=$dir/tools.cpio stats=$log.json
	image a.img 128M
	dd if=/dev/urandom of=b.img bs=1M count=16 2> /dev/null
	guest 0 fill -c 2 -d a.img,queues=2
	has mkfs=good mount=good umount=good end
	full=$(($(stat -c %b a.img) / 2048))
	check $full -ge 32
	before=$(stat -c %b b.img)
	guest 0 trim,zero -c 2 -d a.img,queues=2 -d b.img,queues=1 --stats "$stats"
	has mount_discard=good umount_discard=good mount=good fstrim=good umount=good \
		zero=good zeroes=good discard=good end
	echo "# $full MiB full, $(($(stat -c %b a.img) / 2048)) MiB trimmed;" \
		"$(total discards) discards, $(total write_zeroes) zeroings"
	check $(($(stat -c %b a.img) / 2048)) -le $((full - 31))
	/sbin/e2fsck -fn a.img > "$log.fsck" 2>&1 || fail "e2fsck: $(tail -n 1 "$log.fsck")"
	check "$(head -c 8M b.img | tr -d '\0' | wc -c)" = 0
	check "$(stat -c %b b.img)" -le $((before * 5 / 8))
	check "$(stat -c %b b.img)" -ge $((before * 3 / 8))
	check "$(total errors)" = 0
	check "$(total zeroed_bytes)" -ge $((8 << 20))
}

# verify FILE [,KEYS]
verify() {
	guest 0 mq,verify -c 4 -d "$1,queues=4${2-}"
	has queues=4 vectors=4 firing=4 'fio=0 err= *0 ' 'io=.*' end
	check "$(sum "$1")" = "$(said md5)"
}
test_verify_file() { image a.img 64M; verify a.img; }
test_verify_uring() { image a.img 64M; verify a.img ,aio=io_uring; }
test_verify_loop() {
	local loop
	image a.img 64M
	modprobe loop
	loop=$(losetup -f --show a.img) || skip "no loop device"
	verify "$loop"
	losetup -d "$loop"
	check "$(sum a.img)" = "$(said md5)"
}

# The same on packed rings, after the driver has gone away and come back.
test_packed() {
	image a.img 64M
	guest 0 reload,unbind,rings,mq,verify -c 4 -d a.img,queues=4,packed=on
	has reload_3=good unbind_3=good packed=1 queues=4 vectors=4 firing=4 'fio=0 err= *0 ' 'io=.*' end
	check "$(sum a.img)" = "$(said md5)"
}

# Several disks in one guest, each with something of its own.
test_disks() {
	image a.img 64M
	dd if=/dev/urandom of=b.img bs=1M count=8 2> /dev/null
	image d.img 32M
	local before
	before=$(sum b.img)
	guest 0 disks,readback,write_ro -c 4 -d a.img,queues=4,serial=first \
		-d b.img,ro,queues=1 -d null:1G,queues=2 -d d.img,iothreads=1,queues=4
	has 'vda=131072 ro=0 queues=4 serial=first' 'vdb=16384 ro=1 queues=1 .*' \
		'vdc=2097152 ro=0 queues=2 .*' 'vdd=65536 ro=0 queues=4 .*' \
		read_vda=good read_vdb=good read_vdc=good read_vdd=good \
		readback_vda=good readback_vdd=good write_ro=failed end
	check "$(sum b.img)" = "$before"
}

# Each transport counts by itself, and this guest loads PCI's driver first.
test_disks_pci_and_mmio() {
	local disk
	for disk in a b c d; do image $disk.img 32M; done
	guest 0 disks,readback -c 2 -d a.img,queues=2,serial=first,transport=mmio \
		-d b.img,serial=second -d c.img,serial=third,queues=1,transport=mmio \
		-d d.img,serial=fourth
	has 'vda=65536 ro=0 queues=2 serial=second' 'vdb=65536 ro=0 queues=2 serial=fourth' \
		'vdc=65536 ro=0 queues=2 serial=first' 'vdd=65536 ro=0 queues=1 serial=third' \
		readback_vda=good readback_vdb=good readback_vdc=good readback_vdd=good end
}

# Every file system on every transport with every block size, and each pair of these,
# of rings and of backing stores, by eight disks: mkfs, mount, fio's verification,
# fstrim, and the host's check of what is left.
filesystem_disk() {
	local i=$1 fs bus block backing ring
	local fss=(ext4 xfs) buses=(pci mmio) blocks=(512 4096) backings=(file loop) rings=(split packed)
	fs=${fss[i & 1]} bus=${buses[i >> 1 & 1]} block=${blocks[i >> 2]}
	backing=${backings[(i ^ i >> 1) & 1]} ring=${rings[(i ^ i >> 2) & 1]}
	image "$i.img" 320M
	echo "# $fs-$i: $bus, $ring, $block, $backing"
	file=$i.img
	[ "$backing" = file ] || file=$(losetup -f --show "$file") || skip "no loop device"
	keys=queues=2,serial=$fs-$i,transport=$bus,block-size=$block
	[ "$ring" = split ] || keys+=,packed=on
	want+=("block_$fs-$i=$block" "fio_$fs-$i=0" {mkfs,mount,fstrim,umount,again,kept,end}"_$fs-$i=good")
}
test_filesystems() {
	local file keys want=() disks=() i
	initrd=$dir/tools.cpio stats=$log.json limit=180
	modprobe loop
	for i in {0..7}; do
		filesystem_disk "$i"
		disks+=(-d "$file,$keys")
	done
	guest 0 filesystems -c 4 "${disks[@]}" --stats "$stats"
	has "${want[@]}" end
	check "$(total errors)" = 0
	check "$(jq '[.disks[] | [.queues[].discards] | add | select(. > 0)] | length' "$stats")" = 8
	losetup -D
	for i in 0 2 4 6; do
		/sbin/e2fsck -fn $i.img > "$log.fsck" 2>&1 || fail "e2fsck, $i.img: $(tail -n 1 "$log.fsck")"
	done
	for i in 1 3 5 7; do
		/sbin/xfs_repair -nf $i.img > "$log.fsck" 2>&1 || fail "xfs_repair, $i.img: $(tail -n 1 "$log.fsck")"
	done
}

test_fewer_queues_than_offered() {
	image a.img 64M
	guest 0 mq,readback -c 1 -d a.img,queues=4
	has queues=1 vectors=1 firing=1 readback_vda=good end
}

test_driver_reload_and_unbind() {
	image a.img 64M
	guest 0 reload,unbind,readback,mq -c 2 -d a.img,queues=2
	has reload_1=good reload_2=good reload_3=good unbind_1=good unbind_2=good unbind_3=good \
		readback_vda=good queues=2 end
}

# One interrupt, the driver taken away on both of its levels, data that stays.
test_mmio() {
	image a.img 64M
	guest 0 mq,intx,reload,unbind,unbind_mmio,verify -c 4 -d a.img,queues=4,transport=mmio
	has queues=4 vectors=0 intx=1 reload_1=good reload_2=good reload_3=good \
		unbind_1=good unbind_2=good unbind_3=good \
		unbind_mmio_1=good unbind_mmio_2=good unbind_mmio_3=good \
		'fio=0 err= *0 ' 'io=.*' end
	check "$(sum a.img)" = "$(said md5)"
}

test_intx() {
	image a.img 64M
	params=pci=nomsi
	guest 0 intx,readback -c 2 -d a.img,queues=2
	has vectors=0 intx=1 readback_vda=good end
}

# The guest knows that its vCPUs have cores of their own, or it does not.
test_dedicated() {
	guest 0 idle_driver -c 2,dedicated=on -d null:1G
	has cpuidle=haltpoll end
	guest 0 idle_driver -c 2 -d null:1G
	has cpuidle=none end
}

# Queues that the driver polls have no vector, and get no interrupt.
test_poll_queues() {
	image a.img 64M
	stats=$log.json params=virtio_blk.poll_queues=2
	guest 0 poll_queues,mq -c 4 -d a.img,queues=4 --stats "$stats"
	has io_poll=1 queues=4 vectors=2 'fio=0 .*' end
	check "$(jq '[.disks[0].queues[2,3].requests] | add' "$stats")" -ge 512
	check "$(jq '[.disks[0].queues[2,3].interrupts] | add' "$stats")" = 0
}

# Nanoseconds of CPU that the threads of the running guest took, by name.
cpu_ns() {
	local task
	for task in "/proc/$(lkvm_pid)/task"/*; do
		! grep -q "$1" "$task/comm" || cut -d ' ' -f 1 "$task/schedstat"
	done | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# After some I/O, the threads of four queues that poll for up to 20 ms sleep, and those of a usual disk.
test_idle_costs_nothing() {
	local before all
	image a.img 64M
	tasks=mq,
	ready -c 2 -d null:1G,queues=4,poll=20000 -d a.img,queues=4
	sleep 5
	before=$(cpu_ns lkvm/vd) all=$(cpu_ns .)
	sleep 5
	before=$(($(cpu_ns lkvm/vd) - before)) all=$(($(cpu_ns .) - all))
	echo "# an idle guest: I/O threads $((before / 1000)) us of CPU in 5 s, all threads $((all / 1000)) us"
	check $before -le 25000000
	stop TERM 143
}

# Where a longer look finds work the thread polls by itself, and kicks are rare.
test_polls_by_itself() {
	null_blk
	stats=$log.json params=seconds=4
	guest 0 depth64 -c 1 -d /dev/nullb0,queues=1,poll=20000 --stats "$stats"
	has 'fio=0 .*' end
	echo "# poll=20000: $(total polls_found) of $(total polls) polls found work;" \
		"$(total kicks) kicks for $(total batches) batches, $(said iops) IOPS;" \
		"$(total poll_trials_lost) of $(total poll_trials) trials lost"
	check "$(total polls_found)" -gt 0
	check "$(total poll_trials)" -gt 0
	check "$(total kicks)" -lt "$(total batches)"
	check "$(total kicks_suppressed)" -gt 0
}

null_blk() {
	[ -e /dev/nullb0 ] || modprobe null_blk queue_mode=2 submit_queues=4 hw_queue_depth=256 gb=4 bs=4096 irqmode=0 ||
		skip "no null_blk"
}

test_batching_by_stats() {
	null_blk
	stats=$log.json params=seconds=4
	local requests submits
	local -a per_submit=()
	# One job's pace depends on where the emulator's threads happen to run: the
	# median of three counts.
	for _ in 1 2 3; do
		guest 0 depth64 -c 2 -d /dev/nullb0,queues=2,poll=off --stats "$stats"
		has 'fio=0 .*' end
		requests=$(total requests) submits=$(total submits)
		echo "# depth 64: $requests requests in $submits io_submits, $(total publications) publications," \
			"$(total interrupts) interrupts, $(total kicks) kicks, $(said iops) IOPS"
		per_submit+=($((requests / submits)))
	done
	check "$requests" -ge "$(said io)"
	check "$(printf '%s\n' "${per_submit[@]}" | sort -n | sed -n 2p)" -ge 26
	# A batch costs at most one publication, and that at most one irqfd write.
	check "$(total interrupts)" -le "$(total publications)"
	check "$(total publications)" -le "$(total turns)"
}

# The same seen by strace, which counts io_submit and leaves the rest alone.
test_batching_by_strace() {
	command -v strace > /dev/null || skip "no strace"
	null_blk
	stats=$log.json params=seconds=3
	wrap=(strace -f --seccomp-bpf -c -e trace=io_submit -o "$log.strace")
	guest 0 depth64 -c 2 -d /dev/nullb0,queues=2,poll=off --stats "$stats"
	local seen
	seen=$(awk '$NF == "io_submit" { print $4 }' "$log.strace")
	echo "# depth 64 under strace: $(said io) requests in ${seen:-no} io_submits"
	check "$(said io)" -ge $((${seen:-0} * 26))
	# What lkvm counts is what happened.
	check "${seen:-0}" -eq "$(total submits)"
}

# --- NUMA: the host has two nodes of two CPUs, and /scratch is on a disk of node 1 ---

two_nodes() { [ -e /sys/devices/system/node/node1 ] || skip "the host has one node"; }

# cpus_of COMM: the CPUs that this thread of the running guest may run on
cpus_of() {
	local task
	for task in "/proc/$(lkvm_pid)/task"/*; do
		[ "$(cat "$task/comm")" != "$1" ] || sed -n 's/^Cpus_allowed_list:\t//p' "$task/status"
	done
}

# memory_of POLICY: pages of the guest's memory on nodes 0 and 1, of what is bound so
memory_of() {
	awk -v policy="$1" '$2 == policy { for (i = 3; i <= NF; i++) if (split($i, n, "=") == 2) sum[n[1]] += n[2] }
		END { print sum["N0"] + 0, sum["N1"] + 0 }' "/proc/$(lkvm_pid)/numa_maps"
}

# By itself: threads and memory are at the disk, whatever the guest does, and the next
# guest is elsewhere.
test_numa_auto() {
	local first pages
	two_nodes
	image a.img 64M
	image b.img 64M
	tasks=mq,
	ready -c 1 -d a.img,queues=1 --affinity auto
	check "$(cat "$log.err")" = "lkvm: affinity: vda of vda is at node 1: vda I/O on CPU 2 (node 1), vCPUs on CPU 3 (node 1), memory on node 1"
	check "$(cpus_of lkvm/vda.q0)" = 2
	check "$(cpus_of lkvm/vcpu0)" = 3
	check "$(cpus_of lkvm)" = 0-1
	# shellcheck disable=SC2046 # two words
	set -- $(memory_of prefer:1)
	echo "# guest memory: $1 pages on node 0, $2 on node 1"
	check "$1" = 0
	check "$2" -ge 4096
	first=$pid log=$log.second
	ready -c 1 -d b.img,queues=1 --affinity auto
	check "$(cpus_of lkvm/vda.q0)" = 0
	check "$(cpus_of lkvm/vcpu0)" = 1
	stop TERM 143
	pid=$first
	stop TERM 143
}

# The same for workers of a disk, which pinned I/O threads start: they keep off.
test_numa_workers() {
	two_nodes
	image a.img 64M
	tasks=mq,
	ready -c 1 -d a.img,queues=1,aio=threads --affinity auto
	check "$(cpus_of lkvm/vda.q0)" = 2
	check "$(cpus_of lkvm/worker | sort -u)" = 0-1
	stop TERM 143
}

test_numa_guest_nodes() {
	two_nodes
	ready -c 4 -d null:64M --affinity off --numa node=0,cpus=0-1,mem=256M,host=1 \
		--numa node=1,cpus=2,3,mem=256M,host=0
	check "$(memory_of bind:1 | cut -d ' ' -f 1)" = 0
	check "$(memory_of bind:0 | cut -d ' ' -f 2)" = 0
	check "$(memory_of bind:1 | cut -d ' ' -f 2)" -ge 1024
	check "$(memory_of bind:0 | cut -d ' ' -f 1)" -ge 256
	stop TERM 143
	initrd=$dir/tools.cpio
	guest 0 nodes -c 4 -d null:64M --numa node=0,cpus=0-1,mem=192M,host=1 --numa node=1,cpus=2,3,mem=320M,host=0
	has 'node0=0-1 mib=1[0-9][0-9] distance=10,20' 'node1=2-3 mib=(2[5-9]|3[0-2])[0-9] distance=20,10' complaints= \
		'numactl: available: 2 nodes \(0-1\)' 'numactl: node 0 cpus: 0 1' 'numactl: node 0 size: 1[0-9][0-9] MB' \
		'numactl: node 1 cpus: 2 3' 'numactl: 0: +10 +20' 'numactl: 1: +20 +10' end
}

# vCPUs that take turns, a node without CPUs, and one that reaches over the hole.
test_numa_over_the_hole() {
	cloud
	guest 0 nodes -c 2 -m 3584M -d null:64M --numa node=0,cpus=1,mem=256M --numa node=1,cpus=0,mem=3072M \
		--numa node=2,mem=256M
	has 'node0=1 .*distance=10,20,20' 'node1=0 mib=(29|30)[0-9][0-9] .*' 'node2= mib=2[0-9][0-9] .*' complaints= end
}

# Nothing but the wish fails where mbind(2) is not allowed.
test_numa_no_privilege() {
	command -v strace > /dev/null || skip "no strace"
	two_nodes
	image a.img 64M
	wrap=(strace -f --seccomp-bpf -e trace=mbind -e inject=mbind:error=EPERM -o "$log.strace")
	guest 0 mq -c 1 -d a.img,queues=1 --affinity auto
	has queues=1 end
	grep -q 'warning: --affinity auto: guest memory cannot be put on node 1: Operation not permitted' "$log.err" ||
		fail "no warning: $(cat "$log.err")"
}

# The disk's interrupts: those of queues are managed by the kernel, the other one is steered.
test_numa_irq() {
	local irq before
	image a.img 64M
	irq=$(for irq in /sys/block/vda/device/../msi_irqs/*; do grep "^ *${irq##*/}:.*-config" /proc/interrupts; done |
		sed 's/^ *//; s/:.*//')
	before=$(cat "/proc/irq/$irq/smp_affinity_list")
	ready -c 1 -d a.img,queues=1 --affinity auto,irq
	grep -q 'affinity: 4 of 5 interrupts of vda are managed by the kernel' "$log.err" || fail "$(cat "$log.err")"
	grep -q 'affinity: 1 of 5 interrupts of vda come' "$log.err" || fail "$(cat "$log.err")"
	check "$(cat "/proc/irq/$irq/smp_affinity_list")" = "$(cpus_of lkvm/vda.q0)"
	stop TERM 143
	check "$(cat "/proc/irq/$irq/smp_affinity_list")" = "$before"
}

# --- running the tests -----------------------------------------------------

stalls() { grep -c '^stalled' "$dir/results"; }
# In a subshell, so that it may exit anywhere and change variables.
run_test() (
	images=/scratch/$1
	mkdir "$images" && cd "$images" || exit
	trap 'for pid in $(jobs -p); do kill -KILL $(pgrep -P $pid) $pid; done 2> /dev/null
		wait; losetup -D 2> /dev/null; rm -rf "$images"' EXIT
	"test_$1"
)

# judge: run test $name, again if it stalled; its result
judge() {
	local log=$dir/logs/$name begin=$SECONDS status=78 try
	echo "begun $name" >> "$dir/results"
	for try in 1 2; do
		rm -f "$log" "$log".*
		run_test "$name" && status=0 || status=$?
		[ $status = 78 ] && [ $try = 1 ] && [ "$(stalls)" -lt $stalls_allowed ] &&
			[ $EPOCHSECONDS -lt "$deadline" ] || break
		echo "stalled $name" >> "$dir/results"
		mkdir -p "$dir/logs/stalled"
		mv "$log" "$log".* "$dir/logs/stalled"
	done
	echo "# $name: $((SECONDS - begin)) s"
	case $status in
	0)  result "ok $name" ;;
	77) result "ok $name # SKIP $(cat "$log.skip")" ;;
	*)  result "not ok $name" ;;
	esac
}
result() {
	echo "$1"
	echo "$1" >> "$dir/results"
}
begun() { grep -c "^begun $1\$" "$dir/results"; }

# Two that boot and wait run side by side, as one leaves processors idle; but none with
# which the host has died.
beside_another() {
	case $1 in
	boot_* | end_* | command_* | ext4_*) [ "$(begun "$1")" -eq 0 ] ;;
	*) return 1 ;;
	esac
}

# In the order above.  A line "begun NAME" without an end tells that the host died.
names=$(sed -n 's/^test_\([a-z0-9_]*\)().*/\1/p' "$0" | grep -F "$pattern")
[ -n "$names" ] || result "not ok $pattern # there is no such test"
ended() { grep -qE "ok $name( #|\$)" "$dir/results"; }
for name in $names; do
	! ended || continue
	if beside_another "$name"; then most=2; else most=1; fi
	while [ "$(jobs -rp | wc -l)" -ge $most ]; do wait -n; done
	if [ "$(begun "$name")" -ge 2 ]; then
		result "not ok $name # the host died twice"
	elif [ $EPOCHSECONDS -ge "$deadline" ]; then
		result "not ok $name # not run: out of time"
	elif [ $most = 1 ]; then
		judge
	else
		judge &
	fi
done
wait
for name in $names; do
	ended || result "not ok $name # it left no result"
done
echo "# tests that stalled and ran again: $(stalls)"
umount -l /scratch
