# SPDX-License-Identifier: GPL-2.0-only
#
# lkvm mkinitrd: what is in the archive, and what wrong use is told; sourced by run.sh.

mkinitrd_refused() {
	wanted "mkinitrd refused: $1" || return 0
	refused_by "mkinitrd: $2" "$lkvm" mkinitrd "${@:3}"
}

# A file system that is full: the reason, and no half of an archive.
mkinitrd_full() {
	wanted "mkinitrd refused: full disk" || return 0
	if ! unshare -m true 2>/dev/null; then
		skip "cannot mount here"
		return
	fi
	mkdir -p "$here/full"
	refused_by "--output $here/full/x: cannot be written: No space left on device; give .*space" \
		unshare -m sh -c "mount -t tmpfs -o size=64k none $here/full && { $lkvm mkinitrd -o $here/full/x --program sh
			status=\$?; [ ! -e $here/full/x ] || echo 'half of it is there'; exit \$status; }"
}

# What may not be read: one line, whose file it is.
mkinitrd_unreadable() {
	local secret=$here/secret mortal=()

	[ "$(id -u)" -ne 0 ] || mortal=(setpriv --bounding-set=-dac_override,-dac_read_search)
	mkdir -p "$secret"
	echo secret >"$secret/file"
	chmod 0 "$secret/file"
	if wanted "mkinitrd refused: unreadable file"; then
		refused_by "mkinitrd: --file $secret/file: Permission denied; make it readable" \
			"${mortal[@]}" "$lkvm" mkinitrd -o "$here/x" --file "$secret/file:/a"
	fi
	if wanted "mkinitrd refused: tree with an unreadable file"; then
		refused_by "mkinitrd: --tree $secret: cannot copy all of it: Permission denied; is .* readable" \
			"${mortal[@]}" "$lkvm" mkinitrd -o "$here/x" --tree "$secret"
	fi
	chmod 600 "$secret/file"
}

# A slip of the hand: only an archive, or what is empty, is overwritten.
mkinitrd_spares() {
	local other=$here/disk.img node

	echo precious >"$other"
	mkinitrd_refused "output of another kind" "--output $other: there is a file of another kind; give" -o "$other" --program sh
	[ "$(cat "$other")" = precious ] || fails "$other has changed"
	gzip -c "$other" >"$other.gz"
	mkinitrd_refused "output some gzip" "--output $other.gz: there is a file of another kind" -o "$other.gz" --program sh
	node=$(find /dev -maxdepth 1 -type b | head -n 1)
	[ -z "$node" ] || mkinitrd_refused "output a block device" "--output $node: is a block device; give" -o "$node" --program nosuch
	if wanted "mkinitrd: earlier archives are overwritten"; then
		: >"$other"
		if "$lkvm" mkinitrd -o "$other" --program sh && "$lkvm" mkinitrd -o "$other" --program sh &&
			"$lkvm" mkinitrd -o "$here/x.gz" --program sh && "$lkvm" mkinitrd -o "$here/x.gz" --program sh; then
			pass
		else
			fails "refused"
		fi
	fi
}

mkinitrd_wrong() {
	local here=$dir/mkinitrd tool

	rm -rf "$here"
	mkdir -p "$here/two/lib/modules/a" "$here/two/lib/modules/b" "$here/odd/kernel"
	mkinitrd_refused "nothing" "nothing to put into it; see lkvm mkinitrd --help"
	mkinitrd_refused "nothing but an output" "nothing to put into it; see lkvm mkinitrd --help" -o "$here/x"
	mkinitrd_refused "unknown option" "unknown option --frob; see" --frob
	mkinitrd_refused "stray word" "unexpected argument word; see" -o x.cpio word
	mkinitrd_refused "value missing" "a value is missing behind --program; see" --program
	mkinitrd_refused "no modules" "--modules $here: no modules there; give /lib/modules/VERSION" --modules "$here"
	mkinitrd_refused "two kernels" "--modules $here/two: it has several kernels; give one of them: .*/a .*/b" --modules "$here/two"
	mkinitrd_refused "odd kernel" "--modules $here/odd: .*as modprobe wants it" --modules "$here/odd"
	mkinitrd_refused "no program" "--program nosuch: not found in .PATH; give its path" --program nosuch
	mkinitrd_refused "no file" "--program ./nosuch: no such file; check" --program ./nosuch
	mkinitrd_refused "no executable" "--program /etc/passwd: cannot be executed; .*chmod" --program /etc/passwd
	mkinitrd_refused "file without destination" "--file a: give SOURCE:DESTINATION" --file a
	mkinitrd_refused "missing file" "--file /nosuch: no such file; check" --file /nosuch:/a
	mkinitrd_refused "directory as file" "--file /etc: is a directory; --tree adds" --file /etc:/etc
	printf '#! /nosuch/bin/interpreter -x\n' >"$here/script"
	chmod +x "$here/script"
	mkinitrd_refused "no interpreter" "--program script: its interpreter /nosuch/bin/interpreter is not in" --program "$here/script"
	mkdir -p "$here/tools"
	printf '#!/bin/sh\nexit 1\n' >"$here/tools/cpio"
	chmod +x "$here/tools/cpio"
	PATH=$(realpath "$here/tools"):$PATH mkinitrd_refused "failing cpio" "cpio or gzip failed: is there space" -o "$here/x.gz" --program sh
	mkinitrd_refused "missing tree" "--tree /nosuch: no such directory; check" --tree /nosuch
	mkinitrd_refused "no init" "--init /nosuch: no such file; check" --init /nosuch
	rm -f "$here/fifo"
	mkfifo "$here/fifo"
	mkinitrd_refused "file without a source" "--file :/a: give SOURCE:DESTINATION" --file :/a
	if wanted "mkinitrd refused: no place for its tree"; then
		TMPDIR=/nosuch refused_by "mkinitrd: cannot make a directory in /nosuch; is it there" "$lkvm" mkinitrd --program sh
	fi
	mkinitrd_refused "pipe as file" "--file $here/fifo: is neither a file nor a character device; give" --file "$here/fifo:/a"
	mkinitrd_unreadable
	mkinitrd_spares
	mkinitrd_refused "output nowhere" "--output /nosuch/x: cannot be written: No such file or directory; give" -o /nosuch/x --program sh
	mkdir -p "$here/d.out"
	mkinitrd_refused "output a directory" "--output $here/d.out: is a directory; give" -o "$here/d.out" --program sh
	[ -z "$(ls "$here/d.out")" ] || fails "$here/d.out has got a file"
	mkinitrd_refused "empty output" "--output: its value is empty; give" --program sh -o ""
	mkinitrd_refused "empty output, by =" "--output: its value is empty; give" --program sh --output=
	mkinitrd_refused "empty program" "--program: its value is empty; give" --program ""
	mkinitrd_refused "empty kernel" "--modules: its value is empty; give" --modules=
	mkinitrd_refused "empty word" "unexpected argument \(empty\); see" -o x ""
	mkinitrd_refused "help with a value" "--help=1: --help takes no value" --help=1
	mkinitrd_refused "empty directory" "--directory: its value is empty; give" --program sh --directory=
	mkinitrd_full
	# ppc64 in place of x86-64
	cp "$(command -v ls)" "$here/foreign"
	printf '\025' | dd of="$here/foreign" bs=1 seek=18 conv=notrunc status=none
	mkinitrd_refused "foreign program" "--program $here/foreign: its libraries are not known, .*; give a static one" --program "$here/foreign"
	mkdir -p "$here/bare"
	for tool in mktemp mkdir ln rm; do ln -sf "$(command -v $tool)" "$here/bare"; done
	if wanted "mkinitrd refused: no busybox"; then
		refused_by "--busybox: none is installed; install busybox-static" env "PATH=$here/bare" "$lkvm" mkinitrd --busybox
	fi
	mkinitrd_refused "directory that is there" "--directory $dir: is there already; give a new one" --directory "$dir" --program sh
	mkinitrd_refused "directory and output" "--directory $here/d: makes no archive; leave out --output" --directory "$here/d" -o x --program sh
}

# unpacked OPTION...: what such an archive has, in $here/root
unpacked() {
	rm -rf "$here/root"
	mkdir -p "$here/root"
	"$lkvm" mkinitrd -o "$here/initrd.cpio" "$@" >"$out" 2>"$err" &&
		cpio -idm --quiet -D "$here/root" <"$here/initrd.cpio"
}

# A tree may have links that lead out of it: the guest's, not to be followed here.
mkinitrd_inside() {
	local tree=$here/links outside link wrong=

	rm -rf "$here/outside" "$tree" "$here/list"
	mkdir -p "$here/outside" "$tree/var" "$here/list"
	outside=$(realpath "$here/outside")
	for link in var/run bin final; do
		ln -s "$outside" "$tree/$link"
	done
	ln -s ../run "$tree/var/lock"
	ln -s ../../.. "$tree/up"
	ln -s round "$tree/round"
	ln -s "$outside/list" "$here/list/modules.list"
	if wanted "mkinitrd: nothing is written outside of the tree"; then
		unpacked --tree "$tree" --busybox --program ls --file /etc/passwd:/var/run/f \
			/etc/passwd:/var/lock/g /etc/passwd:/final || wrong+=" failed."
		wrong+=$(same "outside" "" "$(ls "$outside")")
		[ -x "$here/root$outside/ls" ] || wrong+=" no ls where the guest's /bin leads to."
		[ -f "$here/root$outside/f" ] || wrong+=" no f where the guest's /var/run leads to."
		[ -f "$here/root/run/g" ] || wrong+=" no g behind a relative link."
		[ -f "$here/root/final" ] && [ ! -L "$here/root/final" ] || wrong+=" final is not the file."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	mkinitrd_refused "path out of the tree" "/../../x: leaves the initrd; give a path below /" --file /etc/passwd:/../../x
	mkinitrd_refused "link out of the tree" "/up/x: leaves the initrd" --tree "$tree" --file /etc/passwd:/up/x
	mkinitrd_refused "links in a circle" "/round/x: its links go round" --tree "$tree" --file /etc/passwd:/round/x
	mkinitrd_refused "directory in the way" "/etc: is a directory in the initrd" --file /etc/passwd:/etc/passwd /etc/passwd:/etc
	mkinitrd_refused "module list a link" "--tree .*list: its modules.list is a link" --tree "$here/list"
}

mkinitrd_right() {
	local here=$dir/mkinitrd kernel=build/cache/linux-cloud-amd64 wrong tool

	mkdir -p "$here"
	if wanted "mkinitrd: a program runs with the libraries that came along"; then
		printf 'a  b' >"$here/src file"
		wrong=
		unpacked --program ls "$(command -v cat)" --file "$here/src file:/etc/some/file" || wrong+="failed."
		wrong+=$(same "file" "$(cat "$here/src file")" "$(cat "$here/root/etc/some/file")")
		if [ "$(id -u)" -eq 0 ]; then
			wrong+=$(same "in a chroot" "$(printf 'file\na  b')" "$(chroot "$here/root" /bin/ls /etc/some; chroot "$here/root" /bin/cat /etc/some/file)")
		fi
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	if wanted "mkinitrd: programs that the shell has, too"; then
		wrong=
		printf '#!/bin/sh\n' | tee "$here/put" >"$here/wait"
		chmod +x "$here/put" "$here/wait"
		PATH=/nosuch::$PATH:$(realpath "$here") unpacked --program sh true echo kill [ put wait || wrong+=" failed."
		for tool in true echo kill [ put wait; do
			[ -x "$here/root/usr/bin/$tool" ] || wrong+=" no $tool."
		done
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	if wanted "mkinitrd: --output=FILE.gz, scripts, and --help behind others"; then
		wrong=
		printf '#!/bin/sh\n' >"$here/script"
		chmod +x "$here/script"
		"$lkvm" mkinitrd "--output=$here/x.gz" --program="$here/script" --busybox >"$out" 2>"$err" || wrong+=" failed."
		gzip -dc "$here/x.gz" | cpio -it --quiet | grep -qx usr/bin/script || wrong+=" no script in it."
		"$lkvm" mkinitrd -o x --help 2>&1 | grep -q '^usage: ' || wrong+=" no usage."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	if wanted "mkinitrd: busybox has its links, and nothing writes through them"; then
		wrong=
		unpacked --busybox --program sh --file "$dir/run-me:/bin/cat" 2>/dev/null && wrong+=" a missing file was taken."
		unpacked --busybox --program ls || wrong+=" failed."
		cmp -s "$(command -v busybox)" "$here/root/bin/busybox" || wrong+=" busybox is another."
		[ "$(readlink "$here/root/bin/true")" = /bin/busybox ] || wrong+=" no link true."
		[ ! -L "$here/root/bin/ls" ] || wrong+=" ls is not the one asked for."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	mkinitrd_inside
	if [ ! -e "$kernel/version" ]; then
		name="mkinitrd: modules"
		skip "no $kernel (scripts/kernel.sh cloud-amd64 fetches it)"
		return
	fi
	if wanted "mkinitrd: modules in the order to load them"; then
		wrong=
		unpacked --modules "$kernel" xfs || wrong+=" failed."
		wrong+=$(same "list" "yes" "$(awk '{ at[$1] = NR } END {
			if (at["virtio_ring.ko"] < at["virtio_pci.ko"] && at["virtio_pci.ko"] && at["virtio_blk.ko"] &&
			    at["pvpanic.ko"] < at["pvpanic-mmio.ko"] && at["pvpanic.ko"] && at["libcrc32c.ko"] < at["xfs.ko"]) print "yes" }' \
			"$here/root/modules.list")")
		wrong+=$(same "files" "$(sort "$here/root/modules.list")" "$(ls "$here/root/modules" | LC_ALL=C sort)")
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	if wanted "mkinitrd: modules of a package with a merged /usr"; then
		wrong=
		rm -rf "$here/merged"
		mkdir -p "$here/merged/usr/lib"
		ln -s "$(realpath "$kernel/lib/modules")" "$here/merged/usr/lib/modules"
		unpacked --modules "$here/merged" || wrong+=" failed."
		grep -qx virtio_blk.ko "$here/root/modules.list" || wrong+=" no virtio_blk."
		if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
	fi
	mkinitrd_refused "no such module" "--modules: kernel .* has no module nosuch; see find" --modules "$kernel" nosuch
}
