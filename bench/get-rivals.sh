#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# get-rivals.sh [SUITE] - QEMU of a newer Debian (trixie: 10) for bench/compare
#
# Its package and all it depends on come from this machine's Debian mirror, by an
# apt of its own, and are unpacked in build/cache/rivals/qemu10; nothing is
# installed.  The program there runs with the loader and the libraries beside it.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
rivals=$top/build/cache/rivals
suite=${1-trixie}

die() { echo "get-rivals.sh: $*" >&2; exit 1; }

case $suite in -*) sed -n '4,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
[ ! -x "$rivals/qemu10/qemu-system-x86_64" ] || { echo "$rivals/qemu10/qemu-system-x86_64"; exit 0; }
if ! command -v apt-get > /dev/null || ! command -v dpkg > /dev/null; then
	die "needs apt-get and dpkg; elsewhere give bench/compare QEMU10=/path/to/qemu-system-x86_64"
fi
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
# The mirror that this machine uses, in either form of the list.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null |
	grep -v '^#' | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ')

mkdir -p "$rivals"
tmp=$(mktemp -d "$rivals/get.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP
chmod 755 "$tmp"
mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial" "$tmp/root"
: > "$tmp/status"
echo "deb [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} $suite main" > "$tmp/sources.list"
# An empty status: no package of this machine counts as there.
apt() {
	apt-get -qq -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State="$tmp" \
		-o Dir::State::Lists="$tmp/lists" -o Dir::State::status="$tmp/status" -o Dir::Cache="$tmp/cache" \
		-o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@" >&2
}
apt update || die "no package lists of $suite from ${mirror:-deb.debian.org}: is there a network?"
apt -y --no-install-recommends --download-only install qemu-system-x86 || die "cannot download qemu-system-x86 of $suite"
for deb in "$tmp"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tmp/root" --keep-directory-symlink; done

cat > "$tmp/root/qemu-system-x86_64" << 'END'
#!/bin/sh
root=$(dirname "$(realpath "$0")")
lib=$root/usr/lib/x86_64-linux-gnu
QEMU_MODULE_DIR=$lib/qemu exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib" "$root/usr/bin/qemu-system-x86_64" \
	-L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
END
chmod 755 "$tmp/root/qemu-system-x86_64"
"$tmp/root/qemu-system-x86_64" --version >&2 || die "the QEMU of $suite does not run here"
rm -rf "$rivals/qemu10"
mv "$tmp/root" "$rivals/qemu10"
echo "$rivals/qemu10/qemu-system-x86_64"
