# SPDX-License-Identifier: GPL-2.0-only
#
# What docs/tracing.md promises; sourced by run.sh.

# "NAME ARGUMENTS" of each probe that the binary has.
probes_there() {
	readelf -n "$lkvm" 2>/dev/null | awk '
		$1 == "Provider:" { lkvm = $2 == "lkvm" }
		$1 == "Name:" { name = $2 }
		$1 == "Arguments:" && lkvm { print name, NF - 1 }' | sort -u
}

# The same of the table in the document.
probes_told() {
	awk -F'|' '/^\| `[a-z_]+` \|/ { gsub(/[` ]/, "", $2); print $2, split($4, args, ",") }' docs/tracing.md | sort -u
}

# Before any /dev/kvm is asked for.
probe_notes() {
	wanted "probes: as docs/tracing.md has them" || return 0
	: >"$out" >"$err"
	if [ "$(probes_there)" = "$(probes_told)" ] && [ "$(probes_told | wc -l)" -ge 9 ]; then
		pass
	else
		fails "$(diff <(probes_told) <(probes_there) | grep '^[<>]' | tr '\n' ';')"
	fi
}

# bpf SCRIPT: has it watch $pid, up to its end, in $dir/bpf.out.  tracefs is
# mounted for it alone.
bpf() {
	timeout -k 5 60 unshare -m sh -c \
		"mount -t tracefs tracefs /sys/kernel/tracing && exec bpftrace -p $pid $1" \
		>"$dir/bpf.out" 2>&1 &
}

# Why bpftrace is of no use here; empty if it works.
bpf_missing() {
	if ! command -v bpftrace >/dev/null; then
		echo "no bpftrace"
	elif [ "$(id -u)" -ne 0 ]; then
		echo "bpftrace needs root"
	elif ! unshare -m true 2>/dev/null; then
		echo "no mount namespace of its own"
	elif ! unshare -m sh -c 'mount -t tracefs t /sys/kernel/tracing && [ -e /sys/kernel/tracing/uprobe_events ]' 2>/dev/null; then
		echo "no uprobes in this kernel"
	fi
}

# bpf_guest SCRIPT REGEX...: the script must print a line that matches each.
bpf_guest() {
	local script=$1 missing wrong="" regex bpf
	shift

	wanted "probes: $script" || return 0
	missing=$(bpf_missing)
	if [ -n "$missing" ]; then
		skip "$missing"
		return
	fi
	status=0
	"$lkvm" run -k "$payload" --params "case=reset-storm rounds=1000000" --cpus 2 --timeout 60 \
		--disk null:16M,queues=4 </dev/null >"$out" 2>"$err" &
	pid=$!
	bpf "scripts/$script"
	bpf=$!
	wait_for "$dir/bpf.out" Attaching || wrong=" It is not attached."
	sleep 3
	kill -TERM "$pid"
	wait "$pid" || status=$?
	wait "$bpf" || true
	[ "$status" -eq 143 ] || wrong+=" The guest's status is $status."
	for regex; do
		grep -qE "$regex" "$dir/bpf.out" || wrong+=" No $regex."
	done
	if [ -n "$wrong" ]; then fails "$wrong $(head -n 3 "$dir/bpf.out")"; else pass; fi
}

tracing_guests() {
	bpf_guest request-path.bt 'vda.q[0-3]  kick  *wakes lkvm/vda' 'pop  *tag [0-9]+, head' \
		'stage  *tag [0-9]+, op [01], 512 bytes at' 'submit  *[1-8] by lkvm/vda.q[0-3], null' \
		'complete  *tag [0-9]+, status 0, after' 'publish  *[1-8]$' 'interrupt  *sent'
	bpf_guest latency.bt '^@decode_ns\[vda, 0\]' '^@disk_ns\[vda, 1\]' '^@total_ns\[vda, 2\]' \
		'^@publish_ns\[vda, 3\]' '^@batch\[vda, 0\]'
}
