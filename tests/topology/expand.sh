#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# expand.sh NAME DIR - make the /sys and /proc of the machine in NAME.tree below DIR,
# as far as lkvm reads them
#
# A tree is a script of these commands:
#	cores PACKAGE CPUS...	a core each, by its online threads: 0,16
#	offline CPUS		those that are there, but not online
#	isolated CPUS		those of isolcpus=
#	node ID MIB CPUS DISTANCES	CPUS "-": none
#	allowed CPUS NODES	what a process may use; otherwise all
#	nvme NAME NODE IRQ...	a disk with a partition NAMEp1; NODE -1: not told
#	stack NAME DISK...	a device made of others
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# = 2 ] || { sed -n '4,15s/^# \{0,1\}//p' "$0" >&2; exit 1; }
dir=$2
cpu=$dir/sys/devices/system/cpu node=$dir/sys/devices/system/node
mkdir -p "$cpu" "$node" "$dir/proc/self" "$dir/sys/class/block"
online='' away='' nodes='' pci=0

put() { [ -d "${1%/*}" ] || mkdir -p "${1%/*}"; printf '%s\n' "$2" > "$1"; }

cores() {
	local package=$1 core id dirs
	shift
	# shellcheck disable=SC2206 # words
	dirs=(${*//,/ })
	dirs=("${dirs[@]/#/$cpu/cpu}")
	mkdir -p "${dirs[@]/%//topology}"
	for core; do
		for id in ${core//,/ }; do
			echo "$core" > "$cpu/cpu$id/topology/thread_siblings_list"
			echo "$package" > "$cpu/cpu$id/topology/physical_package_id"
			online=$online,$id
		done
	done
}
offline() { away=$1; put "$cpu/offline" "$1"; }
isolated() { put "$cpu/isolated" "$1"; }
node() {
	local id=$1 mib=$2 cpus=${3#-}
	shift 3
	nodes=$nodes,$id
	put "$node/node$id/cpulist" "$cpus"
	put "$node/node$id/distance" "$*"
	printf 'Node %d MemTotal: %14d kB\nNode %d MemFree: %14d kB\n' \
		"$id" $((mib * 1024)) "$id" $((mib * 1024)) > "$node/node$id/meminfo"
}
allowed() { printf 'Name:\tlkvm\nCpus_allowed_list:\t%s\nMems_allowed_list:\t%s\n' "$1" "$2" > "$dir/proc/self/status"; }
nvme() {
	local name=$1 at=$2 function irq
	shift 2
	pci=$((pci + 1))
	function=$dir/sys/devices/pci0000:00/0000:$(printf %02x $pci):00.0
	put "$function/numa_node" "$at"
	for irq; do put "$function/msi_irqs/$irq" msix; done
	put "$function/nvme/${name%n1}/$name/size" 3125627568
	put "$function/nvme/${name%n1}/$name/${name}p1/partition" 1
	ln -s "../../${function#"$dir/sys/"}/nvme/${name%n1}/$name" "$dir/sys/class/block/$name"
	ln -s "../../${function#"$dir/sys/"}/nvme/${name%n1}/$name/${name}p1" "$dir/sys/class/block/${name}p1"
}
stack() {
	local name=$1 disk
	shift
	for disk; do
		mkdir -p "$dir/sys/devices/virtual/block/$name/slaves"
		ln -s "../../../../../class/block/$disk" "$dir/sys/devices/virtual/block/$name/slaves/$disk"
	done
	ln -s "../../devices/virtual/block/$name" "$dir/sys/class/block/$name"
}

# shellcheck disable=SC1090 # one of the trees
. "$here/$1.tree"

put "$cpu/online" "${online#,}"
put "$cpu/present" "${online#,}${away:+,$away}"
[ -z "$nodes" ] || put "$node/online" "${nodes#,}"
