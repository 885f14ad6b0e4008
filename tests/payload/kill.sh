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
		env --default-signal=INT,QUIT "$lkvm" run -k "$payload" --params case=spin --timeout 9 --disk null:16M,queues=4 -- true >/dev/null || status=$?
		wait
		[ $status -ge 128 ] || echo "round $i, SIG$signal: status $status"
		[ "$signal" != KILL ] || stty "$before"	# which it cannot
		[ "$(stty -g)" = "$before" ] || echo "round $i: the terminal has changed"
	done
}

kill_guests() {
	local home=$dir/kill.home said

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
