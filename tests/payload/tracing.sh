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

# with_tracefs COMMAND: it is mounted for that alone, if it is not
with_tracefs() {
	unshare -m sh -c "cd /sys/kernel/tracing && { [ -e uprobe_events ] ||
		mount -t tracefs tracefs . ; } && cd $PWD && exec $1"
}

# bpf SCRIPT: has it watch $pid, up to its end, in $dir/bpf.out.
bpf() { with_tracefs "timeout -k 5 60 bpftrace -p $pid $1" >"$dir/bpf.out" 2>&1 & }

# Why bpftrace is of no use here; empty if it works.
bpf_missing() {
	if ! command -v bpftrace >/dev/null; then
		echo "no bpftrace"
	elif [ "$(id -u)" -ne 0 ]; then
		echo "bpftrace needs root"
	elif ! unshare -m true 2>/dev/null; then
		echo "no mount namespace of its own"
	elif ! with_tracefs "test -e /sys/kernel/tracing/uprobe_events" 2>/dev/null; then
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

# traced NAME OPTIONS...: guest "mq" with --trace: each request that the counters
# know must be in the file once, with times that rise.
traced() {
	local trace=$dir/guest.trace csv=$dir/guest.csv stats=$dir/guest.stats wrong queue want
	wanted "trace: $1" || return 0
	shift
	rm -f "$trace"
	guest "$1" --trace "$trace" --stats "$stats" "${@:2}"
	wrong=$(verdict 0 0)
	"$lkvm" trace "$trace" --csv >"$csv" 2>>"$err" || wrong+=" It cannot be read."
	# Times rise, none is missing, no request is there twice.
	wrong+=$(awk -F, 'NR > 1 {
			if (NF != 10 || $7 == "" || $8 == "" || $9 == "" || $10 == "") bad = " Times are missing."
			if ($8 < $7 || $9 < $8 || $10 < $9) bad = " Times do not rise."
		} END { print bad }' "$csv")
	while read -r queue want; do
		wrong+=$(same "requests of queue $queue" "$want" "$(awk -F, -v q="$queue" 'NR > 1 && $2 == q' "$csv" | wc -l)")
	done < <(jq -r '.disks[0].queues[] | "\(.index) \(.requests)"' "$stats")
	wrong+=$(same bytes "$(jq '[.disks[0].queues[] | .read_bytes + .written_bytes] | add' "$stats")" \
		"$(awk -F, '$3 == "read" || $3 == "write" { if (!$4) n += $6 } END { print n + 0 }' "$csv")")
	wrong+=$(same "requests in the JSON" "$(jq '[.disks[0].queues[].requests] | add' "$stats")" \
		"$("$lkvm" trace "$trace" --json | jq '[.queues[].ops[].requests] | add')")
	wrong+=$(same batches "$(jq '[.disks[0].queues[].batches] | add' "$stats")" \
		"$("$lkvm" trace "$trace" --json | jq '[.queues[].batches] | add')")
	wrong+=$(same "queues of --queue 1" 1 "$("$lkvm" trace "$trace" --queue 1 --json | jq -r '[.queues[].queue] | join(",")')")
	rm -f "$dir/guest.svg"
	"$lkvm" trace "$trace" --svg "$dir/guest.svg" >"$dir/guest.table" && # and over itself
		"$lkvm" trace "$trace" --svg "$dir/guest.svg" >"$dir/guest.table" || wrong+=" No picture."
	grep -q '</svg>' "$dir/guest.svg" || wrong+=" The picture has no end."
	wrong+=$(same "requests in the picture" "$(($(head -n 1001 "$csv" | wc -l) - 1))" "$(grep -c '<g>' "$dir/guest.svg")")
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# unshown NAME TEXT OPTIONS...: lkvm trace must say so, in one line, and end with 125
unshown() {
	local text=$2

	wanted "trace: $1" || return 0
	shift 2
	refused_by "$text" "$lkvm" trace "$@"
}

# Two requests of one queue, popped after 1 s and 5000 s: --from and --to have no 32 bits.
trace_long() {
	local long=$dir/long.trace zero8='\0\0\0\0\0\0\0\0' ns wrong=""

	wanted "trace: longer than an hour" || return 0
	{
		printf "lkvmtrc\n\4\3\2\1\1\0\0\0$zero8$zero8\1\0\0\0\0\0\0\0"
		printf "vda\0\0\0\0\0$zero8\0\0\0\0\0\1\0\0"
		printf "\0\0\0\0\2\0\0\0$zero8"
		for ns in '\x00\xca\x9a\x3b\0\0\0\0' '\x00\x50\x39\x27\x8c\x04\0\0'; do
			printf "$ns$ns$zero8\1\0\0\0\0\0\0\0"
		done
		printf "\377\377\377\377\0\0\0\0$zero8"
	} >"$long"
	for ns in "--from 0" "--from 4999999999" "--from 5000000001" "--from 2 --to 5000000000" "--from 5000000000 --to 5000000001"; do
		# shellcheck disable=SC2086 # words
		wrong+=" $("$lkvm" trace "$long" --csv $ns 2>&1 | awk -F, 'NR > 1 { printf "%s;", $7 / 1e9 }')"
	done
	if [ "$wrong" = " 1;5000; 5000;  1; 5000;" ]; then pass; else fails "$wrong"; fi
}

trace_guests() {
	local image=$dir/traced.img trace=$dir/guest.trace queues file before holder

	image "$image" 1M
	traced "every request once, on a file" mq --disk "$image,queues=4"
	traced "every request once, one thread" "mq shared=1" --disk "$image,queues=4,iothreads=1"
	traced "every request once, aio=threads" mq --disk "$image,queues=4,aio=threads"
	traced "every request once, packed" "mq packed=1" --disk "$image,queues=4,packed=on"
	traced "every request once, with resets" "reset-storm rounds=10" --cpus 2 --disk null:16M,queues=4
	if wanted "trace: no room for it"; then
		status=0
		(ulimit -f 1 && exec "$lkvm" run -k "$payload" --params "case=reset-storm rounds=10" --cpus 2 \
			--timeout 20 --disk null:16M,queues=4 --trace "$dir/small.trace" </dev/null 2>"$err") |
			cat >"$out" || status=$?
		if grep -q "cannot be written: File too large; the guest goes on" "$err"; then judge 0 1; else fails "not told"; fi
	fi
	if wanted "trace: no room at all"; then
		(ulimit -f 0 && exec "$lkvm" run -k "$payload" --params case=poweroff --timeout 20 --disk null:16M \
			--trace "$dir/none.trace" </dev/null 2>&1) | cat >"$err"
		status=${PIPESTATUS[0]}
		if [ "$status" -eq 125 ] && grep -q "none.trace: cannot begin" "$err"; then pass; else fails "status $status"; fi
	fi
	if wanted "trace: a pipe that nobody reads"; then
		rm -f "$dir/trace.fifo" && mkfifo "$dir/trace.fifo"
		guest poweroff --trace "$dir/trace.fifo"
		if [ "$status" -eq 125 ] && grep -q "trace.fifo: a device or a pipe" "$err"; then pass; else fails "status $status"; fi
	fi
	if wanted "trace: an image is not overwritten"; then
		echo image >"$dir/precious.img"
		guest poweroff --trace "$dir/precious.img"
		if [ "$status" -eq 125 ] && [ "$(cat "$dir/precious.img")" = image ]; then pass; else fails "status $status"; fi
	fi
	if wanted "trace: two guests with one file"; then
		rm -f "$dir/two.trace"
		start spin --disk null:16M --trace "$dir/two.trace" || true
		holder=$pid
		before=$(cksum <"$dir/two.trace")
		refused_by "--trace $dir/two.trace: in use by pid $holder; give another" \
			"$lkvm" run -k "$payload" --params case=poweroff --timeout 20 --trace "$dir/two.trace"
		[ "$(cksum <"$dir/two.trace")" = "$before" ] || fails "it has changed"
		kill -TERM "$holder"
		wait "$holder" || true
	fi
	if wanted "trace: dropped records of one queue"; then
		# Queue 0 drops 9 records, queue 1 none: 40 bytes of head, 24 of a queue, 16 of a chunk.
		{
			head -c 32 "$trace" && printf '\2\0\0\0\0\0\0\0'
			printf 'vda\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0'
			printf 'vda\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0'
			printf '\0\0\0\0\0\0\0\0\11\0\0\0\0\0\0\0'
		} >"$dir/dropped.trace"
		queues=$({ "$lkvm" trace "$dir/dropped.trace" && "$lkvm" trace "$dir/dropped.trace" --queue 1; } 2>"$err" |
			awk '/^vda/ { printf "queue %s dropped %s. ", $2, $NF }')
		if [ "$queues" = "queue 0 dropped 9. " ]; then pass; else fails "$queues"; fi
	fi
	trace_long
	unshown "a file that is none" "no trace; give a file" "$payload"
	unshown "no file" "No such file" "$dir/nowhere"
	unshown "no argument" "no file; give one"
	unshown "two files" "unexpected argument" "$trace" "$trace"
	unshown "--json and --csv" "give one of them" "$trace" --json --csv
	unshown "a queue that is not there" "it has no queue" "$trace" --queue 77
	unshown "no request to draw" "no request to draw" "$trace" --from 4000000000 --svg "$dir/none.svg"
	echo image >"$dir/precious.img"
	for file in "$trace" "$dir/precious.img"; do
		[ -e "$trace" ] || continue	# not with a pattern
		before=$(cksum <"$file")
		unshown "--svg on ${file##*/}" "--svg $file: there is a file that is no SVG; give" "$trace" --svg "$file"
		[ "$(cksum <"$file")" = "$before" ] || fails "$file has changed"
	done
	if wanted "topology: --svg on an image"; then
		refused_by "--svg $dir/precious.img: there is a file that is no SVG; give" "$lkvm" topology --disk null:1M --svg "$dir/precious.img"
		[ "$(cat "$dir/precious.img")" = image ] || fails "it has changed"
	fi
	unshown "a time that is none" "--from 1M: not a time in microseconds from 0" "$trace" --from 1M
	unshown "a time that ends before it begins" "not behind --from" "$trace" --from 5 --to 5
}
