# SPDX-License-Identifier: GPL-2.0-only
#
# The guests; sourced by run.sh.

machine_guests() {
	local cpus a_and_b text status

	try "power-off by ACPI" 0 0 poweroff
	try "reset by port 0xcf9" 0 0 cf9
	try "reset by the 8042" 0 0 kbd
	try "pvpanic" 127 1 pvpanic
	try "triple fault" 126 1 triple
	try "panic banner, then reset" 127 1 banner
	for status in 0 1 42 123; do
		try "exit device: status $status" $status 0 "exit status=$status" -- true
	done
	try "exit device: status 124 is told" 124 1 "exit status=124" -- true
	try "exit device: status 255 is told, by ECAM" 255 1 "exit status=255 ecam=1" -- true
	try "exit device: a signal" 139 1 "exit what=1 status=11" -- true
	try "exit device: a command that was not run" 125 1 "exit what=2 status=2" -- true
	try "exit device: behind 30 disks" 7 0 "exit status=7 slot=31" $(printf -- '--disk null:%dM ' {1..30}) -- true
	try "a command's guest powers off by itself" 126 1 poweroff -- true
	try "local APIC interrupt" 0 0 irq
	for cpus in 2 4 64; do
		try "$cpus vCPUs by INIT and SIPI" 0 0 "smp cpus=$cpus" --cpus "$cpus"
	done
	try "memory map, 512M" 0 0 "memory mib=512"
	try "memory map, 16M" 0 0 "memory mib=16" --mem 16M
	try "memory map, 3G" 0 0 "memory mib=3072" --mem 3G
	try "memory above the hole, 4G" 0 0 "memory mib=4096" --mem 4G
	try "ACPI tables" 0 0 "acpi cpus=1"
	try "ACPI tables, 64 vCPUs" 0 0 "acpi cpus=64" --cpus 64
	try "nothing there reads as ones" 0 0 unclaimed
	try "PCI by ports and ECAM, BAR sizes" 0 0 pci --disk null:16M,queues=4

	if wanted "command line as given"; then
		text='case=cmdline a="b c"  d=%s\ console=tty7 last'
		guest "${text#case=}"
		if grep -qxF "[$text]" "$out"; then judge 0 0; else fails "not [$text]"; fi
	fi
	if wanted "command line, console added"; then
		guest cmdline
		if grep -qxF "[case=cmdline console=ttyS0]" "$out"; then judge 0 0; else fails "no console=ttyS0"; fi
	fi
	if wanted "initrd intact"; then
		head -c 20001 /dev/urandom >"$dir/initrd"
		guest initrd --initrd "$dir/initrd"
		a_and_b=$(od -An -v -tu1 -w1 "$dir/initrd" |
			awk 'BEGIN { a = 1 } { a = (a + $1) % 65521; b = (b + a) % 65521 } END { print a, b }')
		if grep -qxF "initrd 20001 bytes adler $a_and_b" "$out"; then judge 0 0; else fails "not $a_and_b"; fi
	fi
}

# on_both NAME STATUS LINES CASE OPTIONS...: try() on PCI and on MMIO
on_both() {
	local options=() word before=

	try "$@"
	for word in "${@:5}"; do
		[ "$before" != --disk ] || word+=,transport=mmio
		options+=("$word")
		before=$word
	done
	try "$1, MMIO" "$2" "$3" "$4 transport=mmio" "${options[@]}"
}

# sector FILE N: the first two words of a sector, in hex
sector() { od -An -tx4 -j $((512 * $2)) -N 8 "$1" | xargs; }

disk_guests() {
	local disk=$dir/disk.img other=$dir/other.img how keys sum wrong bus

	image "$disk" 1M
	image "$other" 1M
	on_both "virtio: features" 0 0 "features queues=3" --disk "$disk,queues=3"
	for bus in pci mmio; do
		wanted "virtio-blk: requests on a file, $bus" || continue
		image "$disk" 1M
		guest "rw sectors=2048 transport=$bus" \
			--disk "$disk,queues=1,serial=payload-serial,transport=$bus"
		wrong=$(verdict 0 0)
		wrong+=$(same "sector 8" "00010001 01010101" "$(sector "$disk" 8)")
		wrong+=$(same "sector 9" "00010201 01010101" "$(sector "$disk" 9)")
		wrong+=$(same "sector 102" "00030403 03030303" "$(sector "$disk" 102)")
		wrong+=$(same "last sector" "00020002 02020202" "$(sector "$disk" 2047)")
		wrong+=$(same "sector 24" "00000000 00000000" "$(sector "$disk" 24)")
		wrong+=$(same "size" 1048576 "$(stat -c %s "$disk")")
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	done
	on_both "virtio-blk: null:16M" 0 0 null --disk null:16M,queues=1
	if wanted "virtio-blk: read-only"; then
		printf read-only >"$dir/ro.img"
		truncate -s 64K "$dir/ro.img"
		sum=$(cksum <"$dir/ro.img")
		guest ro --disk "$dir/ro.img,ro,queues=1"
		if [ "$sum" = "$(cksum <"$dir/ro.img")" ]; then judge 0 0; else fails "the image has changed"; fi
	fi
	on_both "virtio-blk: misaligned buffers, odd framing" 0 0 framing --disk "$disk,queues=1"
	on_both "virtio: indirect, EVENT_IDX, ring of 4" 0 0 indirect --disk "$disk,queues=1,poll=off"
	try "virtio: INTx, level and resample" 0 0 intx --disk "$disk,queues=1"
	try "virtio: BAR moved, kicks follow" 0 0 bar-move --disk "$disk,queues=1,poll=off"
	try "virtio: kicks by port" 0 0 ports --disk "$disk,queues=1,poll=off"
	try "virtio: PCI_CFG window" 0 0 pci-cfg --disk "$disk,queues=1"
	for keys in queues=4 queues=4,iothreads=2 queues=4,iothreads=1; do
		on_both "virtio: $keys, all written and read" 0 0 "mq $(shared $keys)" --disk "$disk,$keys"
		try "virtio: $keys, MSI-X vectors" 0 0 msix --disk "$disk,$keys"
		on_both "virtio: $keys, reset under load" 0 0 reset-load --disk "$disk,$keys"
	done
	try "virtio: one interrupt for two requests by EVENT_IDX" 0 0 idx --disk "$disk,queues=1"
	try "virtio: masked vectors pend" 0 0 mask --disk "$disk,queues=4"
	on_both "virtio: RING_RESET and back" 0 0 ring-reset --disk "$disk,queues=4"
	on_both "virtio: one queue used of four" 0 0 fewer --disk "$disk,queues=4"
	head -c 8M /dev/urandom >"$dir/long.img"
	on_both "virtio: ring filled before DRIVER_OK, then reset" 0 3 prefilled --disk "$dir/long.img,queues=4"
	on_both "power-off with requests in flight" 0 0 busy --disk "$dir/long.img,queues=4"
	on_both "triple fault with requests in flight" 126 1 "busy triple=1" --disk "$dir/long.img,queues=4,iothreads=1"
	on_both "timeout with requests in flight" 124 3 "busy spin=1" --disk "$dir/long.img,queues=4,iothreads=2" --timeout 1
	for how in {0..9}; do
		on_both "virtio: malformed ring $how" 0 1 "broken how=$how" \
			--disk "$disk,queues=1" --disk "$other,queues=1"
	done
	for how in {0..3}; do
		on_both "virtio: impossible ring $how" 0 1 "bad-ring how=$how" --disk "$disk,queues=1"
	done
	try "virtio: impossible ring sizes are not taken" 0 0 ring-size --disk "$disk,queues=1"
	on_both "virtio: resets while another vCPU keeps four queues busy" 0 0 "reset-storm rounds=40" \
		--disk null:16M,queues=4 --cpus 2
	on_both "virtio: rings, tables and headers rewritten by another vCPU" 0 8 "scribble rounds=20" \
		--disk "$disk,queues=1" --cpus 2
	packed_guests "$disk" "$other"
	try "virtio: MMIO, interrupt" 0 0 "mmio-irq transport=mmio" --disk "$disk,queues=1,transport=mmio"
	try "virtio: MMIO, kicks" 0 0 "mmio-kick transport=mmio" --disk "$disk,queues=1,poll=off,transport=mmio"
	try "virtio: MMIO, any access" 0 0 "mmio-any transport=mmio" --disk "$disk,queues=1,transport=mmio"
	cache_guests
	erase_guests
	engine_guests "$disk"
	counted_guests "$disk"
	thread_guests "$disk"
}

# Packed rings do what split ones do; "packed=1" has the guest ask for them.
packed_guests() {
	local disk=$1,packed=on other=$2,packed=on how keys

	on_both "packed: requests on a file" 0 0 "rw packed=1 sectors=2048" --disk "$disk,queues=1,serial=payload-serial"
	try "packed: null:16M" 0 0 "null packed=1" --disk null:16M,queues=1,packed=on
	try "packed: offered, but not taken" 0 0 null --disk null:16M,queues=1,packed=on
	try "packed: misaligned buffers, odd framing" 0 0 "framing packed=1" --disk "$disk,queues=1"
	try "packed: indirect, EVENT_IDX, ring of 4" 0 0 "indirect packed=1" --disk "$disk,queues=1,poll=off"
	try "packed: INTx, level and resample" 0 0 "intx packed=1" --disk "$disk,queues=1"
	for keys in queues=4 queues=4,iothreads=1; do
		on_both "packed: $keys, all written and read" 0 0 "mq packed=1 $(shared $keys)" --disk "$disk,$keys"
		try "packed: $keys, MSI-X vectors" 0 0 "msix packed=1" --disk "$disk,$keys"
		on_both "packed: $keys, reset under load" 0 0 "reset-load packed=1" --disk "$disk,$keys"
	done
	try "packed: RING_RESET and back" 0 0 "ring-reset packed=1" --disk "$disk,queues=4"
	try "packed: one queue used of four" 0 0 "fewer packed=1" --disk "$disk,queues=4"
	try "packed: ring filled before DRIVER_OK, then reset" 0 3 "prefilled packed=1" --disk "$dir/long.img,queues=4,packed=on"
	for how in {0..9}; do
		on_both "packed: malformed ring $how" 0 1 "broken-packed packed=1 how=$how" \
			--disk "$disk,queues=1" --disk "$other,queues=1"
	done
	for how in {0..3}; do
		try "packed: impossible ring $how" 0 1 "bad-ring packed=1 how=$how" --disk "$disk,queues=1"
	done
	on_both "packed: resets while another vCPU keeps four queues busy" 0 0 "reset-storm packed=1 rounds=40" \
		--disk null:16M,queues=4,packed=on --cpus 2
	on_both "packed: ring, tables and headers rewritten by another vCPU" 0 8 "scribble packed=1 rounds=30" \
		--disk "$disk,queues=1" --cpus 2
	try "packed: noise in the ring" 0 8 "wild packed=1" --disk "$disk,queues=1"
	try "virtio: noise in the ring" 0 8 wild --disk "$1,queues=1"
}

# The table of cache modes from outside: how the image is opened, how many writes
# carry RWF_DSYNC, how often it is synced (once for switching the write cache off),
# for what case=cache does.
cache_guests() {
	local engine mode writeback direct durable syncs lines trace=$dir/cache.strace wrong image

	image=$dir/cache.img
	image "$image" 1M
	for engine in threads native; do
		while read -r mode writeback direct durable syncs lines; do
			wanted "virtio-blk: cache=$mode aio=$engine by strace" || continue
			if ! command -v strace >/dev/null; then
				skip "no strace(1)"
				continue
			fi
			status=0
			timeout -k 5 30 "${tracer[@]}" -f -qq --seccomp-bpf -e signal=none -o "$trace" \
				-e trace=openat,pwritev2,fdatasync,io_submit \
				"$lkvm" run -k "$payload" --params "case=cache writeback=$writeback" --timeout 20 \
				--disk "$image,queues=1,cache=$mode,aio=$engine" </dev/null >"$out" 2>"$err" || status=$?
			wrong=$(verdict 0 "$lines")
			wrong+=$(same O_DIRECT "$direct" "$(grep -F "\"$image\"" "$trace" | grep -c O_DIRECT)")
			wrong+=$(same RWF_DSYNC "$durable" "$(grep -o RWF_DSYNC "$trace" | wc -l)")
			wrong+=$(same fdatasync "$syncs" "$(grep -oE 'fdatasync\(|IOCB_CMD_FDSYNC' "$trace" | wc -l)")
			if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
		done <<-TABLE
			none 1 1 1 3 0
			writeback 1 0 1 3 0
			writethrough 0 0 3 2 0
			directsync 0 1 3 2 0
			unsafe 1 0 0 0 1
		TABLE
	done
}

# What a guest discards is space that the image gives back; what it zeroes may be.
erase_guests() {
	local engine wrong kept image=$dir/erase.img

	for engine in native io_uring threads; do
		wanted "virtio-blk: discards and zeroes, aio=$engine" || continue
		head -c 1M /dev/urandom >"$image"
		sync "$image"
		guest erase --disk "$image,queues=1,aio=$engine"
		wrong=$(verdict 0 "$(grep -c "native is used" "$err")")
		kept=$(($(stat -c %b "$image") * 512))
		[ "$kept" -le $((640 << 10)) ] || wrong+=" $kept bytes are left."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	done
	if wanted "virtio-blk: discard=off"; then
		head -c 1M /dev/urandom >"$image"
		sync "$image"
		guest "erase discard=0" --disk "$image,queues=1,discard=off"
		wrong=$(verdict 0 0)
		kept=$(($(stat -c %b "$image") * 512))
		[ "$kept" -ge $((1 << 20)) ] || wrong+=" only $kept bytes are left."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
}

# The same guest on each engine; io_uring may be forbidden here.
engine_guests() {
	local engine

	for engine in native io_uring threads; do
		wanted "virtio: aio=$engine, all written and read" || continue
		guest mq --disk "$1,queues=4,aio=$engine" --verbose
		if grep -q "aio=io_uring.*native is used" "$err"; then
			skip "$(sed -n 's/.*aio=io_uring: //p' "$err")"
		elif ! grep -qx "lkvm: vda: aio=$engine: as asked for" "$err"; then
			fails "not aio=$engine"
		else
			judge 0 "$(wc -l <"$err")"
		fi
	done
	for engine in native io_uring threads; do
		wanted "aio=$engine: killed and started again at once" || continue
		if ! start spin --disk "$1,queues=4,aio=$engine"; then
			finish
			fails "not READY"
			continue
		fi
		kill -KILL "$pid"
		{ wait "$pid" || true; } 2>/dev/null	# and no word of it
		guest poweroff --disk "$1,queues=4,aio=$engine"
		judge 0 "$(grep -c "native is used" "$err")"
	done
}

# A thread that is awake looks at all of its queues, kicked or not.
shared() {
	case $1 in *iothreads=1*) echo shared=1 ;; esac
}

# What such keys change arrives at the disk, by the counts of --stats.
counted_guests() {
	local keys what stats=$dir/counted.json

	while read -r keys what; do
		wanted "virtio-blk: $keys by --stats" || continue
		guest mq --disk "$1,queues=4,poll=off,$keys" --stats "$stats"
		if [ -n "$(verdict 0 0)" ] || [ "$(jq "$what" "$stats")" = true ]; then
			judge 0 0
		else
			fails "not $what in $stats"
		fi
	done <<-'END'
		merge=on [.disks[0].queues[].merged] | add > 0
		merge=off [.disks[0].queues[].merged] | add == 0
		merge=off,batch=0 [.iothreads[] | .submitted > .submits] | any
		merge=off,batch=1 [.iothreads[] | .submitted == .submits] | all
	END
}

# The I/O threads, seen from outside while the guest runs.
thread_guests() {
	local keys names

	for keys in queues=4:q0,q1,q2,q3 queues=4,iothreads=2:q0+,q1+ queues=4,iothreads=1:q0+; do
		wanted "threads of ${keys%:*}" || continue
		if ! start "mq spin=1 $(shared "$keys")" --disk "$1,${keys%:*},poll=off"; then
			finish
			fails "not READY"
			continue
		fi
		names=$(cat /proc/$pid/task/*/comm | sed -n 's,^lkvm/vda\.,,p' | sort | paste -sd,)
		finish
		if [ "$names" != "${keys#*:}" ]; then
			fails "threads $names"
		elif [ "$status" -ne 143 ]; then
			fails "status $status, not 143"
		else
			pass
		fi
	done
}

# Ends that come from outside.
ending_guests() {
	local signal wanted_status

	for signal in TERM:143 INT:130 HUP:129 QUIT:131; do
		wanted_status=${signal#*:}
		wanted "SIG${signal%:*}" || continue
		if start spin --cpus 2; then
			kill -"${signal%:*}" "$pid"
		fi
		status=0
		wait "$pid" || status=$?
		if [ "$status" -eq "$wanted_status" ]; then pass; else fails "status $status"; fi
	done
	if wanted "timeout"; then
		guest spin --timeout 1
		if [ "$status" -eq 124 ] && grep -q -- "--timeout 1" "$err"; then pass; else fails "status $status"; fi
	fi
	if wanted "SIGHUP ignored, as by nohup"; then
		: >"$out"
		(trap '' HUP && exec "$lkvm" run -k "$payload" --params case=spin --timeout 30 \
			</dev/null >"$out" 2>"$err") &
		pid=$!
		wait_for "$out" READY || true
		kill -HUP "$pid" || true
		sleep 0.5
		finish
		if [ "$status" -eq 143 ]; then pass; else fails "status $status, not 143"; fi
	fi
	unread_guest "nobody reads stdout: SIGTERM" 143 TERM 3
	unread_guest "nobody reads stdout: timeout" 124 "" 5 --timeout 2
	full_console
	if wanted "no stdin, stdout and stderr"; then
		: >"$out" >"$err"
		status=0
		"$lkvm" run -k "$payload" --params case=poweroff --timeout 10 <&- >&- 2>&- || status=$?
		if [ "$status" -eq 0 ]; then pass; else fails "status $status"; fi
	fi
	if wanted "Ctrl-A X on a terminal"; then
		if ! command -v script >/dev/null; then
			skip "no script(1)"
			return
		fi
		terminal_guest
	fi
}

# unread_guest NAME STATUS SIGNAL SECONDS OPTIONS...: a guest that prints for ever
# into a full pipe and is sent a line; it must end soon after the signal.
unread_guest() {
	local expect=$2 signal=$3 seconds=$4 full=$dir/full keys=$dir/keys

	wanted "$1" || return 0
	shift 4
	rm -f "$full" "$keys" "$out"
	mkfifo "$full" "$keys"
	exec 8<>"$full" 9<>"$keys"
	dd if=/dev/zero of="$full" oflag=nonblock bs=4096 2>/dev/null || true
	"$lkvm" run -k "$payload" --params case=flood "$@" <&9 >&8 2>"$err" 8>&- 9>&- &
	pid=$!
	sleep 0.5
	echo hello >&9
	sleep 0.2
	[ -z "$signal" ] || kill -"$signal" "$pid"
	for _ in $(seq $((seconds * 20))); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -KILL "$pid" 2>/dev/null || true
	status=0
	wait "$pid" || status=$?
	exec 8>&- 9>&-
	rm -f "$full" "$keys"
	if [ "$status" -eq "$expect" ]; then pass; else fails "status $status, not $expect"; fi
}

# Output that finds no space is told, once.
full_console() {
	wanted "a console without space" || return 0
	status=0
	"$lkvm" run -k "$payload" --params case=poweroff --timeout 10 </dev/null >/dev/full 2>"$err" || status=$?
	if [ $status -ne 0 ]; then
		fails "status $status"
	elif [ "$(grep -c "console: No space left on device: .* lost; give --console" "$err")" -ne 1 ]; then
		fails "said: $(cat "$err")"
	else
		pass
	fi
}

# Ctrl-A X, and the terminal's state before and after it.
terminal_guest() {
	local fifo=$dir/keys

	rm -f "$fifo"
	mkfifo "$fifo"
	: >"$out"
	script -qefc "stty -g; $lkvm run -k $payload --params case=spin --timeout 20; echo status \$?; stty -g" \
		/dev/null <"$fifo" >"$out" 2>"$err" &
	pid=$!
	exec 9>"$fifo"
	wait_for "$out" READY || true
	printf '\001x' >&9
	wait_for "$out" "^status" || true
	exec 9>&-
	wait "$pid" || true
	rm -f "$fifo"
	tr -d '\r' <"$out" >"$out.lines"
	if ! grep -qx "status 130" "$out.lines"; then
		fails "not status 130"
	elif [ "$(sed -n 1p "$out.lines")" != "$(grep -A1 '^status' "$out.lines" | tail -n 1)" ]; then
		fails "the terminal is not as it was"
	else
		pass
	fi
}
