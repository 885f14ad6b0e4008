# SPDX-License-Identifier: GPL-2.0-only
#
# A host whose disk fails or changes under a running guest, and limits; sourced by
# run.sh.  $small is a file system of 1 MiB.

small=$dir/small

# on_small NAME COMMAND...: with the file system there, or skipped
on_small() {
	wanted "$1" || return 0
	shift
	mkdir -p "$small"
	if ! mount -t tmpfs -o size=1M lkvm-test "$small" 2>/dev/null; then
		skip "cannot mount here"
		return 0
	fi
	image "$small/disk.img" 4M
	"$@"
	umount "$small"
}

# ended: how the guest in the background ended; sets $status
ended() {
	status=0
	wait "$pid" || status=$?
}

# told N TEXT: up to 5 s until lkvm has said N lines with the text, and no other
told() {
	for _ in $(seq $((100 * slower))); do
		[ "$(grep -c "$2" "$err")" -lt "$1" ] || break
		sleep 0.05
	done
	[ "$(grep -c "$2" "$err")" -eq "$1" ] && [ "$(wc -l <"$err")" -eq "$1" ]
}

# What a thread of lkvm has used, in ticks.
vcpu_ticks() {
	local task

	for task in /proc/"$pid"/task/*; do
		! grep -q '^lkvm/vcpu' "$task/comm" || cut -d' ' -f14,15 "$task/stat"
	done | awk '{ n += $1 + $2 } END { print n + 0 }'
}

no_room='vda: host write of 8192 bytes at [0-9]* failed: No space left on device'

# Paused as long as there is no room, and whole when there is.
full_and_resumed() {
	local before wrong=""

	start "host blocks=500" --disk "$small/disk.img,queues=1,cache=writeback,werror=$1" || wrong+=" not READY."
	told 1 "$no_room; the guest is paused: .* kill -USR2 $pid" || wrong+=" not told once that it is paused."
	sleep 0.1
	before=$(vcpu_ticks)
	sleep 0.3
	wrong+=$(same "ticks while paused" "$before" "$(vcpu_ticks)")
	kill -USR2 "$pid"
	told 2 "$no_room; the guest is paused" || wrong+=" not told that it is paused again."
	mount -o remount,size=8M "$small"
	kill -USR2 "$pid"
	ended
	wrong+=$(verdict 0 2)
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# full_and_ended STATUS SIGNAL OPTIONS...: while it is paused
full_and_ended() {
	local expect=$1 signal=$2 wrong="" began=$SECONDS

	shift 2
	start "host blocks=500" --disk "$small/disk.img,queues=1,cache=writeback,werror=stop" "$@" || wrong+=" not READY."
	wait_for "$err" "is paused" || wrong+=" not paused."
	[ -z "$signal" ] || kill -"$signal" "$pid"
	ended
	wrong+=$(same status "$expect" "$status")
	[ $((SECONDS - began)) -le $((4 * slower)) ] || wrong+=" after $((SECONDS - began)) s."
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

full_and_told() {
	guest "host blocks=500 $2" --disk "$small/disk.img,queues=1,cache=writeback,werror=$1" --stats "$dir/host.json"
	if ! grep -q "$no_room; .* (told once)" "$err"; then
		fails "not told"
	else
		judge 0 1
	fi
}

# changed NAME LINES COMMAND CASE KEYS: the image changes while the guest waits
changed() {
	local disk=$dir/host.img wrong=""

	wanted "$1" || return 0
	image "$disk" 1M
	start "host go=1 $4" --disk "$disk,queues=1$5" || wrong+=" not READY."
	exec 7<>"$disk"
	eval "$3"
	printf G >&7
	exec 7>&-
	ended
	wrong+=$(verdict 0 "$2")
	rm -f "$disk"
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# broken_device NAME LINES KEYS CASE: half of it fails while the guest waits; with
# "mended" behind that, it is put right when the guest is paused
broken_device() {
	local disk=$dir/host.img copy=$dir/host.copy device wrong=""

	wanted "$1" || return 0
	image "$disk" 1M
	if ! device=$(losetup --show -f "$disk" 2>/dev/null); then
		skip "cannot make a loop device here"
		return 0
	fi
	start "host go=1 $4" --disk "$device,queues=1,$3" || wrong+=" not READY."
	cp "$disk" "$copy"
	truncate -s 256K "$disk"
	printf G | dd of="$device" bs=1 conv=notrunc status=none
	if [ "${5:-}" = mended ]; then
		told 1 "vda: host read of 8192 bytes at 262144 failed: Input/output error; the guest is paused" ||
			wrong+=" not told that it is paused."
		dd if="$copy" of="$disk" bs=256K skip=1 seek=1 conv=notrunc status=none
		kill -USR2 "$pid"
	fi
	ended
	wrong+=$(verdict 0 "$2")
	losetup -d "$device"
	rm -f "$disk" "$copy"
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

host_guests() {
	local policy

	for policy in stop enospc; do
		on_small "werror=$policy: no room, paused, resumed by SIGUSR2" full_and_resumed "$policy"
	done
	on_small "werror=report: no room, the guest is told" full_and_told report "failed=1 lost=1"
	on_small "werror=ignore: no room, the guest is not told" full_and_told ignore "lost=1"
	on_small "paused: SIGTERM" full_and_ended 143 TERM --cpus 2
	on_small "paused: timeout" full_and_ended 124 "" --timeout $((2 * slower))
	if wanted "SIGUSR2 to a guest that runs"; then
		start spin --disk "null:16M" || true
		kill -USR2 "$pid"
		sleep 0.2
		finish
		if [ "$status" -eq 143 ] && [ ! -s "$err" ]; then pass; else fails "status $status"; fi
	fi
	changed "image vanishes under the guest" 0 'rm "$disk"' "again=1" ""
	changed "image grows under the guest" 0 'truncate -s 4M "$disk"' "again=1" ""
	changed "image shrinks under the guest: zeroes" 0 'truncate -s 256K "$disk"' "zero=32 again=1" ",rerror=stop,werror=stop"
	changed "image shrinks under the guest: aio=threads" 0 'truncate -s 256K "$disk"' "zero=32 again=1" ",aio=threads,cache=writeback"
	broken_device "rerror=report: device fails" 1 rerror=report "error=32"
	broken_device "rerror=ignore: device fails" 1 rerror=ignore "zero=32"
	broken_device "rerror=stop: device fails, mended, resumed" 1 rerror=stop "again=1" mended
}

# time_more READS CASE KEYS: how much longer so many reads more take; sets $more, and
# $whole for all of them with the start of the guest
time_more() {
	local n began took=()

	for n in 800 $((800 + $1)); do
		began=$(date +%s%N)
		guest "steady reads=$n $2" --disk "null:16M,queues=1,$3" --stats "$dir/limit.json"
		took+=($((($(date +%s%N) - began) / 1000000)))
		[ -z "$(verdict 0 0)" ] || took[-1]=0
	done
	more=$((took[1] - took[0])) whole=${took[1]}
}

# limited NAME KEYS CASE READS MS: so many reads take so long, but for 2 %, and at
# most that much less by the burst of the first 10 ms; longer only on a busy machine,
# shorter only where the guest without them was held up.  The whole run cannot be
# shorter: a busy machine makes it longer.
limited() {
	local more whole least=$(($5 * 98 / 100 - 10)) most=$(($5 * 11 / 10))
	local floor=$(((800 + $4) * $5 / $4 * 98 / 100 - 110))

	measured "$1" || return 0
	for _ in 1 2 3; do
		time_more "$4" "$3" "$2"
		note "$more ms for $4 reads, $5 are right; $whole ms with all else"
		[ "$whole" -ge "$floor" ] || break
		if [ "$more" -ge "$least" ] && [ "$more" -le "$most" ]; then break; fi
	done
	if [ "$whole" -lt "$floor" ]; then
		fails "$whole ms with all else, not $floor"
	elif [ "$more" -lt "$least" ]; then
		fails "$more ms, not $5"
	elif [ "$more" -gt "$most" ]; then
		if awk -v cpus="$(nproc)" '{ exit $1 < 2 * cpus }' /proc/loadavg; then
			skip "others need this machine: load $(cut -d' ' -f1 /proc/loadavg)"
		else
			fails "$more ms, not $5"
		fi
	elif ! grep -q '"throttled": [1-9]' "$dir/limit.json"; then
		fails "nothing was throttled"
	else
		pass
	fi
}

limit_guests() {
	# Half of what the guest manages on a busy machine.
	limited "iops=1000: 2000 reads" iops=1000 "" 2000 2000
	limited "iops=1000,poll=off: 2000 reads" iops=1000,poll=off "" 2000 2000
	limited "bps=8M: 2000 reads of 8 KiB" bps=8M "sectors=16" 2000 1953
	if wanted "iops: power-off does not wait for its turn"; then
		guest "busy" --disk "$dir/long.img,queues=4,iops=1" --timeout 10
		judge 0 0
	fi
}
