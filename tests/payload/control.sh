# SPDX-License-Identifier: GPL-2.0-only
#
# Guests that are controlled while they run: lkvm list, stat, stop and so on;
# sourced by run.sh.  Their sockets are in a directory of their own.

sockets=""	# this is it
said=$dir/said	# what the last command said, and on stderr:
told=$dir/told

# ctl STATUS COMMAND...: lkvm COMMAND; adds to $wrong if it ends otherwise
ctl() {
	local expect=$1 got=0

	shift
	timeout 60 "$lkvm" "$@" >"$said" 2>"$told" || got=$?
	[ "$got" -eq "$expect" ] || wrong+=" lkvm $*: status $got, not $expect: $(head -n 1 "$told")."
}

# declines TEXT COMMAND...: fails with one line that has the text
declines() {
	local text=$1

	shift
	ctl 125 "$@"
	[ "$(wc -l <"$told")" -eq 1 ] || wrong+=" lkvm $*: not one line: $(cat "$told")."
	grep -q -- "$text" "$told" || wrong+=" lkvm $*: not \`$text': $(cat "$told")."
}

# field FILTER WANT: of the JSON that the last command printed
field() { wrong+=$(same "$1" "$2" "$(jq -r "$1" "$said" 2>&1)"); }

# until_field FILTER COMMAND...: up to 20 s until it is true of what it prints
until_field() {
	local filter=$1

	shift
	for _ in $(seq 200); do
		timeout 60 "$lkvm" "$@" >"$said" 2>"$told" || true
		! jq -e "$filter" "$said" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	wrong+=" lkvm $*: never $filter."
}

# guests: the JSON of those that are ours; this user may have others
guests() {
	ctl 0 list --json
	jq 'map(select(.name | test("^(web|any[0-9]*|ten[0-9]*)$")))' "$said" >"$said.ours"
	mv "$said.ours" "$said"
}

# nothing_left: no socket after a list
nothing_left() {
	guests
	field length 0
	wrong+=$(same "sockets" "" "$(ls "$sockets/lkvm" 2>/dev/null)")
}

# controlled NAME FUNCTION ARGS...: a case, which adds to $wrong
controlled() {
	local wrong=""

	wanted "$1" || return 0
	shift
	"$@"
	nothing_left
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

# named CASE OPTIONS...: a guest called web
named() { start "$@" --name web || wrong+=" not READY."; }

# kill_named STATUS: it ends by lkvm stop --force
kill_named() {
	ctl 0 stop web --force
	ended
	wrong+=$(same "status of the guest" 143 "$status")
	wrong+=$(same "lines on stderr" 0 "$(wc -l <"$err")")
}

control_list() {
	nothing_left
	named "spin" --disk null:1G,queues=3 --disk "null:2G,ro" --cpus 2 --mem 64M
	ctl 0 list
	wrong+=$(same "line" "web $pid running 2 64M vda,vdb" "$(awk '$1 == "web" { print $1, $2, $3, $4, $5, $7 }' "$said")")
	guests
	field length 1
	field '.[0] | [.name, .pid, .state, .cpus, .mem] | join(" ")' "web $pid running 2 67108864"
	field '.[0].disks[0] | [.name, .path, .size, .queues, .readonly] | join(" ")' "vda null:1G 1073741824 3 false"
	field '.[0].disks[1] | [.name, .size, .queues, .readonly] | join(" ")' "vdb 2147483648 2 true"
	kill -STOP "$pid"
	guests
	field '.[0] | [.name, .pid, .state] | join(" ")' "web $pid silent"
	kill -CONT "$pid"
	kill_named
}

# One that ends while it is asked is left out; one that refuses a client is alive.
control_list_refused() {
	local lister clients=()

	named "spin"
	for _ in $(seq 32); do
		socat -u "UNIX-CONNECT:$sockets/lkvm/web.sock" /dev/null 2>/dev/null &
		clients+=($!)
	done
	# A list that came before the last of them would have its place.
	for _ in $(seq 200); do
		[ "$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)" -lt 33 ] || break
		sleep 0.1
	done
	until_field 'map(select(.name == "web"))[0].state == "busy"' list --json
	kill "${clients[@]}" 2>/dev/null || true
	wait "${clients[@]}" 2>/dev/null || true
	until_field 'map(select(.name == "web"))[0].state == "running"' list --json
	kill -STOP "$pid" 2>/dev/null || wrong+=" it has ended: $(head -n 1 "$err")."
	"$lkvm" list --json >"$said" &
	lister=$!
	sleep 0.4
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	wait "$lister" || wrong+=" list: status $?."
	field 'map(select(.name == "web")) | length' 0
}

# Wrong uses of each command name the remedy.
control_wrong() {
	local command

	declines "^lkvm: web: no such guest; " stat web
	named "spin" --disk null:1G
	declines "^lkvm: wob: no such guest; there are:.* web\\>" stat wob
	declines "not a name of a guest" stop ../web
	for command in stat stop pause resume resize throttle set-poll debug; do
		declines "$command: too few arguments: lkvm $command NAME.*see lkvm $command --help" "$command"
		declines "$command: unknown option --wrong; see lkvm $command --help" "$command" --wrong
		ctl 0 "$command" --help
		grep -q "^usage: lkvm $command NAME" "$said" || wrong+=" no usage of $command."
		ctl 0 help "$command"
	done
	declines "list: unexpected argument web" list web
	declines "stat: unexpected argument vda" stat web vda
	declines "too few arguments: lkvm resize NAME DISK" resize web
	declines "^lkvm: web: no such disk: vdz; there are: vda$" resize web vdz 1G
	declines "no such disk: sda; there are: vda" throttle web sda iops=1
	declines "no such disk: vdb; there are: vda" set-poll web vdb off
	for command in 0 1000 1G1 -1 1,5G 99999999T x; do
		declines "--help\|vda.*not a multiple of its blocks of 512 bytes; give one, like \(512\|1024\)$\|size .*: not a size" resize web vda "$command"
	done
	declines "throttle: iops: give KEY=VALUE with a key of iops" throttle web vda iops
	declines "throttle: iopz=7: give KEY=VALUE" throttle web vda iopz=7
	declines "throttle: request=3: give KEY=VALUE" throttle web vda request=3
	declines "throttle: (empty): give KEY=VALUE" throttle web vda ""
	declines "throttle: iops=5,bps=3: there is a comma; give each KEY=VALUE as a word of its own" throttle web vda iops=5,bps=3
	declines "size (empty): not a size" resize web vda ""
	declines "no such disk: (empty); there are: vda" resize web "" 1G
	declines "poll (empty): give off" set-poll web vda ""
	declines "throttle: iops: given twice" throttle web vda iops=1 iops=2
	declines "^lkvm: web: iops-burst: there is no limit; give iops=, too" throttle web vda iops-burst=5
	declines "^lkvm: web: bps-burst: there is no limit" throttle web vda bps=0 bps-burst=5
	declines "iops 10000001: not a size or number up to 10000000" throttle web vda iops=10000001
	declines "bps 1X: not a size" throttle web vda iops=5 bps=1X
	declines "poll never: give off|adaptive|always|MAX_US, microseconds from 1 to 100000" set-poll web vda never
	declines "poll 0: give off" set-poll web vda 0
	for command in "throttle web vda iops=B" "throttle web B iops=1" "resize web vda B" "resize web B" "set-poll web vda B" "set-poll web B off"; do
		# shellcheck disable=SC2086 # words; B: a byte that is no UTF-8
		declines "?.*: not a size\|no such disk: ?; there are: vda\|poll ?: give off" ${command//B/$'\xff'}
	done
	declines "leave out --json" stat web --prometheus --json
	declines "stat: --interval 5: --json has .*; leave out --interval, or add --watch" stat web --json --interval 5
	declines "stat: --interval 5: --prometheus has .*; leave out --interval$" stat web --prometheus -i 5
	declines "interval 0: not a number from 1" stat web --interval=0
	kill_named
}

# Up to 10 s until the guest listens to lkvm stop; it does not end by that.
until_stop_heard() {
	for _ in $(seq 100); do
		got=0
		"$lkvm" stop web --timeout 1 >"$said" 2>"$told" || got=$?
		[ $got -eq 125 ] || return 0
		sleep 0.1
	done
	wrong+=" lkvm stop: never heard."
}

control_stop() {
	named "spin"
	declines "does not listen to its power button.*--force" stop web
	ctl 0 pause web
	declines "is paused.*resume it first.*--force" stop web
	ctl 0 resume web
	kill_named
	named "button"
	ctl 0 stop web
	ended
	wrong+=$(verdict 0 0)
	named "button ignore=1"
	ctl 124 stop web --timeout=1
	grep -q "after 1 seconds.*--timeout.*--force" "$told" || wrong+=" not told what helps: $(cat "$told")."
	grep -q PRESSED "$out" || wrong+=" not pressed."
	kill_named
	start "stopped deaf=1" --name web -- true || wrong+=" not READY."
	declines "its command does not run yet; try again later, or add --force" stop web
	kill_named
	start "stopped" --name web -- true || wrong+=" not READY."
	ctl 0 pause web
	declines "is paused.*resume it first.*--force" stop web
	ctl 0 resume web
	until_stop_heard
	ctl 0 stop web
	ended
	wrong+=$(verdict 42 0)
}

# Not a tick while it is paused; what it reads goes on behind it.
control_pause() {
	local before

	named "reads" --disk null:1G,queues=1 --cpus 2
	ctl 0 pause web
	ctl 0 pause web
	guests
	field '.[0].state' paused
	sleep 0.2
	before=$(vcpu_ticks)
	ctl 0 stat web --json
	sleep 0.3
	wrong+=$(same "ticks while paused" "$before" "$(vcpu_ticks)")
	field '.disks[0].queues[0].requests > 0' true
	ctl 0 debug web --json
	field '.vcpus | length' 2
	before=$(jq '.vcpus[0].registers.rip' "$said")
	ctl 0 debug web --json
	field '.vcpus[0].registers.rip' "${before//\"/}"
	ctl 0 throttle web vda iops=1000
	ctl 0 resume web
	ctl 0 resume web
	guests
	field '.[0].state' running
	before=$(vcpu_ticks)
	sleep 0.5
	[ "$(vcpu_ticks)" -gt "$before" ] || wrong+=" does not run again."
	ctl 0 pause web
	kill_named
}

# What failed for want of room is tried again on resume, and told no twice.
control_full() {
	start "host blocks=500" --name web --disk "$small/disk.img,queues=1,cache=writeback,werror=stop" ||
		wrong+=" not READY."
	told 1 "$no_room; the guest is paused: .* lkvm resume web, or kill -USR2 $pid" || wrong+=" not told that it is paused."
	guests
	field '.[0].state' paused
	mount -o remount,size=8M "$small"
	ctl 0 resume web
	ended
	wrong+=$(verdict 0 1)
}

# resized TO COMMAND... -- KEYS PARAMS: a disk of 2048 sectors becomes one of TO
resized() {
	local to=$1 disk=$dir/resized.img command=()

	shift
	while [ "$1" != -- ]; do command+=("$1"); shift; done
	image "$disk" 1M
	named "resized sectors=2048 to=$to $3" --disk "$disk,queues=2$2"
	declines "1048576 bytes, and what is behind 524288 would be lost; add --shrink" resize web vda 512K
	ctl 0 "${command[@]}"
	wrong+=$(same said "vda: $((to * 512)) bytes" "$(cat "$said")")
	wrong+=$(same "the image" $((to * 512)) "$(stat -c %s "$disk")")
	ended
	wrong+=$(verdict 0 0)
	rm -f "$disk"
}

resized_outside() {
	local disk=$dir/resized.img

	image "$disk" 1M
	named "resized sectors=2048 to=4096" --disk "$disk,queues=1"
	truncate -s 2M "$disk"
	ctl 0 resize web vda
	ended
	wrong+=$(verdict 0 0)
	rm -f "$disk"
}

resized_device() {
	local disk=$dir/resized.img device

	image "$disk" 1M
	device=$(losetup --show -f "$disk")
	named "resized sectors=2048 to=4096" --disk "$device,queues=1"
	declines "is a block device of 1048576 bytes; resize that, and leave out the size" resize web vda 2M
	truncate -s 2M "$disk"
	losetup -c "$device"
	ctl 0 resize web vda
	ended
	wrong+=$(verdict 0 0)
	losetup -d "$device"
	rm -f "$disk"
}

# The host cannot: the disk stays what it was.
resized_in_vain() {
	local disk=$dir/resized.img size

	image "$disk" 1M
	named "reads" --disk "$disk,queues=1,ro" --disk "$disk,queues=1,ro"
	for size in 2M "512K --shrink"; do
		# shellcheck disable=SC2086 # words
		declines "vda: it is read-only; resize .*resized.img on the host and leave out the size, or run the guest without ro" resize web vda $size
	done
	kill_named
	(ulimit -f 2048 && named "reads" --disk "$disk,queues=1" && echo "$pid" >"$dir/pid" && wait "$pid") &
	for _ in $(seq 100); do
		! ctl_alive || break
		sleep 0.1
	done
	declines "the host cannot make .* 4194304 bytes long: File too large; see df and ulimit" resize web vda 4M
	guests
	field '.[0].disks[0].size' 1048576
	ctl 0 stop web -f
	wait
	rm -f "$disk"
}
ctl_alive() { "$lkvm" stat web --json >/dev/null 2>&1; }

# How many requests a second a guest gets: of two samples.
rate() {
	"$lkvm" stat web --json >"$said"
	sleep "$1"
	"$lkvm" stat web --json | jq -s '(.[1].disks[0].queues[0].requests - .[0].disks[0].queues[0].requests)
		/ (.[1].time_ns - .[0].time_ns) * 1e9 | floor' "$said" -
}

control_throttle() {
	local got

	named "reads" --disk null:1G,queues=1
	ctl 0 throttle web vda iops=100 iops-burst=1
	got=$(rate 1 || echo 999999)
	[ "$got" -le 120 ] || wrong+=" iops=100: $got."
	# The debt of an hour is forgotten with its limit.
	ctl 0 throttle web vda bps=1 iops=0
	sleep 0.5
	ctl 0 throttle web vda bps=0
	until_field '.disks[0].queues[0].requests > 10000' stat web --json
	ctl 0 throttle web vda iops=20 iops-burst=1 bps=1M
	got=$(rate 1 || echo 999999)
	[ "$got" -le 40 ] || wrong+=" iops=20: $got."
	kill_named
}

control_poll() {
	local mode

	named "reads" --disk null:1G,queues=2,iothreads=1,poll=off
	for mode in always 7 off adaptive always; do
		ctl 0 set-poll web vda "$mode"
		ctl 0 debug web --json
		case $mode in
		always) field '[.disks[0].queues[] | .poll_always] | unique | join(" ")' 1 ;;
		7) field '[.disks[0].queues[] | .poll_max_ns] | unique | join(" ")' 7000 ;;
		off) field '[.disks[0].queues[] | .poll_always, .poll_max_ns] | unique | join(" ")' 0 ;;
		adaptive) field '[.disks[0].queues[] | .poll_max_ns] | min >= 200000 and max <= 5000000' true ;;
		esac
	done
	kill_named
}

control_debug() {
	named "served reads=20" --disk null:1G,queues=2 --disk null:1G,packed=on --cpus 2
	ctl 0 debug web --json
	field '[.vcpus[].id] | join(" ")' "0 1"
	field '.vcpus[0].registers.rip | test("^0x10[0-9a-f]+$")' true
	field '.disks[0].queues[0] | [.active, .in_flight, .avail_idx, .last_avail_idx, .used_idx, .pushed] | join(" ")' "1 0 20 20 20 20"
	field '.disks[0].queues[1].active' 0
	field '[.disks[].answers] | unique | join(" ")' true
	field '[.threads[].name | select(startswith("lkvm"))] | sort | join(" ")' "lkvm lkvm/vcpu0 lkvm/vcpu1 lkvm/vda.q0 lkvm/vda.q1 lkvm/vdb.q0 lkvm/vdb.q1"
	field '[.threads[] | select(.name == "lkvm/vcpu0") | .tid] == [.vcpus[0].tid]' true
	field '[.threads[] | select(.affinity == "")] | length' 0
	ctl 0 debug web
	grep -q "rip  *0x10" "$said" || wrong+=" no registers."
	grep -q "lkvm/vdb.q1 " "$said" || wrong+=" no threads."
	grep -q "used_idx=20" "$said" || wrong+=" no rings."
	kill_named
}

# Each counter is there in each form, and is what the guest has done.
control_stat() {
	local key

	named "served reads=123" --disk null:1G,queues=2
	ctl 0 stat web --json
	field '.disks[0].queues[0] | [.requests, .reads, .read_bytes] | join(" ")' "123 123 62976"
	field '[.disks[0].queues[0].latency_ns[]] | add' 123
	jq -r '(.disks[0].queues[0] | to_entries[] | select(.value | type == "number") | .key | select(. != "index") | "disk_queue_\(.)"),
		(.disks[0] | to_entries[] | select(.value | type == "number") | "disk_\(.key)"),
		(.iothreads[0] | to_entries[] | select(.value | type == "number") | "iothread_\(.key)")' "$said" >"$dir/keys"
	ctl 0 stat web --prometheus
	while read -r key; do
		grep -qE "^lkvm_${key/%_ns/_seconds}(_total)?\{guest=\"web\"" "$said" || wrong+=" --prometheus lacks $key."
	done <"$dir/keys"
	[ "$(wc -l <"$dir/keys")" -gt 30 ] || wrong+=" hardly any counters."
	grep -qx 'lkvm_disk_queue_reads_total{guest="web",disk="vda",queue="0"} 123' "$said" || wrong+=" not 123 reads."
	! command -v promtool >/dev/null || promtool check metrics <"$said" >/dev/null 2>&1 || wrong+=" promtool does not take them."
	wrong+=$(same "metrics with help twice" "" "$(grep '^# HELP' "$said" | cut -d' ' -f3 | sort | uniq -d)")
	ctl 0 stat web
	wrong+=$(same "lines" "DISK vda vda vda" "$(awk '{ print $1 }' "$said" | xargs)")
	kill_named
}

# Blocks on a pipe; Ctrl-C ends it with 0, as the guest's end does.
control_watch() {
	local watcher got=0

	named "reads" --disk null:1G,queues=1
	env --default-signal=INT "$lkvm" stat web --watch >"$said" 2>"$told" &
	watcher=$!
	for _ in $(seq 200); do
		[ "$(grep -c DISK "$said")" -lt 2 ] || break
		sleep 0.1
	done
	[ "$(grep -c DISK "$said")" -ge 2 ] || wrong+=" not two tables."
	kill -INT "$watcher"
	wait "$watcher" || got=$?
	wrong+=$(same "status by Ctrl-C" 0 "$got")
	wrong+=$(same "its stderr" "" "$(cat "$told")")
	"$lkvm" stat web --watch --json >"$said" 2>"$told" &
	watcher=$!
	for _ in $(seq 200); do
		[ "$(wc -l <"$said")" -lt 2 ] || break
		sleep 0.1
	done
	kill_named
	got=0
	wait "$watcher" || got=$?
	wrong+=$(same "status by the guest's end" 0 "$got")
	wrong+=$(same "lines that are no JSON" 0 "$(jq -c .version "$said" | grep -vc 2)")
}

control_watch_terminal() {
	local watcher fifo=$dir/keys

	named "reads" --disk null:1G,queues=1
	rm -f "$fifo"
	mkfifo "$fifo"
	script -qefc "trap : INT; stty -g; $lkvm stat web --watch; echo status \$?; stty -g" /dev/null <"$fifo" >"$said" 2>"$told" &
	watcher=$!
	exec 9>"$fifo"
	wait_for "$said" "POLL" || wrong+=" no table."
	sleep 1.2
	printf '\003' >&9
	wait_for "$said" "^status" || wrong+=" not ended by Ctrl-C."
	exec 9>&-
	wait "$watcher" || true
	rm -f "$fifo"
	tr -d '\r' <"$said" >"$said.lines"
	grep -q $'\033\\[H' "$said.lines" || wrong+=" not redrawn."
	grep -aq "status 0$" "$said.lines" || wrong+=" status: $(grep -a status "$said.lines")."
	wrong+=$(same "the terminal" "$(sed -n 1p "$said.lines")" "$(tail -n 1 "$said.lines")")
	kill_named
}

control_two_of_a_name() {
	local got=0

	named "spin"
	timeout 20 "$lkvm" run -k "$payload" --params case=poweroff --name web </dev/null >"$said" 2>"$told" || got=$?
	wrong+=$(same "status of the second" 125 "$got")
	wrong+=$(same "what it says" "lkvm: --name web: a guest of this name is running; give another name, or end it by lkvm stop web" "$(cat "$told")")
	guests
	field '.[0].pid' "$pid"
	kill_named
	got=0
	timeout 20 "$lkvm" run -k "$payload" --params case=poweroff --name a/b </dev/null >"$said" 2>"$told" || got=$?
	wrong+=$(same "status of a/b" 125 "$got")
	grep -q "a/b: not a name of a guest" "$told" || wrong+=" not told of a/b."
}

# A guest of a login session is seen from outside of it, and has its name alone.
control_session() {
	local got

	got=$(lkvm=$lkvm payload=$payload unshare -m --propagation private bash -c '
		mount -t tmpfs none /run/user && mkdir -m 700 "/run/user/$UID" || exit
		export XDG_RUNTIME_DIR=/run/user/$UID
		"$lkvm" run -k "$payload" --params case=spin --name web --timeout 60 </dev/null >/dev/null 2>&1 &
		until "$lkvm" stat web --json >/dev/null 2>&1; do sleep 0.1; done
		echo "$("$lkvm" list | grep -c "^web ")"
		unset XDG_RUNTIME_DIR
		echo "$("$lkvm" list | grep -c "^web ")"
		"$lkvm" run -k "$payload" --params case=poweroff --name web </dev/null 2>/dev/null || echo $?
		"$lkvm" stop web --force
		wait' 2>&1 | xargs)
	wrong+=$(same "seen inside, outside, and the second" "1 1 125" "$got")
}

# What kill -9 leaves does not keep the next one from its name.
control_killed() {
	for _ in 1 2; do
		named "spin"
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
		[ -S "$sockets/lkvm/web.sock" ] || wrong+=" no socket."
	done
	nothing_left
}

control_killed_any_time() {
	local i

	for i in $(seq 12); do
		"$lkvm" run -k "$payload" --params case=reads --name "any$((i % 3))" --disk null:1G,queues=4 </dev/null >"$out" 2>"$err" &
		pid=$!
		[ $((i % 2)) = 1 ] || "$lkvm" stat "any$((i % 3))" --watch >/dev/null 2>&1 &
		sleep "0.0$((i * 7 % 10))"
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
	done
	wait
	wrong+=$(same "stderr of the last" "" "$(cat "$err")")
}

# As docs/control.md shows it.
control_by_hand() {
	named "spin" --disk null:1G,queues=1
	printf '%s\n' '{"version": 1, "request": "info"}' 'no JSON' '{"version": 1, "request": "stop", "force": "yes"}' \
		'{"version": 1, "request": "pause"}' |
		socat -t 5 - "UNIX-CONNECT:$sockets/lkvm/web.sock" >"$said"
	wrong+=$(same "answers" 4 "$(wc -l <"$said")")
	wrong+=$(same "the first" web "$(sed -n 1p "$said" | jq -r .result.name)")
	sed -n 2p "$said" | jq -r .error | grep -q "not JSON" || wrong+=" the second is no error."
	sed -n 3p "$said" | jq -r .error | grep -q "force: neither true nor false" || wrong+=" the third is no error."
	wrong+=$(same "the fourth" '{"version":1,"result":{}}' "$(sed -n 4p "$said" | jq -c .)")
	head -c 100000 /dev/zero | socat -t 5 - "UNIX-CONNECT:$sockets/lkvm/web.sock" >"$said" 2>/dev/null || true
	guests
	field '.[0].state' paused
	kill_named
}

# Ten guests of four disks of four queues, and for each everything at once.
control_ten() {
	local n pids=() jobs=() job disks=()

	for n in vda vdb vdc vdd; do disks+=(--disk "null:1G,queues=4"); done
	for n in $(seq 10); do
		"$lkvm" run -k "$payload" --params case=reads --name "ten$n" --mem 32M "${disks[@]}" --timeout 300 \
			</dev/null >"$out.$n" 2>"$err.$n" &
		pids+=($!)
	done
	for n in $(seq 10); do wait_for "$out.$n" READY || wait_for "$out.$n" READY || wrong+=" ten$n is not READY."; done
	for n in $(seq 10); do
		ten_commands "ten$n" >"$said.$n" 2>&1 &
		jobs+=($!)
	done
	for job in "${jobs[@]}"; do wait "$job" || wrong+=" a command failed."; done
	wrong+=$(cat "$said".[0-9]* | tr '\n' ' ')
	guests
	field 'length' 10
	field '[.[].state] | unique | join(" ")' running
	field '[.[].disks[].size] | unique | join(" ")' "1073741824 2147483648"
	for n in $(seq 10); do "$lkvm" stop "ten$n" -f || wrong+=" ten$n was not stopped."; done
	for job in "${pids[@]}"; do
		status=0
		wait "$job" || status=$?
		wrong+=$(same "status" 143 "$status")
	done
	wrong+=$(cat "$err".[0-9]*)
	rm -f "$out".[0-9]* "$err".[0-9]* "$said".[0-9]*
}

# Everything that can be asked of guest $1, side by side.
ten_commands() {
	local job jobs=() disk

	for disk in vda vdb vdc vdd; do
		"$lkvm" throttle "$1" "$disk" iops=1000 & jobs+=($!)
		"$lkvm" set-poll "$1" "$disk" 50 & jobs+=($!)
	done
	"$lkvm" resize "$1" vdb 2G >/dev/null & jobs+=($!)
	"$lkvm" stat "$1" --json >/dev/null & jobs+=($!)
	"$lkvm" stat "$1" --prometheus >/dev/null & jobs+=($!)
	"$lkvm" debug "$1" >/dev/null & jobs+=($!)
	"$lkvm" pause "$1" & jobs+=($!)
	"$lkvm" list >/dev/null & jobs+=($!)
	for job in "${jobs[@]}"; do wait "$job" || return 1; done
	"$lkvm" resume "$1"
}

control_guests() {
	sockets=$(mktemp -d /tmp/lkvm-test-XXXXXX)
	export XDG_RUNTIME_DIR=$sockets
	controlled "control: list" control_list
	controlled "control: list, of guests that do not serve it" control_list_refused
	controlled "control: wrong uses" control_wrong
	controlled "control: stop, by the power button and by force" control_stop
	controlled "control: pause and resume" control_pause
	on_small "control: resumed when there is room" controlled "control: resumed when there is room" control_full
	controlled "control: a disk grows" resized 4096 resize web vda 2M -- "" ""
	controlled "control: a disk grows, packed ring, MMIO" resized 4096 resize web vda 2M -- ,packed=on,transport=mmio "packed=1 transport=mmio"
	controlled "control: a disk shrinks" resized 1024 resize web vda 512K --shrink -- "" ""
	controlled "control: an image that has grown" resized_outside
	if losetup -f >/dev/null 2>&1; then
		controlled "control: a block device that has grown" resized_device
	elif wanted "control: a block device that has grown"; then
		skip "cannot make a loop device here"
	fi
	controlled "control: a disk that cannot grow" resized_in_vain
	controlled "control: throttle" control_throttle
	controlled "control: set-poll" control_poll
	controlled "control: debug" control_debug
	controlled "control: stat" control_stat
	controlled "control: stat --watch" control_watch
	controlled "control: stat --watch on a terminal" control_watch_terminal
	controlled "control: two guests of one name" control_two_of_a_name
	if unshare -m true 2>/dev/null; then
		controlled "control: a guest of a login session" control_session
	elif wanted "control: a guest of a login session"; then
		skip "cannot make a mount namespace here"
	fi
	controlled "control: killed" control_killed
	controlled "control: killed at any time" control_killed_any_time
	controlled "control: by socat" control_by_hand
	controlled "control: ten guests at once" control_ten
	unset XDG_RUNTIME_DIR
	rm -rf "$sockets"
}
