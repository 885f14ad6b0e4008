# SPDX-License-Identifier: GPL-2.0-only
#
# Threads on the CPUs that were said or chosen; sourced by run.sh.  How CPUs are chosen is
# tests/unit/test_placement.c's, nodes of memory are tests/system/numa.sh's.

# cpus_of PID COMM: the CPUs that this thread may run on
cpus_of() {
	local task

	for task in "/proc/$1/task"/*; do
		[ "$(cat "$task/comm")" != "$2" ] || sed -n 's/^Cpus_allowed_list:\t//p' "$task/status"
	done
}

# on_cpus NAME LINES "COMM CPUS"... -- OPTIONS...: a guest whose threads are there, before and after it
# has done some I/O
on_cpus() {
	local lines=$2 wrong='' pair wants=()

	wanted "$1" || return 0
	shift 2
	while [ "$1" != -- ]; do wants+=("$1"); shift; done
	shift
	if ! start spin "$@"; then
		finish
		fails "not READY"
		return 0
	fi
	for pair in "${wants[@]}"; do
		wrong+=$(same "CPUs of ${pair% *}" "${pair#* }" "$(cpus_of "$pid" "${pair% *}")")
	done
	# A user without root's file is told that, too; nobody else.
	[ -r /run/lkvm.cpus ] || sed -i '/\/run\/lkvm\.cpus/d' "$err"
	wrong+=$(same "lines on stderr" "$lines" "$(wc -l <"$err")")
	finish
	[ "$status" -eq 143 ] || wrong+=" status $status, not 143."
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# As on a machine of two CPUs, whatever this one has.
affinity_guests() {
	local all=0-1 before

	before=$(taskset -cp $$ | sed 's/.*: //')
	if ! taskset -cp 0,1 $$ >/dev/null 2>&1 || [ "$(nproc)" -ne 2 ]; then
		taskset -cp "$before" $$ >/dev/null
		wanted "threads on CPUs" || return 0
		skip "CPUs 0 and 1 are not to be had here"
		return 0
	fi
	on_cpus "no affinity unless asked for" 0 "lkvm/vcpu0 $all" "lkvm/vda.q0 $all" "lkvm $all" -- --disk null:16M
	on_cpus "one pinned, the others keep off" 0 "lkvm/vda.q0 1" "lkvm/vcpu0 0" "lkvm 0" -- --disk null:16M,iothread-cpus=1
	on_cpus "both pinned, each by name" 0 "lkvm/vda.q0 0" "lkvm/vcpu0 1" -- \
		--cpus 1,pin=1 --disk null:16M,iothread-cpus=0
	on_cpus "by itself, and one line says so" 1 "lkvm/vda.q0 0" "lkvm/vcpu0 1" -- \
		--affinity auto --disk null:16M
	on_cpus "interrupts of no device, and a line says so" 2 "lkvm/vda.q0 0" -- \
		--affinity auto,irq --disk null:16M
	on_cpus "by itself around a pin" 1 "lkvm/vda.q0 1" "lkvm/vcpu0 0" -- \
		--affinity auto --disk null:16M,iothread-cpus=1
	on_cpus "--affinity off" 0 "lkvm/vcpu0 $all" -- --affinity off --disk null:16M
	pins_last
	other_guest
	taskset -cp "$before" $$ >/dev/null
}

# cpus_still WHEN "COMM CPUS"...: adds to $wrong; the I/O thread is at work
cpus_still() {
	local when=$1 pair

	shift
	for pair; do
		wrong+=$(same "CPUs of ${pair% *} after $when" "${pair#* }" "$(cpus_of "$pid" "${pair% *}")")
	done
}

# Threads stay where they are pinned, whatever is done to the guest meanwhile.
pins_last() {
	local wrong='' who=pins$$ command pins=("lkvm/vda.q0 1" "lkvm/vcpu0 0")

	wanted "pinning is undone by nothing" || return 0
	start reads --name "$who" --cpus 1,pin=0 --disk null:1G,queues=1,iothread-cpus=1,poll=off || wrong+=" not READY."
	cpus_still start "${pins[@]}"
	for command in pause resume "set-poll vda always" "set-poll vda adaptive" "set-poll vda off" \
		"throttle vda iops=100 bps=1M" "throttle vda iops=0 bps=0" pause "throttle vda iops=50" resume; do
		# shellcheck disable=SC2086 # words
		set -- $command
		ctl 0 "$1" "$who" "${@:2}"
		cpus_still "$command" "${pins[@]}"
	done
	until_field '.disks[0].queues[0].requests > 0' stat "$who" --json
	finish
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# A second guest takes what the first has not, and gets it back when that is killed.
other_guest() {
	local first wrong=''

	wanted "two guests take different CPUs" || return 0
	start spin --affinity auto || wrong+=" first guest not READY."
	first=$pid
	wrong+=$(same "first guest's CPU" 0 "$(cpus_of "$first" lkvm/vcpu0)")
	start spin --affinity auto || wrong+=" second guest not READY."
	wrong+=$(same "second guest's CPU" 1 "$(cpus_of "$pid" lkvm/vcpu0)")
	kill -KILL "$first"
	wait "$first" 2>/dev/null || true
	finish
	start spin --affinity auto || wrong+=" third guest not READY."
	wrong+=$(same "third guest's CPU" 0 "$(cpus_of "$pid" lkvm/vcpu0)")
	finish
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# not_seen TEXT XDG_RUNTIME_DIR: what is said where nobody can have /run/lkvm.cpus, in one line, and not
# within the JSON
not_seen() {
	local wrong=''

	if ! unshare -rm mount -t tmpfs -o ro none /run 2>/dev/null; then
		skip "no /run of its own is to be had here"
		return 0
	fi
	# shellcheck disable=SC2016 # that shell's
	XDG_RUNTIME_DIR=$2 unshare -rm sh -c 'mount -t tmpfs -o ro none /run && exec "$0" topology --json' \
		"$(realpath "$lkvm")" >"$out" 2>"$err" || wrong+=" status $?."
	jq -e .cpus "$out" >/dev/null || wrong+=" no JSON."
	wrong+=$(same "lines on stderr" 1 "$(wc -l <"$err")")
	grep -q "/run/lkvm.cpus: No such file or directory; $1" "$err" || wrong+=" does not say: $1."
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

wrong_affinity() {
	! wanted "affinity: guests of other users are not seen" ||
		not_seen "guests of other users are not seen, and may have the same CPUs: have root" "$(realpath "$dir")"
	! wanted "affinity: no other guests are seen" ||
		not_seen "what CPUs other guests have is not known: have root" "$(realpath "$dir")/text"
	refused "--affinity both" "--affinity both: give auto, auto,irq or off" -k "$payload" --affinity both
	refused "--affinity off,irq" "--affinity off,irq: give auto, auto,irq or off" -k "$payload" --affinity off,irq
	refused "--affinity auto,core=1" "--affinity auto: unknown key core; there are: irq" -k "$payload" --affinity auto,core=1
	refused "CPU that does not exist" "--cpus 1,pin=4000: this host has no CPU 4000; give some of" -k "$payload" --cpus 1,pin=4000
	refused "CPU that no host has" "--cpus: pin 9000: there is no such CPU; lkvm topology shows" -k "$payload" --cpus 1,pin=9000
	refused "I/O thread on a CPU that no host has" "--disk: iothread-cpus 9000: there is no such CPU; lkvm topology shows" \
		-k "$payload" --disk null:16M,iothread-cpus=9000
	refused "no list of CPUs" "--cpus: pin 2-: no list" -k "$payload" --cpus 1,pin=2-
	refused "more CPUs than vCPUs" "--cpus 1,pin=0,1: names 2 CPUs for 1 vCPUs" -k "$payload" --cpus 1,pin=0,1
	refused "fewer CPUs than I/O threads" "iothread-cpus=0: names 1 CPUs for 2 I/O threads" -k "$payload" \
		--disk null:16M,queues=2,iothread-cpus=0
	refused "overlapping pins" "--cpus 1,pin=0: CPU 0 is that of vda.q0 already" -k "$payload" --cpus 1,pin=0 \
		--disk null:16M,iothread-cpus=0
	refused "more threads than CPUs" "--affinity auto: 64 I/O threads and 64 vCPUs are more than the .*give fewer" \
		-k "$payload" --affinity auto --cpus 64 --disk null:16M,iothreads=64
	refused "node of no host" "--numa node=0: host 1000: this host has no such node" -k "$payload" \
		--numa node=0,cpus=0,mem=512M,host=1000
	refused "nodes that are not all of the memory" "--numa: nodes have 256M together, --mem 512M" -k "$payload" \
		--numa node=0,cpus=0,mem=256M
	refused "vCPU without a node" "--numa: vCPU 1 is in no node" -k "$payload" --cpus 2 \
		--numa node=0,cpus=0,mem=512M
	refused "vCPU in two nodes" "--numa node=1: vCPU 0 is named twice" -k "$payload" \
		--numa node=0,cpus=0,mem=256M --numa node=1,cpus=0,mem=256M
	if wanted "refused: CPU outside of the affinity of lkvm"; then
		refused_by "--cpus 1,pin=1: CPU 1 is outside of the cpuset or affinity.*give some of 0" \
			taskset -c 0 "$lkvm" run -k "$payload" --cpus 1,pin=1
	fi
	if wanted "refused: topology of a disk that is not there"; then
		refused_by "--disk /nonexistent/disk: No such file.*give an image" \
			"$lkvm" topology --disk /nonexistent/disk
	fi
	if wanted "refused: topology of a disk that is a directory"; then
		refused_by "--disk $dir: it is no image; give an image, a block device or null:SIZE" "$lkvm" topology --disk "$dir"
	fi
	if wanted "refused: topology of a device that another host has not"; then
		refused_by "--disk no-disk: .*/sys/class/block has no such device" \
			"$lkvm" topology --sysfs /. --disk no-disk
	fi
	if wanted "refused: topology of a large host to a full disk"; then
		tests/topology/expand.sh kunpeng-4n "$dir/kunpeng"
		# shellcheck disable=SC2016 # $0 is that shell's
		refused_by "^lkvm: standard output: No space left" \
			bash -c 'exec "$0" "$@" > /dev/full' "$lkvm" topology --json --sysfs "$dir/kunpeng"
		rm -rf "$dir/kunpeng"
	fi
	if wanted "refused: topology of no host"; then
		refused_by "/nonexistent/sys/devices/system/cpu/online: No such file" "$lkvm" topology --sysfs /nonexistent
	fi
}
