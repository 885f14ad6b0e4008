#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The commands that README.md, docs/*.md and the man pages show are typed as they stand
# there, in the order of the page, in a directory that has what the page speaks of.
# Guests are those of tests/payload/, on this machine's /dev/kvm.  (The tutorial and
# hacking.md are tests/docs.sh's.)  A page has
#
#	indented lines, .EX, .nf	commands, one on a line; "\", "&&" and "|" at its
#				end continue it
#	"$ COMMAND" there	a dialog: below it what is typed into the command, which are
#				requests in JSON, and each answer, which must be just this
#	"guest# COMMAND" there	a command in a Linux guest, and what it says; see not_here
#	a fence "sh"		a script, whose second line has its name
#	a fence without a word	what is printed, or a form of it: nothing to type
#
# Each command ends with status 0, or what statuses() says.  COUNTS names a file for the
# counts: "passed failed skipped".
set -u
cd "$(dirname "$0")/.." || exit
top=$PWD
PATH=$PATH:/usr/sbin:/sbin	# mkfs.ext4
payload=build/payload/payload.elf
passed=0 failed=0 skipped=0

# What is not typed here: a pattern, why not, and what runs it instead, as FILE:TEXT with a
# text that is in this file (-: nothing does, it is skipped).  Columns end at a tab.
not_here() {
	sed 's/\t\t*/\t/g' <<-'TABLE'
		make test	it is what runs this test	Makefile:tests/run.sh
		make check	another rung of make test	tests/run.sh:tests/check.sh
		make bench*	another rung of make test	tests/bench.sh:bench/ring.sh
		make demo	minutes in an emulated host	-
		make ARCH=powerpc*	needs a cross compiler	tests/system/power.sh:ARCH=powerpc CROSS_COMPILE=powerpc64le-linux-gnu-
		sudo modprobe kvm_hv	needs a POWER8 host	tests/system/power-tests.sh:modprobe kvm-hv
		scripts/setup.sh *	installs packages	Makefile:scripts/setup.sh build bench
		bench/get-rivals.sh	downloads a QEMU	-
		KVMTOOL=*bench/compare	measures for an hour	-
		bench/compare --lkvm*	measures for an hour	-
		bench/compare --table	needs what an hour measures	-
		bench/true *	minutes in an emulated host	-
		bench/figures	measures for an hour	tests/figures.sh:bench/compare-host.sh
		bench/figures --quick	measures for a quarter of an hour	tests/figures.sh:bench/compare-host.sh
		bench/figures --report	needs what an hour measures; with --out it is run	tests/figures.sh:bench/figures-report.sh
		bpftrace -p *request-path.bt	ends with its guest	tests/payload/tracing.sh:bpf_guest request-path.bt
		bpftrace -p *latency.bt	ends with its guest	tests/payload/tracing.sh:bpf_guest latency.bt
		lkvm run *--affinity auto*	needs eight CPUs	tests/payload/affinity.sh:--affinity auto
		lkvm run *pin=12-15*	needs sixteen CPUs	tests/payload/affinity.sh:pin=1
		make x86_64_defconfig*	needs the source of Linux	-
		guest# cat /sys/block/vda/queue/io_poll	needs Linux	tests/system/guest-init.sh:cat /sys/block/vda/queue/io_poll
		guest# fio *--hipri*	needs Linux	tests/system/guest-init.sh:--ioengine=io_uring --hipri
		guest# cat *current_driver	needs Linux	tests/system/guest-init.sh:/sys/devices/system/cpu/cpuidle/current_driver
		guest# setpci *	needs Linux	tests/payload/machine.c:EXIT_MAGIC
	TABLE
}

# What stands for the names that a page leaves to its reader, and for what is of the system.
# 8 GiB are not written, a host of one node has no other, and who knows when in its life a
# guest had requests.
replace() {
	sed -E "s,/lib/modules/[^ ]+,modules,
		s,/run/lkvm/,$XDG_RUNTIME_DIR/lkvm/,
		s,/var/lib/prometheus/node-exporter,.,g
		s,^lkvm run \.\.\. ,lkvm run -k vmlinuz -d disk.img ,
		s,^(lkvm create .*) 8G (--prealloc=full),\1 8M \2,
		/--numa/s,host=1,host=0,
		s,--from [0-9]+ --to ([0-9]+),--from 0 --to \1000,"
}

# The statuses that the page has for it, other than 0
statuses() {
	case $1 in
	"lkvm check-host"*) echo "0 1" ;;	# 1: slowly
	./matrix.sh*) echo 1 ;;			# that of ./check on xfs, see the shim
	*) echo 0 ;;
	esac
}

# arguments SCRIPT: as the page has them
arguments() {
	case $1 in
	ci.sh) echo true ;;
	matrix.sh) echo "-g quick" ;;
	esac
}

dir=$(mktemp -d "${TMPDIR:-/tmp}/lkvm-pages.XXXXXX")
work=$dir/work
export XDG_RUNTIME_DIR=$dir/run HOME=$dir/home
web=$XDG_RUNTIME_DIR/lkvm/web.sock
probed=
tidy() {
	stop_web
	[ -z "$probed" ] || perf probe --del 'sdt_lkvm:*' > /dev/null 2>&1
	rm -rf "$dir"
}
trap tidy EXIT
trap 'exit 1' INT TERM HUP

good() { passed=$((passed + 1)); echo "ok - pages: $page: $1"; }
skip() { skipped=$((skipped + 1)); echo "skip - pages: $page: $1: $2"; }
bad() {
	failed=$((failed + 1))
	echo "not ok - pages: $page: $1: $2"
	[ ! -s "$dir/said" ] || tail -n 10 "$dir/said" | sed 's/^/#   /'
}

# split PAGE: its commands as $dir/items/NNN.KIND, the first line is the command
split() {
	rm -rf "$dir/items"
	mkdir "$dir/items"
	case $1 in
	*.md) cat "$1" ;;
	*) sed -n '/^\.\(EX\|nf\)/,/^\.\(EE\|fi\)/{ s/^\..*//; s/^./    &/; p; }' "$1" |
		sed "s/\\\\-/-/g; s/\\\\(aq/'/g; s/\\\\(dq/\"/g; s/\\\\&//g; s/\\\\e/\\\\/g" ;;
	esac | awk -v dir="$dir/items" '
		function item(kind) { file = sprintf("%s/%03d.%s", dir, ++n, kind); said = more = 0 }
		/^```/ && !fence { fence = substr($0, 4); if (fence == "") fence = "shown"; item(fence); next }
		/^```/ { fence = ""; next }
		fence == "shown" && /^(\$ )?(lkvm|make|perf|jq|bench\/[a-z]*|tests\/[a-z]*|scripts\/[a-z]*) / { print > file }
		fence && fence != "shown" { print > file }
		fence { next }
		/^$/ { blank = 1; said = more = 0; next }
		/^    / && (blank || block) {
			block = 1; blank = 0
			line = substr($0, 5)
			if (line ~ /^\$ /) { item("dialog"); said = 1; line = substr(line, 3) }
			else if (line ~ /^guest# /) { item("command"); said = 1 }
			else if (!said && !more) item("command")
			more = line ~ /(\\|&&|\|)$/
			if (!said || line ~ /^guest# / || file ~ /dialog$/) print line > file
			next
		}
		{ block = blank = 0 }'
}

# The lkvm of the page: it tells the small guest what to do, and shows another host
# where disks and CPUs are meant that this one lacks.
make_tools() {
	mkdir -p "$dir/bin" "$dir/scripts"
	cat > "$dir/bin/lkvm" <<-SHIM
		#!/bin/bash
		lkvm=$top/build/x86/lkvm dir=$dir
	SHIM
	cat >> "$dir/bin/lkvm" <<-'SHIM'
		case "$1 $*" in
		topology*) exec "$lkvm" "${@//disk.img//dev/nvme0n1}" --sysfs "$dir/host" ;;
		run*ring3.elf*) exec "$lkvm" "$@" ;;
		run*" -- "*)	# its exit device is behind the disks
			slot=1 status=0
			for word; do
				case $word in -d|--disk) slot=$((slot + 1)) ;; --) break ;; esac
			done
			# One of the file systems fails, so that its image is kept.
			case $* in *packed=on*FSTYP=xfs*) status=1 ;; esac
			task="exit status=$status slot=$slot" ;;
		run*"--name web"*) task=${TASK-button}; echo $$ > "$dir/web.pid" ;;
		run*null:*) task="steady reads=64" ;;	# it keeps nothing
		run*queues=4*) task=mq ;;
		run*) task="steady reads=64" ;;
		*) exec "$lkvm" "$@" ;;
		esac
		shift
		args=()
		while [ $# -gt 0 ]; do
			case $1 in
			-p|--params) task+=" $2"; shift 2 ;;
			--) break ;;
			*) args+=("$1"); shift ;;
			esac
		done
		exec "$lkvm" run --params "case=$task" "${args[@]}" "$@"
	SHIM
	# The only lkvm that a page knows of is its own.
	printf '#!/bin/sh\ncat %s/web.pid\n' "$dir" > "$dir/bin/pidof"
	# Scripts build a kernel; there is one already.
	printf '#!/bin/sh\n' > "$dir/scripts/make"
	chmod +x "$dir/bin/"* "$dir/scripts/make"
}

# A directory that looks like the top of the source, with what the page speaks of.
furnish() {
	local name

	rm -rf "$work"
	mkdir -p "$work" "$work/arch/x86/boot" "$work/root/xfstests/results" "$work/DIR" "$XDG_RUNTIME_DIR" "$HOME"
	# The source alone: a user may have a disk.img of his own beside it.
	for name in $(git ls-files | cut -d / -f 1 | sort -u) build; do ln -s "$top/$name" "$work/"; done
	for name in vmlinuz vmlinux arch/x86/boot/bzImage; do cp "$payload" "$work/$name"; done
	# An archive of nothing: mkinitrd overwrites no other file.
	for name in initrd initrd.img initrd.cpio fio.cpio gate.cpio; do cpio --quiet -o -H newc < /dev/null > "$work/$name"; done
	echo "[job]" > "$work/job.fio"
	echo "1 test" > "$work/root/xfstests/results/check.log"
	grep -q "create disk.img" "$dir/items"/* || truncate -s 16M "$work/disk.img"
	truncate -s 16M "$work/web.img" "$work/second.img"
	[ ! -d "$modules" ] || ln -s "$modules" "$work/modules"
	[ ! -e "$bench" ] || for name in FILE A B; do cp "$bench" "$work/$name.json"; done
	ln -s "$top" "$work/DIR/PROJECT"
	[ "$page" != figures.md ] || tar -xJf docs/figures/raw.tar.xz -C "$work/DIR"
	[ "$page" != stats.md ] || typed 'lkvm run -k vmlinuz -d disk.img,queues=4 --stats stats.json'
}

# typed COMMAND: by a shell, in that directory
typed() {
	local path=$dir/bin:$PATH limit=(60)

	case $1 in
	*"command -v lkvm"*) path=$top/build/x86:$PATH ;;	# the program itself
	./*.sh*) path=$dir/scripts:$path ;;
	*--watch*"--interval 5") limit=(--preserve-status -s INT 8) ;;
	*--watch*) limit=(--preserve-status -s INT 4) ;;	# Ctrl-C
	esac
	(cd "$work" && MAKEFLAGS='' KERNEL=vmlinuz INITRD=initrd.cpio PATH=$path timeout "${limit[@]}" \
		env --default-signal=INT bash -o pipefail -c "$1") > "$dir/said" 2>&1
}

start_web() {
	[ "$page" != tracing.md ] || local -x TASK=reads
	typed "lkvm run --name web -k vmlinuz -d web.img,queues=4 -d second.img > web.out &"
	up_web "$work/web.out"
}

up_web() {
	for _ in $(seq 200); do
		! grep -qs READY "$1" || return 0
		sleep 0.05
	done
	return 1
}

stop_web() {
	[ -S "$web" ] || return 0
	build/x86/lkvm stop web --force > /dev/null 2>&1 || kill -KILL "$(cat "$dir/web.pid")"
}

# Why a command cannot be typed on this machine; empty if it can
missing() {
	local tool

	for tool in jq fio socat mkfs.ext4 debugfs; do
		if [[ $1 =~ (^|[ |])$tool( |$) ]] && ! command -v $tool > /dev/null; then echo "no $tool"; fi
	done
	case $1 in
	*/lib/modules/*) [ -d "$modules" ] || echo "no modules: scripts/kernel.sh cloud-amd64 fetches them" ;;
	./matrix.sh*) command -v mkfs.ext4 > /dev/null || echo "no mkfs.ext4" ;;
	bench/figures*|"cd DIR"*) command -v gnuplot > /dev/null || echo "no gnuplot" ;;
	bench/show*|bench/diff*) [ -e "$bench" ] || echo "no result: tests/bench.sh makes one" ;;
	*ring3*) echo 'int f(void) { return 0; }' | gcc -mx32 -c -x c -o /dev/null - 2> /dev/null || echo "gcc cannot make x32 code" ;;
	perf*|*"perf probe"*) perf_missing ;;
	esac
}

perf_missing() {
	if ! command -v perf > /dev/null; then
		echo "no perf"
	elif [ "$(id -u)" -ne 0 ] || ! [ -w /sys/kernel/tracing/uprobe_events ]; then
		echo "perf probe needs root, and tracefs at /sys/kernel/tracing"
	elif [ -z "$probed" ] && grep -q sdt_lkvm /sys/kernel/tracing/uprobe_events; then
		echo "somebody else watches an lkvm"
	fi
}

# elsewhere COMMAND: whether not_here has it; sets $why and $where
elsewhere() {
	local pattern

	while IFS=$'\t' read -r pattern why where; do
		# shellcheck disable=SC2053 # a pattern
		[[ $1 == $pattern ]] || continue
		echo "$pattern" >> "$dir/used"
		return 0
	done < "$dir/table"
	return 1
}

# judge COMMAND STATUS: what is wrong with what it did; empty if nothing is
judge() {
	local wanted

	wanted=$(statuses "$1")
	[[ " $wanted " == *" $2 "* ]] || echo "status $2, not ${wanted// / or }"
	! grep -q '^FAIL' "$dir/said" || echo "the guest did not pass"
	case $1 in
	*'echo $?'*) [ "$(tail -n 1 "$dir/said")" = 0 ] || echo "the guest's command failed" ;;
	*"||"*) ! grep -q '^lkvm: ' "$dir/said" || echo "lkvm complains" ;;
	*--watch*) grep -q '^vda ' "$dir/said" || echo "no table" ;;
	*--name\ web*) up_web "$dir/said" || echo "no guest" ;;
	"perf script") [ -s "$dir/said" ] || echo "nothing was recorded" ;;
	debugfs*) [ -e "$work/results/check.log" ] || echo "nothing came out" ;;	# it has no status
	esac
}

# do_command TITLE COMMAND
do_command() {
	local wrong status=0 why where

	why=$(missing "$2")
	if [ -n "$why" ]; then
		skip "$1" "${why//$'\n'/, }"
		return
	fi
	case $2 in
	*--name*) ;;
	*" web"*|*web.sock*|*pidof*) [ -S "$web" ] || start_web || { bad "$1" "no guest to control"; return; } ;;
	*"perf probe sdt"*) probed=1 ;;
	esac
	typed "$(replace <<< "$2")" < /dev/null || status=$?
	wrong=$(judge "$2" "$status")
	if [ -n "$wrong" ]; then bad "$1" "${wrong//$'\n'/, }"; else good "$1"; fi
}

# do_dialog FILE: the answers must be those of the page
do_dialog() {
	local title why

	title=$(head -n 1 "$1")
	why=$(missing "$title")
	if [ -n "$why" ]; then
		skip "$title" "$why"
		return
	fi
	[ -S "$web" ] || start_web
	{ grep '"request"' "$1"; sleep 2; } | typed "$(replace <<< "$title")"
	if diff <(grep -v '"request"' "$1" | tail -n +2) "$dir/said" > "$dir/differ"; then
		good "$title"
	else
		mv "$dir/differ" "$dir/said"
		bad "$title" "other answers than the page has (<)"
	fi
}

do_item() {
	local title why where name

	title=$(head -n 1 "$1" | sed 's/  *# .*//')
	: > "$dir/said"
	case $1 in
	*.dialog) do_dialog "$1" ;;
	*.shown) bad "$title" "a command where nothing is run: indent it, or give the fence a word" ;;
	*.sh)
		name=$(sed -n '2s/^# \([a-z]*\.sh\).*/\1/p' "$1")
		cp "$1" "$work/$name"
		chmod +x "$work/$name"
		do_command "$name" "./$name $(arguments "$name")" ;;
	*.command)
		if ! elsewhere "$title"; then
			do_command "$title" "$(cat "$1")"
		elif [ "$where" = - ]; then
			skip "$title" "$why"
		elif grep -qsF -- "${where#*:}" "${where%%:*}"; then
			echo "# pages: $page: $title: $why; ${where%%:*} stands for it"
		else
			bad "$title" "${where%%:*} has no ${where#*:}"
		fi ;;
	*) bad "$title" "a fence of no known kind" ;;
	esac
}

page=all
if [ "$(uname -m)" != x86_64 ] || ! [ -r /dev/kvm ] || ! [ -w /dev/kvm ]; then
	skip "their commands" "no /dev/kvm of this machine's own"
	[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
	exit 0
fi
make --no-print-directory > /dev/null || exit 1
[ -e $payload ] || tests/payload/run.sh "only built" > /dev/null || exit 1
modules=$top/build/cache/linux-cloud-amd64
bench=$top/build/check/bench.json
make_tools
tests/topology/expand.sh xeon-2n-smt2 "$dir/host"
not_here > "$dir/table"
: > "$dir/used"
for file in README.md docs/*.md docs/*.1; do
	page=${file#docs/}
	case $page in
	tutorial.md|hacking.md) continue ;;	# tests/docs.sh runs them
	design.md) continue ;;			# its blocks are drawings
	esac
	split "$file"
	if [ -z "$(ls "$dir/items")" ]; then
		! grep -q '^\.SH EXAMPLES' "$file" || bad EXAMPLES "there is no command"
		continue
	fi
	furnish
	for item in "$dir/items"/*; do do_item "$item"; done
	stop_web
done
page=all
: > "$dir/said"
while IFS=$'\t' read -r pattern _; do
	grep -qxF -- "$pattern" "$dir/used" || bad "$pattern" "no page has it any more: take it from the table"
done < "$dir/table"
[ -z "${COUNTS:-}" ] || echo "$passed $failed $skipped" > "$COUNTS"
[ $failed -eq 0 ]
