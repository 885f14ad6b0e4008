# SPDX-License-Identifier: GPL-2.0-only
#
# lkvm ended at random moments, on a terminal; sourced by run.sh.

# In a terminal of its own: 100 guests that run a command, each ended by a signal
# between its first system call and its guest's loop.  Says what changed.
kill_many() {
	local i signals=(TERM INT HUP QUIT KILL) before status signal

	before=$(stty -g)
	exec 2>/dev/null	# where bash tells how children died
	for i in {1..100}; do
		signal=${signals[i % 5]}
		(
			sleep "0.$(printf %03d $((RANDOM % 150)))"
			until kill -"$signal" "$(pgrep -x -P $$ lkvm)"; do sleep 0.01; done
		) 2>/dev/null &
		status=0
		env --default-signal=INT,QUIT,HUP,TERM "$lkvm" run -k "$payload" --params case=spin --timeout 9 --disk null:16M,queues=4 -- true >/dev/null || status=$?
		wait
		[ $status -ge 128 ] || echo "round $i, SIG$signal: status $status"
		[ "$signal" != KILL ] || stty "$before"	# which it cannot
		[ "$(stty -g)" = "$before" ] || echo "round $i: the terminal has changed"
	done
}

# The same number of guests, one after the other, that end by themselves, with all that
# they are given: a name, a trace, statistics, a locked image.  Says what is wrong.
run_many() {
	local i before status engine

	before=$(ls /dev/shm 2>/dev/null)
	for i in {1..100}; do
		engine=threads status=0
		[ $((i % 10)) -ne 0 ] || engine=native	# whose end takes the kernel 0.2 s
		"$lkvm" run -k "$payload" --params case=poweroff --timeout 9 --name many \
			--disk "$home/image,queues=4,aio=$engine" --stats "$home/stats" --trace "$home/trace" </dev/null >/dev/null 2>"$home/err" || status=$?
		[ $status -eq 0 ] && [ ! -s "$home/err" ] || echo "round $i: status $status, $(cat "$home/err")"
	done
	[ "$before" = "$(ls /dev/shm 2>/dev/null)" ] || echo "shared memory is left"
}

undisturbed_guests() {
	local home=$dir/many.home said

	wanted "100 runs that end by themselves leave nothing behind" || return 0
	rm -rf "$home"
	mkdir "$home"
	truncate -s 1M "$home/image"
	said=$(
		export XDG_RUNTIME_DIR=$PWD/$home TMPDIR=$PWD/$home HOME=$PWD/$home
		run_many
		rm -f "$home/image" "$home/stats" "$home/trace" "$home/err"
		find "$home" ! -type d	# nobody had to run lkvm list
		pgrep -fa "$payload --params case=poweroff --timeout 9 --name many"
	) || true
	if [ -z "$said" ]; then pass; else fails "$said"; fi
}

kill_guests() {
	local home=$dir/kill.home said

	undisturbed_guests
	wanted "100 runs ended at random moments leave nothing behind" || return 0
	if ! command -v script >/dev/null; then
		skip "no script(1)"
		return
	fi
	rm -rf "$home"
	mkdir "$home"
	said=$(
		export lkvm payload XDG_RUNTIME_DIR=$PWD/$home TMPDIR=$PWD/$home HOME=$PWD/$home SHELL=/bin/bash
		lkvm=$(realpath "$lkvm") payload=$(realpath "$payload")
		script -qec "$(declare -f kill_many); trap '' INT QUIT; kill_many" /dev/null </dev/null
		"$lkvm" list >/dev/null	# removes what SIGKILL has left
		find "$home" ! -type d
		pgrep -fa "$payload --params case=spin --timeout 9"
	) || true
	if [ -z "$said" ]; then pass; else fails "$said"; fi
}
