# SPDX-License-Identifier: GPL-2.0-only
#
# The guest that drives its queues from ring 3 (ring3/); sourced by run.sh.
# Here it only has to work: bench/ring3.sh measures.

# ring3 PARAMS OPTIONS...: runs it to its end; sets $status
ring3() {
	local params=$1

	shift
	status=0
	timeout -k 5 40 "$lkvm" run -k "$dir/ring3.elf" --params "$params" --timeout 30 "$@" \
		</dev/null >"$out" 2>"$err" || status=$?
	[ -z "$verbose" ] || sed 's/^/#   /' "$out" "$err"
}

# ring3_said KEY: from the line with the figures
ring3_said() { sed -n "s/^RING3 .*\\b$1=\\([0-9]*\\).*/\\1/p" "$out" | grep . || echo 0; }

# block FILE N: the first words of a block, as the guest's pattern has them
block() { od -An -v -tx8 -j $((4096 * $2)) -N 16 "$1" | xargs; }

# ring3_verified NAME MODE DEPTH QUEUES CPUS KEYS: 100 blocks for each queue
# written, read back and compared by the guest, and some looked at here
ring3_verified() {
	local disk=$dir/ring3.img queues=$4 all=$((100 * $4)) wrong n

	wanted "$1" || return 0
	image "$disk" 8M
	ring3 "mode=$2 depth=$3 queues=$queues count=100 verify=1" --cpus "$5" --disk "$disk,queues=$queues,$6"
	wrong=$(verdict 0 0)
	wrong+=$(same requests "$all" "$(ring3_said requests)")
	for n in 0 99 $((all - 1)); do
		wrong+=$(same "block $n" "$(printf '%08x00000000 %08x00000001' "$n" "$n")" "$(block "$disk" "$n")")
	done
	wrong+=$(same "block $all" "0000000000000000 0000000000000000" "$(block "$disk" "$all")")
	case $2:$(ring3_said irqs) in
	poll:0 | irq:[1-9]*) ;;
	*) wrong+=" $(ring3_said irqs) interrupts" ;;
	esac
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

ring3_guests() {
	local poll

	if ! echo 'int f(void) { return 0; }' | gcc -mx32 -ffreestanding -c -x c -o "$dir/x32.o" - 2>"$logs/ring3-build.err"; then
		wanted "ring 3" || return 0
		skip "gcc cannot make x32 code: $(head -n 1 "$logs/ring3-build.err")"
		return
	fi
	if ! tests/payload/ring3/build.sh "$dir" >"$logs/ring3-build.err" 2>&1; then
		wanted "ring 3" || return 0
		fails "$(head -n 2 "$logs/ring3-build.err")"
		return
	fi
	for poll in off adaptive always; do
		ring3_verified "ring 3: depth 1, completions polled, poll=$poll" poll 1 1 1 "poll=$poll"
		ring3_verified "ring 3: depth 1, interrupts, poll=$poll" irq 1 1 1 "poll=$poll"
		ring3_verified "ring 3: depth 16, 2 queues, completions polled, poll=$poll" poll 16 2 1 "poll=$poll"
		ring3_verified "ring 3: depth 16, 2 queues, interrupts, poll=$poll" irq 16 2 1 "poll=$poll"
		ring3_verified "ring 3: 2 vCPUs, 4 queues on 2 threads, poll=$poll" irq 8 4 2 "poll=$poll,iothreads=2"
	done
	if wanted "ring 3: wrong data is seen"; then
		ring3 "mode=poll depth=1 count=10 verify=1" --disk null:16M,queues=1
		if grep -q "FAIL.*mismatches" "$out"; then pass; else fails "null: gave back what was written"; fi
	fi
	if wanted "ring 3: a second of random reads"; then
		ring3 "mode=irq depth=32 seconds=1" --disk null:1G,queues=1
		if [ "$(ring3_said requests)" -gt 100 ]; then judge 0 0; else fails "no figures"; fi
	fi
}
