#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2153,SC2154 # what is in capitals comes from power.sh
#
# power-tests.sh [PATTERN] - the tests of POWER themselves: power.sh starts this as
# root in the emulated POWER8 host, whose /dev/kvm runs stock Debian guests
#
# For busybox, and else as tests.sh: a test is a function test_NAME; its first
# failed step ends it.  $dir/results has a line per finished test, so that a
# repeated run goes on where it was; $dir/logs has each guest's console and lkvm's
# messages.
set -u

lkvm=$LKVM dir=$DIR deadline=$DEADLINE pattern=${1-}
linux=$LINUX/vmlinux
initrd=$dir/guest.cpio
limit=60			# seconds that any guest may take

mkdir -p "$dir/logs" /scratch
touch "$dir/results"
mount -t ext4 /dev/vda /scratch
image() { rm -f "/scratch/$1"; truncate -s "$2" "/scratch/$1"; }

# --- running a guest -------------------------------------------------------

# start DO [OPTION...]: run lkvm and tell the guest what to do.  $log is what it
# printed, $pid its number; $params goes to its kernel.
params=''
start() {
	what=$1; shift
	# busybox's timeout becomes the program, and leaves a child to watch.
	timeout -k 5 $((limit + 10)) "$lkvm" run -k "$linux" -i "$initrd" -m 256M \
		--params "console=hvc0 quiet panic=-1 $params do=$what" --timeout $limit "$@" \
		< "${input-/dev/null}" > "$log" 2> "$log.err" &
	pid=$!
}

# guest STATUS DO [OPTION...]: the same, and expect an exit status
guest() {
	want=$1 got=0; shift
	start "$@"
	wait "$pid" || got=$?
	[ $got -eq "$want" ] || fail "exit status $got, not $want: $(tail -n 1 "$log.err")"
}

# wait_for LINE: until the guest has said so
wait_for() {
	for _ in $(seq $((limit * 5))); do
		sleep 0.2
		! grep -q "^GUEST $1" "$log" || return 0
		kill -0 "$pid" 2> /dev/null || break
	done
	fail "the guest did not say $1"
}

# payload STATUS FILE [OPTION...]: a guest that is but a few instructions
payload() {
	want=$1 got=0; shift
	file=$dir/$1; shift
	"$lkvm" run -k "$file" --timeout 10 "$@" < /dev/null > "$log" 2> "$log.err" || got=$?
	[ $got -eq "$want" ] || fail "exit status $got, not $want: $(cat "$log" "$log.err")"
}

# cases NAME...: of the payload guest in tests/payload/power, each passes
cases() {
	for case; do
		payload 0 payload.elf -m 256M -c 2 -d null:16M,queues=2,poll=off --stats "$log.json" --params case="$case"
		[ "$(cat "$log" "$log.err")" = PASS ] || fail "$case: $(cat "$log" "$log.err")"
	done
}

# refused TEXT OPTION...: lkvm says so, in one line, and runs nothing
refused() {
	text=$1 got=0; shift
	"$lkvm" run -m 256M "$@" < /dev/null > "$log" 2> "$log.err" || got=$?
	check $got = 125
	check "$(wc -l < "$log.err")" = 1
	grep -q -- "$text" "$log.err" || fail "no \"$text\" in: $(cat "$log.err")"
}

# --- judging ---------------------------------------------------------------

fail() { echo "# $name: $*"; exit 1; }
skip() { echo "$*" > "$dir/skip"; exit 77; }
check() { [ "$@" ] || fail "not so: $*"; }
# total KEY: a counter of the only queue
total() { sed -n "s/^ *\"$1\": \([0-9]*\),\$/\1/p" "$log.json" | head -n 1; }
said() { tr -d '\r' < "$log" | sed -n "s/^GUEST .*\\b$1=\\([^ ]*\\).*/\\1/p" | head -n 1; }
sum() { md5sum "$1" | cut -c 1-32; }
# has LINE...: lines that the guest must have said
has() {
	for line; do
		tr -d '\r' < "$log" | grep -qE "^GUEST $line\$" ||
			fail "no \"GUEST $line\", but: $(grep -aE "^GUEST ${line%%=*}" "$log" | tr -d '\r' | tr '\n' ';')"
	done
}

# --- the tests -------------------------------------------------------------

test_check_host() {
	"$lkvm" check-host > "$log" 2>&1 || fail "exit status $?: $(tail -n 1 "$log")"
}

boot() {
	image a.img 64M
	guest 0 mq,readback -c "$1" -d /scratch/a.img,queues=4
	has "nproc=$1 .*" "queues=$1" "vectors=$1" "firing=$1" readback_vda=good end
}
test_boot_1_cpu()  { boot 1; }
test_boot_2_cpus() { boot 2; }
test_boot_4_cpus() { boot 4; }

test_end_reboot() {
	guest 0 reboot -c 2 -v
	grep -q 'the guest rebooted' "$log.err" || fail "it did not reboot: $(tail -n 1 "$log.err")"
}
test_end_panic() {
	guest 127 panic -c 2
	check "$(cat "$log.err")" = "lkvm: the guest kernel panicked"
}
test_end_timeout_and_signal() {
	guest 124 ready -c 2 --timeout 3
	start ready -c 2
	wait_for ready
	got=0
	kill -TERM "$pid"
	wait "$pid" || got=$?
	check $got = 143
}
# The power button: Linux hears of it by an EPOW interrupt, and powers off.
test_end_power_button() {
	start ready -c 2 --name web
	wait_for ready
	"$lkvm" stop web > "$log.stop" 2>&1 || fail "stop: $? $(cat "$log.stop")"
	wait "$pid" || fail "exit status $?: $(tail -n 1 "$log.err")"
}

# in_guest STATUS [OPTION...] -- COMMAND...: run it in a guest, as tests.sh has it
in_guest() {
	want=$1 got=0; shift
	"$lkvm" run -k "$linux" -i "$dir/command.cpio" -m 256M --timeout $limit "$@" \
		< "${input-/dev/null}" > "$log" 2> "$log.err" || got=$?
	[ $got -eq "$want" ] || fail "exit status $got, not $want: $(tail -n 1 "$log.err")"
}
told() { grep -qF -- "$1" "$log.err" || fail "no \"$1\", but: $(tail -n 3 "$log.err")"; }
test_command_arguments() {
	# shellcheck disable=SC2016 # the guest's shell
	in_guest 42 -- sh -c 'for a; do echo "[$a]"; done; exit 42' sh 'a b' '' '"q"' "it's" 'ä€' '$HOME *'
	[ "$(cat "$log")" = "$(printf '[%s]\n' 'a b' '' '"q"' "it's" 'ä€' '$HOME *')" ] || fail "printed: $(cat "$log")"
	check ! -s "$log.err"
}
test_command_input() {
	head -c 1000 /dev/urandom > "$log.in"
	input=$log.in
	in_guest 0 -- cat
	check "$(sum "$log")" = "$(sum "$log.in")"
}
test_command_ends() {
	# shellcheck disable=SC2016 # the guest's shell
	in_guest 137 -- sh -c 'kill -9 $$'
	told 'sh was killed in the guest by signal 9'
	in_guest 125 -- no/such/program
	told 'no/such/program was not run'
	grep -q 'no/such/program.*lkvm mkinitrd' "$log" || fail "no remedy: $(cat "$log")"
	in_guest 127 -- sh -c 'echo c > /proc/sysrq-trigger; sleep 1000'
	told 'the guest kernel panicked'
}
test_command_stop() {
	# shellcheck disable=SC2016 # the guest's shell
	(in_guest 9 --name stopped -- sh -c 'trap "echo told; exit 9" TERM; echo running; while :; do sleep 1; done') &
	pid=$!
	for _ in $(seq $((limit * 5))); do
		sleep 0.2
		! grep -qs '^running' "$log" || break
		kill -0 "$pid" 2> /dev/null || break
	done
	"$lkvm" stop stopped > "$log.stop" 2>&1 || fail "stop: $? $(cat "$log.stop")"
	wait "$pid" || fail "see above"
	check "$(cat "$log")" = "$(printf 'running\ntold')"
}
test_command_root() {
	cp "$dir/command.img" /scratch/root.img
	before=$(sum /scratch/root.img)
	in_guest 3 -d /scratch/root.img,ro --root=/dev/vda,ro -- sh -c 'touch /tmp/x && { touch /file || exit 3; } 2> /dev/null'
	check "$(sum /scratch/root.img)" = "$before"
}

test_cpu_hotplug() {
	guest 0 hotplug,mq -c 3 -d null:64M,queues=3
	has without=0,2 without=0-1 online=0-2 queues=3 firing=3 end
}

# Nodes by ibm,associativity; Linux takes them for equally far.
test_nodes() {
	guest 0 nodes,mq -c 2 -m 512M -d null:64M,queues=2 --numa node=0,cpus=1,mem=256M \
		--numa node=1,cpus=0,mem=256M,host=0
	has 'node0=1 mib=.* distance=10,20' 'node1=0 mib=2[0-9][0-9] distance=20,10' complaints= queues=2 end
}

# H_SET_MODE is for all vCPUs, those too that never leave the guest.
test_modes_of_running_cpus() {
	payload 0 modes.elf -c 2
	check "$(cat "$log")" = PASS
}

test_intx() {
	image a.img 64M
	params=pci=nomsi
	guest 0 intx,readback -c 2 -d /scratch/a.img,queues=2
	has vectors=0 intx=1 readback_vda=good end
}

test_ext4_root() {
	cp "$dir/root.img" /scratch/root.img
	params=root=/dev/vda
	guest 0 root -c 2 -d /scratch/root.img,queues=2
	has 'root=/dev/vda ext4' 'md5=.*' end
}

# The host's file system fills up: the guest is paused, with a CPU that it has not
# started yet, and goes on when there is room; then that CPU starts.
test_pause_without_space() {
	mkdir -p /run/full
	mount -t tmpfs -o size=512k full /run/full
	truncate -s 64M /run/full/a.img
	params=maxcpus=2
	start readback,hotplug -c 3 -d /run/full/a.img,queues=2,cache=writeback,werror=enospc
	for _ in $(seq 150); do
		grep -q 'the guest is paused' "$log.err" && break
		sleep 0.2
	done
	grep -q "vda.*write.*No space left.*kill -USR2 $pid" "$log.err" || fail "not paused: $(tail -n 1 "$log.err")"
	mount -o remount,size=100m /run/full
	kill -USR2 "$pid"
	wait "$pid" || fail "exit status $?"
	has readback_vda=good online=0-2 end
	umount /run/full
}

# The terminal's input comes by an interrupt, not only when the guest looks.
test_console_input() {
	mkfifo /run/typed
	input=/run/typed params=interrupt=hvc_console
	start typed
	exec 4> /run/typed
	wait_for listening
	echo hello >&4
	wait "$pid" || fail "exit status $?"
	has typed=hello firing=1 end
}

# As on x86: random writes with checksums, on four queues at once, and the same
# data on the host's side, past its page cache and through it.
verify() {
	initrd=$dir/fio.cpio
	image a.img 32M
	guest 0 mq,verify -c 4 -d "/scratch/a.img,queues=4,cache=$1"
	has queues=4 vectors=4 firing=4 'fio=0 err= *0 ' 'io=.*' end
	tr -d '\r' < "$log" | sed -n 's/^GUEST io=/# requests: /p'
	check "$(sum /scratch/a.img)" = "$(said md5)"
}
test_fio_verify()           { verify none; }
test_fio_verify_writeback() { verify writeback; }

# What comes out to user space, by reason, between these two; sets $mmio and $all
event=/sys/kernel/debug/tracing/events/kvm/kvm_userspace_exit
count_exits() {
	[ -e "$event/hist" ] || skip "no histogram of trace events"
	echo 'hist:keys=reason' > "$event/trigger"
}
counted_exits() {
	# KVM_EXIT_MMIO is 6.
	# shellcheck disable=SC2046 # two numbers
	set -- $(sed -n 's/.*reason: *\([0-9]*\) .*hitcount: *\([0-9]*\).*/\1 \2/p' "$event/hist" |
		awk '{ n += $2 } $1 == 6 { mmio = $2 } END { print mmio + 0, n + 0 }')
	echo '!hist:keys=reason' > "$event/trigger"
	mmio=$1 all=$2
}

# exits READS: $mmio and $all of a guest's whole life
exits() {
	params=reads=$1
	count_exits
	guest 0 reads -c 1 -d null:64M,queues=1,poll=off --stats "$log.json"
	counted_exits
	has reads=good
	kicks=$(total kicks)
	check "$(total requests)" -ge "${params#reads=}"
}

# Kicks and interrupts stay in the kernel: 1000 requests add next to nothing to
# what a boot costs.
test_fast_path_in_kernel() {
	exits 1
	boot_mmio=$mmio boot_all=$all
	exits 1001
	echo "# exits to user space: $boot_all for a boot, $all with 1000 requests;" \
		"for MMIO $boot_mmio and $mmio; $kicks kicks, $(total interrupts) interrupts"
	check "$boot_all" -gt 100
	check "$kicks" -ge 500
	check "$(total interrupts)" -ge 500
	check $((mmio - boot_mmio)) -le 20
	check $((all - boot_all)) -le 200
}

# As on x86, not as this host has loaded it.
null_blk() {
	rmmod null_blk 2> /dev/null
	modprobe null_blk queue_mode=2 submit_queues=4 hw_queue_depth=256 gb=4 bs=4096 irqmode=0 || skip "no null_blk"
}
# Requests that null_blk has served; what KVM tells of that guest: how often it left for
# the kernel, how many interrupt sources are on.
reads() { awk '{ print $1 }' /sys/block/nullb0/stat; }
kernel_exits() { cat "/sys/kernel/debug/kvm/$pid"-*/sum_exits; }
sources() { cat "/sys/kernel/debug/kvm/$pid"-*/xics | grep -c '^irq .* prio 0x5 '; }
# strace SECONDS ARGUMENT...: of lkvm, into $log.strace
strace() {
	seconds=$1 libs=$TOOLS/lib/powerpc64le-linux-gnu; shift
	timeout -s INT "$seconds" "$libs/ld64.so.2" --library-path "$libs" "$TOOLS/usr/bin/strace" -f -p "$pid" \
		-o "$log.strace" "$@" 2> "$log.strace.err"
}
seen() { grep -c "$1" "$log.strace"; }
rate() { echo $(($1 * 1000 / requests)); }		# per 1000 requests

# under_fio NAME PARAMS: three seconds of a guest under load are looked at from
# outside, then a few with strace beside; sets $all, $requests and what $log.strace has
under_fio() {
	null_blk
	initrd=$dir/fio.cpio params="seconds=30 $2"
	before=$(reads)
	start depth64 -c 1 -d /dev/nullb0,queues=1 --stats "$log.json"
	until [ "$(reads)" -ge $((before + 1000)) ]; do
		kill -0 "$pid" 2> /dev/null || fail "no load: $(tail -n 1 "$log.err")"
		sleep 0.2
	done

	count_exits
	before=$(kernel_exits) requests=$(reads)
	sleep 3
	requests=$(($(reads) - requests)) sources=$(sources) in_kernel=$(($(kernel_exits) - before))
	counted_exits

	strace 4 -e trace=ioctl,write,io_submit
	runs=$(seen 'ioctl([0-9]*, KVM_RUN') ioctls=$(seen 'ioctl([0-9]') submits=$(seen 'io_submit(')
	writes=$(seen 'write([0-9]*, "\\1\\0\\0\\0\\0\\0\\0\\0", 8')

	kill -TERM "$pid"
	wait "$pid"
	echo "# $1: $requests requests in 3 s; for 1000 of them $(rate "$all") exits to user space," \
		"$(rate "$in_kernel") to the kernel, whose XICS has $sources sources on"
	requests=$(total requests)
	echo "# $1: for 1000 of $requests requests $(rate "$(total kicks)") kicks, $(rate "$(total interrupts)") interrupts," \
		"$(rate "$(total batches)") batches"
	echo "# $1: under strace: $submits io_submits, $writes irqfd writes, $runs times KVM_RUN, $((ioctls - runs)) other ioctls"
}

# Under load, MSI-X beside INTx, which shows that all this can be seen.
test_fast_path_under_fio() {
	under_fio INTx pci=nomsi
	check "$all" -ge 50
	check "$runs" -ge 50
	under_fio MSI-X ''
	check "$requests" -ge 1000
	check "$sources" -ge 2
	check "$all" -le 10
	check "$runs" -le 10
	check "$ioctls" = "$runs"
	# A batch costs one irqfd write at most; the edges of what strace saw may add one each.
	check "$writes" -ge 10
	check "$writes" -le $((submits + 2))
	check "$(total interrupts)" -le "$(total publications)"
	check "$(total publications)" -le "$(total turns)"
}

test_wrong_input() {
	refused "--kernel.*not a kernel for POWER" -k "$X86/vmlinuz"
	refused "--kernel.*not a kernel for POWER" -k "$X86/vmlinux"
	refused "--cpus 33" -k "$linux" -c 33
	refused "--kernel $linux.*--mem" -k "$linux" -m 32M
	refused "--kernel $linux.none" -k "$linux.none"
}

# Without an operating system: tests/payload/power.
test_payload_xics() { cases ipi priorities other_cpu sources; }
test_payload_kicks() { cases kick moved; }
test_payload_interrupts() { cases msix intx fallback; }
test_payload_hostile() { cases hcalls config msi_services cpus rtas meanwhile; }

# KVM itself reads the arguments of each service, and gives up where it cannot.
test_payload_unreadable_rtas() {
	for case in rtas_nowhere rtas_counts; do
		payload 126 payload.elf -m 256M -c 2 -d null:16M,queues=2 --params case=$case
		check "$(wc -l < "$log.err")" = 1
		grep -q "guest died on vCPU 0: KVM_RUN" "$log.err" || fail "$(cat "$log.err")"
	done
}

# case_exits CASE: sets $count to how often it came out to user space
case_exits() {
	echo 'hist:keys=reason' > "$event/trigger"
	cases "$1"
	count=$(awk '/hitcount: *[0-9]/ { sub(/.*hitcount: */, ""); n += $1 } END { print n + 0 }' "$event/hist")
	echo '!hist:keys=reason' > "$event/trigger"
	echo "# $1: $count exits to user space; $(total kicks) kicks, $(total interrupts) interrupts"
	check "$(total kicks)" -ge 100	# a busy queue needs few
	check "$(total interrupts)" -eq 1000
}

# 1000 requests, each with its kick and its interrupt: not an exit for any.
test_payload_fast_path() {
	event=/sys/kernel/debug/tracing/events/kvm/kvm_userspace_exit
	[ -e "$event/hist" ] || skip "no histogram of trace events"
	case_exits kicks
	check "$count" -gt 50
	check "$count" -lt 200
	case_exits kicks_intx
	check "$count" -gt 1000
}

# Last: it takes KVM-HV away.  Debian has no kvm_pr to stay instead.
test_without_kvm_hv() {
	rmmod kvm_hv || fail "kvm_hv is in use"
	refused 'lacks KVM_CAP_PPC_ALLOC_HTAB.*modprobe kvm_hv' -k "$linux"
	rmmod kvm
	refused /dev/kvm -k "$linux"
	modprobe kvm-hv
}

# --- running the tests -----------------------------------------------------

# In the order above.  A line "begun NAME" without an end tells that the host died.
# shellcheck disable=SC2013 # a word each
for name in $(sed -n 's/^test_\([a-z0-9_]*\)().*/\1/p' "$0"); do
	case $name in *$pattern*) ;; *) continue ;; esac
	grep -qE "ok $name( #|\$)" "$dir/results" && continue
	if [ "$(grep -c "^begun $name\$" "$dir/results")" -ge 2 ]; then
		result="not ok $name # the host died twice"
	elif [ "$(date +%s)" -ge "$deadline" ]; then
		result="not ok $name # not run: out of time"
	else
		echo "begun $name" >> "$dir/results"
		log=$dir/logs/$name begin=$(date +%s) status=0 pid=''
		rm -f "$log"* "$dir/skip"
		# In a subshell, so that it may exit anywhere and change variables.
		(
			trap '[ -z "$pid" ] || kill -KILL $pid 2> /dev/null' EXIT
			"test_$name"
		) || status=$?
		case $status in
		0)  result="ok $name" ;;
		77) result="ok $name # SKIP $(cat "$dir/skip")" ;;
		*)  result="not ok $name" ;;
		esac
		echo "# $(($(date +%s) - begin)) s"
	fi
	echo "$result"
	echo "$result" >> "$dir/results"
done
umount /scratch
