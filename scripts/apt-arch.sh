#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# apt-arch.sh ARCH apt-get|apt-cache ARGUMENT... - apt for packages of another architecture
#
# Works on a private package root, build/cache/apt-ARCH, with this machine's
# sources: what dpkg and apt know of the machine itself stays as it is.  Packages
# can be looked up and downloaded, not installed.
set -eu

[ $# -ge 3 ] || { sed -n '4,8s/^# \{0,1\}//p' "$0" >&2; exit 1; }
arch=$1 tool=$2; shift 2
root=$(cd "$(dirname "$0")/.." && pwd)/build/cache/apt-$arch

mkdir -p "$root/lists/partial" "$root/archives/partial"
: >> "$root/status"
# As root apt drops to the user _apt, who may not write here: keep it quiet.
exec "$tool" -o APT::Architecture="$arch" -o APT::Architectures="$arch" \
	-o Dir::State="$root" -o Dir::State::Lists="$root/lists" -o Dir::State::status="$root/status" \
	-o Dir::Cache="$root" -o APT::Sandbox::User=root "$@"
