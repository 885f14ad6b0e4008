# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # its users set what is asked for
#
# engine.sh - sourced: what bench/compare and bench/figures have in common
#
# Both are a plan of measurements, lines "BOOT NUMBER TOTAL KIND OUTER RW JOBS DEPTH
# RIVAL ROUND", that compare-host.sh carries out, on this host or in boots of an emulated
# one, and a file of results to which each adds a line; what is there is not measured again.
#
# Its users set: top dir new host disk seconds cpus queues quiet params fine; wanted, the
# names of the rivals; found[NAME], each one's program as "FINGERPRINT REST"; command[NAME],
# its line for compare-host.sh; a function plan that prints the plan; and, if it is wanted,
# image, a file that becomes /dev/vda of the emulated host, and deadline, seconds after which
# no boot may end.

die() { echo "bench/${0##*/}: $*" >&2; exit 1; }
say() { echo "bench/${0##*/}: $*"; }

# number OPTION VALUE MIN MAX
number() {
	if [[ ! $2 =~ ^[0-9]{1,4}$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
		die "$1 $2: give a number from $3 to $4"
	fi
}

# host, from auto to what there is; with "real" it must be that.
choose_host() {
	local why=''
	if [ "$(id -u)" -ne 0 ]; then
		why="this is not root"
	elif [ ! -w /dev/kvm ] || ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
		why="no /dev/kvm with VMX or SVM is here"
	fi
	[ "$host" != real ] || [ -z "$why" ] || die "--host real: $why; give --host emulated"
	if [ "$host" = auto ]; then
		if [ -z "$why" ]; then host=real; else host=emulated; fi
	fi
	if [ "$host" = emulated ] && [ -n "$disk" ]; then
		die "--disk $disk: only for --host real; the emulated host has its own"
	fi
}

# Whether the emulator counts instructions: newer ones have another plugin API.
can_profile() {
	case $(qemu-system-x86_64 --version 2> /dev/null) in
	*' version '[4-8].*) ;;
	*) say "instructions are not counted: that needs QEMU 4.2 to 8.2 as qemu-system-x86_64"; return 1 ;;
	esac
}

# --- results ------------------------------------------------------------------

# Figures of other settings, or of another build under the same name, must not mix.
open_results() {
	local name was
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	[[ $dir != *,* ]] || die "--dir $dir: a comma cannot be in its name"
	[ "$new" = no ] || rm -f "$dir"/results "$dir"/profile.*
	[ -e "$dir/results" ] || echo "$1" > "$dir/results"
	was=$(head -n 1 "$dir/results")
	[ "$was" = "$1" ] || die "$dir/results has other settings (${was#\# }): give --new, or another --dir"
	for name in $wanted; do
		[ -n "${command[$name]-}" ] || continue
		was=$(sed -n "s,^# rival $name ,,p" "$dir/results")
		[ -n "$was" ] || echo "# rival $name ${found[$name]}" >> "$dir/results"
		[ -z "$was" ] || [ "${was%% *}" = "${found[$name]%% *}" ] ||
			die "$dir/results has figures of another $name ($was): give --new, or another --dir"
	done
}

# "BOOT NUMBER TOTAL REST" from lines "BOOT REST"
numbered() {
	awk '{ boot[NR] = $1; sub(/^[^ ]* /, ""); rest[NR] = $0 } END { for (i = 1; i <= NR; i++) print boot[i], i, NR, rest[i] }'
}

# What of the plan on standard input is neither done nor given up.
left() {
	awk 'NR == FNR { if ($1 == "stall") stalls[$2, $3, $4, $5, $6, $7, $8]++; else done[$1, $2, $3, $4, $5, $6, $7] = 1; next }
		!(($3, $4, $5, $6, $7, $8, $9) in done) && stalls[$3, $4, $5, $6, $7, $8, $9] < 3 { print }' "$dir/results" -
}

# --- the run ------------------------------------------------------------------

# What the guests boot, and what compare-host.sh reads.  $kernel is that of kernel.sh.
prepare() {
	local flags="-std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror" name
	# shellcheck disable=SC2086
	"${CC:-gcc}" $flags -o "$dir/sample" "$top/bench/sample.c"
	# shellcheck disable=SC2086
	"${CC:-gcc}" $flags -shared -fPIC -o "$dir/insn.so" "$top/bench/insn.c"
	if [ ! -d "$top/build/cache/fio" ]; then
		"$top/scripts/fio-tree.sh" "$top/build/cache/fio.$$" && mv -T "$top/build/cache/fio.$$" "$top/build/cache/fio"
	fi
	"$top/scripts/mkinitrd.sh" -o "$dir/guest.cpio" --init "$top/bench/compare-guest.sh" --program busybox --modules "$kernel" \
		--tree "$top/build/cache/fio"
	for name in $wanted; do
		[ -z "${command[$name]-}" ] || echo "${command[$name]}"
	done > "$dir/rivals"
	printf '%s=%q\n' disk "$disk" file "${file-}" hwqueues "${hwqueues-4}" cpus "$cpus" queues "$queues" seconds "$seconds" \
		quiet "$quiet" kernel "$(realpath "$kernel/vmlinuz")" initrd "$dir/guest.cpio" extra "$params" > "$dir/settings"
}

# In the background: CPU time that others than this run take from the emulated host,
# and the clock, in ticks, into DIR/load each second; compare-host.sh reads it there.
watch_load() {
	while sleep 1; do
		# A process that ends meanwhile is no error.
		cat /proc/stat /proc/[0-9]*/stat 2> /dev/null | awk -v self=$$ '
			$1 == "cpu" { all = $2 + $3 + $4 + $7 + $8 + $9; clock = all + $5 + $6 }
			$1 ~ /^[0-9]+$/ { pid = $1; sub(/.*\) /, ""); parent[pid] = $2; used[pid] = $12 + $13 + $14 + $15 }
			END {
				for (pid in used) {
					for (p = pid; p != self && p in parent; p = parent[p]) ;
					if (p == self) own += used[pid]
				}
				print all - own, clock
			}' > "$dir/load.new" && mv "$dir/load.new" "$dir/load"
	done
}

# boot OUTER KIND: run what is in $dir/plan
boot() {
	local host_params='' args=(--cpus "$1" --share "$dir" --timeout $((300 + 60 * $(wc -l < "$dir/plan"))))
	rm -f "$dir/current" "$dir/insn" "$dir/load"
	if [ "$host" = real ]; then
		"$top/bench/compare-host.sh" "$dir"
		return
	fi
	# Longer than any measurement that ends by itself: its guest's start, fio, patience.
	args+=(--task "$dir/current,$((180 + seconds))")
	[ "$fine" = no ] || host_params="nohz=on highres=on"
	[ "$2" != insn ] || { host_params+=" nokaslr"; args+=(--plugin "$dir/insn.so,out=$dir/insn"); }
	[ -z "${image-}" ] || args+=(--disk "$image")
	"$top/scripts/emuhost.sh" "${args[@]}" --params "$host_params" -- "$top/bench/compare-host.sh" "$dir"
}

run_plan() {
	local boots boot todo before kind size begin longest=0
	plan > "$dir/whole-plan"
	if [ "$host" = emulated ]; then
		watch_load &
		# shellcheck disable=SC2064 # now
		trap "kill $!" EXIT
	fi
	say "$(cut -d ' ' -f 2- "$dir/whole-plan" | left | wc -l) of $(wc -l < "$dir/whole-plan") measurements to do, about $pace s each; results in $dir/results"
	boots=$(cut -d ' ' -f 1 "$dir/whole-plan" | uniq)
	for boot in $boots; do
		while :; do
			todo=$(sed -n "s/^$boot //p" "$dir/whole-plan" | left)
			[ -n "$todo" ] || break
			if [ -n "${deadline-}" ] && [ $((SECONDS + longest)) -gt "$deadline" ]; then
				say "time is over: some rounds are missing"
				return
			fi
			begin=$SECONDS
			echo "$todo" > "$dir/plan"
			before=$(wc -l < "$dir/results")
			read -r _ _ kind size _ <<< "$todo"
			boot "$size" "$kind" || say "the host ended with status $?"
			[ "$(wc -l < "$dir/results")" -gt "$before" ] || die "the host measured nothing; see the lines above"
			if [ $((SECONDS - begin)) -gt $longest ]; then longest=$((SECONDS - begin)); fi
		done
	done
}
