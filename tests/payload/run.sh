#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tiny guests on this machine's own /dev/kvm, and what lkvm says to wrong input.
#
#	tests/payload/run.sh [-v] [NAME...]	only cases whose name holds NAME
#
# Prints "ok N - name", "not ok N - name" or "ok N - name # SKIP reason", and a
# last line that sums up; fails if a case failed.  What the guests printed is
# in build/payload/logs.  LKVM names another lkvm, COUNTS a file for the counts,
# SANITIZER what that lkvm was built with (tests/sanitize.sh).
set -eu
cd "$(dirname "$0")/../.."

lkvm=${LKVM:-build/x86/lkvm}
sanitizer=${SANITIZER:-}
slower=${sanitizer:+5}	# times, when others need the machine, too
slower=${slower:-1}
dir=build/payload${sanitizer:+-$sanitizer}
logs=$dir/logs
payload=$dir/payload.elf
verbose=
[ "${1:-}" != -v ] || { verbose=1; shift; }
filter=("$@")
number=0 passed=0 failed=0 skipped=0
out="" err="" status=0 name=""

build() {
	local flags=(-m32 -march=i686 -Os -std=gnu11 -ffreestanding -nostdlib -fno-pic
		-fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables
		-fno-strict-aliasing -fcf-protection=none
		-mno-sse -mno-mmx -mno-80387 -Wall -Wextra -Werror)
	local file objects=()

	for file in tests/payload/*.[cS]; do
		objects+=("$dir/$(basename "${file%.*}").o")
		gcc "${flags[@]}" -c -o "${objects[-1]}" "$file"
	done
	ld -m elf_i386 -z noexecstack --no-warn-rwx-segments -T tests/payload/payload.lds \
		-o "$dir/payload32.elf" "${objects[@]}"
	# lkvm takes ELF files for x86-64; the code in it is 32-bit all the same.
	objcopy -O elf64-x86-64 "$dir/payload32.elf" "$payload"
}

# wanted NAME: whether to run it; sets $name, $out and $err
wanted() {
	local part

	name=$1
	out=$logs/${name//[^a-zA-Z0-9=]/-}.out
	err=${out%.out}.err
	[ ${#filter[@]} -gt 0 ] || return 0
	for part in "${filter[@]}"; do
		[[ $name != *"$part"* ]] || return 0
	done
	return 1
}

pass() { number=$((number + 1)) passed=$((passed + 1)); echo "ok $number - $name"; }
skip() { number=$((number + 1)) skipped=$((skipped + 1)); echo "ok $number - $name # SKIP $1"; }
fails() {
	number=$((number + 1)) failed=$((failed + 1))
	echo "not ok $number - $name"
	echo "# $1"
	[ ! -s "$out" ] || tail -n 5 "$out" | sed 's/^/#   /'
	[ ! -s "$err" ] || tail -n 5 "$err" | sed 's/^/#   stderr: /'
}
note() { echo "# $*"; }

# guest CASE OPTIONS...: runs it to its end; sets $status
guest() {
	local params=case=$1

	shift
	status=0
	timeout -k 5 $((30 * slower)) "$lkvm" run -k "$payload" --params "$params" --timeout $((20 * slower)) "$@" \
		</dev/null >"$out" 2>"$err" || status=$?
	[ -z "$verbose" ] || sed 's/^/#   /' "$out" "$err"
}

# What is wrong with the last guest; empty if it passed with status $1 and $2
# lines on stderr.
verdict() {
	local lines

	lines=$(wc -l <"$err")
	if [ "$status" -ne "$1" ]; then
		echo "status $status, not $1"
	elif grep -q FAIL "$out" || ! grep -q PASS "$out"; then
		echo "the guest did not pass"
	elif [ "$lines" -ne "$2" ]; then
		echo "$lines lines on stderr, not $2"
	fi
}

# judge STATUS LINES: pass or fail the last guest
judge() {
	local wrong

	wrong=$(verdict "$1" "$2")
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# try NAME STATUS LINES CASE OPTIONS...: the usual case
try() {
	local expect=$2 lines=$3

	wanted "$1" || return 0
	shift 3
	guest "$@"
	judge "$expect" "$lines"
}

# measured NAME: as wanted(), for what a sanitizer changes: lkvm's size and speed
measured() {
	wanted "$1" || return 1
	[ -n "$sanitizer" ] || return 0
	skip "measures lkvm itself, of which $sanitizer is a part"
	return 1
}

# wait_for FILE TEXT: up to 5 s until it holds the text
wait_for() {
	for _ in $(seq $((100 * slower))); do
		! grep -qs "$2" "$1" || return 0
		sleep 0.05
	done
	return 1
}

# start CASE OPTIONS...: a guest in the background that says READY; sets $pid
start() {
	local params=case=$1

	shift
	: >"$out"
	# In the background bash has SIGINT and SIGQUIT ignored, which lkvm inherits.
	env --default-signal=INT,QUIT,HUP,TERM \
		"$lkvm" run -k "$payload" --params "$params" --timeout $((30 * slower)) "$@" </dev/null >"$out" 2>"$err" &
	pid=$!
	wait_for "$out" READY
}

# finish: ends it by SIGTERM; sets $status
finish() {
	status=0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" || status=$?
}

# LeakSanitizer cannot look for leaks in what is traced.
tracer=(env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0" strace)

image() { rm -f "$1"; truncate -s "$2" "$1"; }

# same NAME WANT GOT: a comparison by the host
same() { [ "$2" = "$3" ] || echo " $1: $3, not $2."; }

source tests/payload/guests.sh
source tests/payload/host.sh
source tests/payload/affinity.sh
source tests/payload/kill.sh
source tests/payload/control.sh
source tests/payload/ring3.sh
source tests/payload/wrong.sh
source tests/payload/figures.sh
source tests/payload/create.sh
source tests/payload/mkinitrd.sh
source tests/payload/tracing.sh

# Why no payload can run here; empty if it can.
kvm_missing() {
	if [ "$(uname -m)" != x86_64 ]; then
		echo "not an x86-64 machine"
	elif [ ! -e /dev/kvm ]; then
		echo "no /dev/kvm"
	elif [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
		echo "no permission on /dev/kvm"
	fi
}

mkdir -p "$logs"
creating
mkinitrd_right
mkinitrd_wrong
probe_notes
missing=$(kvm_missing)
if [ -n "$missing" ]; then
	name="payload guests"
	skip "$missing"
else
	build
	machine_guests
	disk_guests
	ending_guests
	kill_guests
	host_guests
	limit_guests
	affinity_guests
	tracing_guests
	trace_guests
	control_guests
	ring3_guests
	wrong_files
	wrong_options
	wrong_disks
	wrong_outputs
	wrong_formats
	wrong_kvm
	wrong_affinity
	figures
fi
[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" >"$COUNTS"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
