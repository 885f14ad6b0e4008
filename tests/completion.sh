#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What scripts/completion.bash offers, as bash would ask it: commands, options, disk
# keys and their values, files, and running guests.
# shellcheck disable=SC2034 # bash-completion reads COMP_*
set -u
cd "$(dirname "$0")/.."

package=/usr/share/bash-completion/bash_completion
if [ ! -e $package ]; then
	echo "skip - completion: no bash-completion (scripts/setup.sh test)"
	exit 0
fi
lkvm=$(realpath "${LKVM:-build/x86/lkvm}")
completion=$PWD/scripts/completion.bash
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bad=0
complain() { echo "completion: $*"; bad=1; }

# shellcheck source=/dev/null
source $package
# shellcheck source=/dev/null
source "$completion"
compopt() { :; }	# there is no command line to have options

# complete_line LINE: COMPREPLY for a cursor at its end, in words as readline breaks it
complete_line() {
	COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMPREPLY=()
	mapfile -t COMP_WORDS < <(grep -oE '[=:]|[^ =:]+' <<< "$1")
	[[ $1 != *' ' ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_lkvm "$lkvm" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
}

# offers LINE WORD...: just these, in any order
offers() {
	local line=$1 got want
	shift
	complete_line "$line"
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
	want=$(printf '%s\n' "$@" | sort)
	[ "$got" = "$want" ] || complain "'$line': '${COMPREPLY[*]}', not '$*'"
}

cd "$dir" || exit 1
touch vmlinuz disk.img
mkdir images

read -r -a commands < <("$lkvm" help | sed -n 's/^  \([a-z-]*\)  .*/\1/p' | tr '\n' ' ')
offers "lkvm " "${commands[@]}" --help --version
offers "lkvm chec" check-host
offers "lkvm help chec" check-host
offers "lkvm colour " ""
for command in "${commands[@]}"; do
	# shellcheck disable=SC2046 # words
	offers "lkvm $command -" $("$lkvm" "$command" --help | grep -oE '^  .{4}--[a-z-]+' | grep -o -- '--.*')
done

for option in "-k " "-v -i " "-i disk.img --kernel " --kernel= "--stats "; do
	offers "lkvm run ${option}vml" vmlinuz
done
offers "lkvm create di" disk.img
offers "lkvm create --prealloc " off falloc full
offers "lkvm create --prealloc=f" falloc full
offers "lkvm run --console " stdio pty file: none
offers "lkvm run --console file:vm" vmlinuz
offers "lkvm run -c 4,d" 4,dedicated=
offers "lkvm run --name v" ""
offers "lkvm run -k vmlinuz -- vm" vmlinuz

for disk in "-d " "--disk " "--disk="; do
	offers "lkvm run ${disk}d" disk.img
	offers "lkvm run ${disk}disk.img,queu" disk.img,queues= disk.img,queue-size=
	offers "lkvm run ${disk}disk.img,queues=4,queu" 4,queue-size=
	offers "lkvm run ${disk}disk.img,aio=" auto native io_uring threads
	offers "lkvm run ${disk}disk.img,queues=4,cache=w" writeback writethrough
	offers "lkvm run ${disk}disk.img,poll=a" adaptive always
	offers "lkvm run ${disk}disk.img,queues=" ""
	offers "lkvm run ${disk}nul" null:
	offers "lkvm run ${disk}null:8G,irq" 8G,irq-delay=
	offers "lkvm run ${disk}a,,b" ""
done
# shellcheck disable=SC2046 # words
offers "lkvm run -d disk.img," $("$lkvm" run --help | sed -nE 's/^ {6}([a-z-]+=).*/disk.img,\1/p')

# Commands for running guests take their names, and disks, from lkvm list.
cat > lister << 'EOF'
#!/bin/sh
case "$*" in
list) printf 'NAME PID STATE CPUS MEM UPTIME DISKS\nweb 1 running 4 512M 1s vda,vdb\ndb 2 paused 4 1G 1s vda\n' ;;
"limit --help") printf 'usage: lkvm limit NAME DISK KEY=VALUE...\n\n  iops=N         requests\n  bps=SIZE        bytes\n' ;;
esac
EOF
chmod +x lister
lkvm=$dir/lister
offers "lkvm limit " web db
offers "lkvm limit w" web
offers "lkvm limit web " vda vdb
offers "lkvm limit web vda io" iops=
exit $bad
