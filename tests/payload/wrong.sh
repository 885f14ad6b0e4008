# SPDX-License-Identifier: GPL-2.0-only
#
# Wrong input: status 125 and one line on stderr that names option, value and
# remedy; sourced by run.sh.

# refused NAME REGEX OPTIONS...: run with them, and what the line must hold
refused() {
	local regex=$2

	wanted "refused: $1" || return 0
	shift 2
	refused_by "$regex" "$lkvm" run "$@"
}

# refused_by REGEX COMMAND...
refused_by() {
	local regex=$1 lines

	shift
	status=0
	timeout -k 5 20 "$@" </dev/null >"$out" 2>"$err" || status=$?
	[ -z "$verbose" ] || sed 's/^/#   /' "$err"
	lines=$(wc -l <"$err")
	if [ "$status" -ne 125 ]; then
		fails "status $status, not 125"
	elif [ "$lines" -ne 1 ]; then
		fails "$lines lines on stderr, not 1"
	elif [ -s "$out" ]; then
		fails "something on stdout"
	elif ! grep -qE -- "$regex" "$err"; then
		fails "does not say: $regex"
	else
		pass
	fi
}

wrong_files() {
	local text=$dir/text bzimage=build/cache/linux-cloud-amd64/vmlinuz cut mortal=()

	# Even root obeys a file's mode then, and /dev/kvm is still root's.
	[ "$(id -u)" -ne 0 ] || mortal=(setpriv --bounding-set=-dac_override,-dac_read_search)

	echo "This is no kernel" >"$text"
	: >"$dir/empty"
	refused "no --kernel" "--kernel FILE"
	refused "missing kernel" "--kernel $dir/none: No such file.*; check" -k "$dir/none"
	refused "empty name of a kernel" "--kernel \(empty\): give FILE" -k ""
	refused "directory as kernel" "--kernel $dir: is a directory; give" -k "$dir"
	refused "empty kernel" "--kernel $dir/empty: is empty; give" -k "$dir/empty"
	refused "text as kernel" "--kernel $text: not a kernel.*; give" -k "$text"
	refused "32-bit ELF as kernel" "--kernel $dir/payload32.elf: not a kernel.*; give" -k "$dir/payload32.elf"
	refused "device as kernel" "--kernel /dev/zero: .*; copy" -k /dev/zero
	head -c 4096 "$payload" >"$dir/cut.elf"
	refused "truncated ELF" "--kernel $dir/cut.elf: truncated.*; copy" -k "$dir/cut.elf"
	if wanted "refused: unreadable kernel"; then
		cp "$payload" "$dir/secret.elf"
		chmod 0 "$dir/secret.elf"
		refused_by "--kernel $dir/secret.elf: Permission denied; make it readable" \
			"${mortal[@]}" "$lkvm" run -k "$dir/secret.elf"
		rm -f "$dir/secret.elf"
	fi
	for cut in 1000 20000 1000000; do
		wanted "refused: bzImage cut to $cut bytes" || continue
		if [ ! -e "$bzimage" ]; then
			skip "no $bzimage (scripts/kernel.sh cloud-amd64 fetches it)"
			continue
		fi
		head -c "$cut" "$bzimage" >"$dir/cut.bzimage"
		refused_by "--kernel $dir/cut.bzimage: .*; (copy|give)" "$lkvm" run -k "$dir/cut.bzimage"
	done
	rm -f "$dir/cut.bzimage"
	refused "missing initrd" "--initrd $dir/none: No such file.*; check" -k "$payload" -i "$dir/none"
	refused "directory as initrd" "--initrd $dir: is a directory; give" -k "$payload" -i "$dir"
	image "$dir/big" 64M
	refused "initrd that does not fit" "--initrd $dir/big: 64 MiB do not fit.*--mem" -k "$payload" -i "$dir/big" -m 64M
	image "$dir/big" 5G
	refused "initrd above 4 GiB" "--initrd $dir/big: 5120 MiB do not fit" -k "$payload" -i "$dir/big" -m 6G
	rm -f "$dir/big"
}

wrong_options() {
	local value

	for value in 0 1K 100000T 99999999999999999999G nonsense 12Q 1G1 -5M "" " 1G"; do
		refused "--mem '$value'" "--mem .*like 512M" -k "$payload" --mem "$value"
	done
	refused "--mem 1G,unknown=1" "--mem.*unknown.*" -k "$payload" --mem 1G,unknown=1
	for value in 0 100000 256 4294967297 -1 two ""; do
		refused "--cpus '$value'" "--cpus $value" -k "$payload" --cpus "$value"
	done
	refused "unknown option" "--colour.*--help" -k "$payload" --colour=red
	refused "unknown letter" "-Z.*--help" -k "$payload" -Z
	refused "value is missing" "--kernel.*--help" --kernel
	refused "argument too many" "superfluous.*--help" -k "$payload" superfluous
	refused "--timeout 0" "--timeout 0" -k "$payload" --timeout 0
	refused "empty command" "the command behind -- is empty; give" -k "$payload" -- ""
	refused "--name with a slash" "--name a/b: not a name of a guest; give" -k "$payload" --name a/b
	refused "--name that is empty" "--name \(empty\): not a name of a guest; give" -k "$payload" --name ""
	refused "--stats that is empty" "--stats \(empty\): give FILE" -k "$payload" --stats ""
	refused "--console nowhere" "--console nowhere.*give" -k "$payload" --console nowhere
	refused "console file in no directory" "--console file:$dir/none/x: No such" -k "$payload" --console "file:$dir/none/x"
	refused "stats file in no directory" "--stats $dir/none/x: No such" -k "$payload" --stats "$dir/none/x"
	refused "params too long" "--params.*shorten" -k "$payload" --params "$(printf 'x%.0s' {1..5000})"
	if wanted "refused: the old --stats file stays"; then
		echo '{ old' >"$dir/keep.json"
		status=0
		"$lkvm" run -k "$dir/none" --stats "$dir/keep.json" </dev/null >"$out" 2>"$err" || status=$?
		if [ "$status" -ne 125 ]; then
			fails "status $status, not 125"
		elif [ "$(cat "$dir/keep.json")" != '{ old' ]; then
			fails "it has changed"
		else
			pass
		fi
	fi
	if wanted "refused: unknown command"; then
		refused_by "colour.*help" "$lkvm" colour
	fi
}

wrong_disks() {
	local disk=$dir/disk.img key holder

	image "$disk" 1M
	for key in queues=0 queues=5000 queues=many queue-size=0 queue-size=100 queue-size=2048 \
		iothreads=0 iothreads=300 ro=maybe poll=often poll=0 poll=100001 merge=maybe batch=-1 batch=x batch=262145 discard=unmap irq-delay=soon irq-delay=-1 irq-delay=1001 transport=isa iops=-1 iops=20000000 iops=1K iops-burst=10 bps=1X bps=200G bps-burst=1M rerror=enospc rerror=1 werror=pause colour=red nonsense; do
		refused "disk key $key" "--disk.*${key%%=*}" -k "$payload" --disk "$disk,$key"
	done
	for key in uring native,aio=none THREADS "" 1; do
		refused "disk key aio=$key" "--disk.*aio.*auto\|native\|io_uring\|threads" -k "$payload" --disk "$disk,aio=$key"
	done
	refused "disk key batch= with threads" "--disk.*batch=3.*aio=native" -k "$payload" --disk "$disk,aio=threads,batch=3"
	refused "disk key batch= of a null disk" "--disk null:1G.*batch=" -k "$payload" --disk null:1G,batch=3
	for key in on write-back none,cache= NONE; do
		refused "disk key cache=$key" "--disk.*cache.*none\|writeback\|writethrough\|directsync\|unsafe" -k "$payload" --disk "$disk,cache=$key"
	done
	for key in 0 1024 4K host ""; do
		refused "disk key block-size=$key" "--disk.*block-size.*512\|4096" -k "$payload" --disk "$disk,block-size=$key"
	done
	image "$dir/odd.img" 1537K
	refused "block-size=4096 on an odd size" "--disk $dir/odd.img: block-size=4096: .*1573888.*truncate" -k "$payload" --disk "$dir/odd.img,block-size=4096"
	rm -f "$dir/odd.img"
	refused "iothreads over queues" "--disk $disk: iothreads 3: more than its queues" -k "$payload" --disk "$disk,queues=2,iothreads=3"
	refused "nine disks on MMIO" "--disk null:9M: transport=mmio: .* 8 such disks; use transport=pci" -k "$payload" \
		$(printf -- '--disk null:%dM,transport=mmio ' {1..9})
	refused "31 disks and a command" "no PCI slot is free: at most 31 devices, .*exit device.*fewer disks" -k "$payload" \
		$(printf -- '--disk null:%dM ' {1..31}) -- true
	refused "serial too long" "--disk $disk: serial .*longer" -k "$payload" --disk "$disk,serial=123456789012345678901"
	refused "no image" "--disk $dir/none: no such file; make" -k "$payload" --disk "$dir/none"
	refused "empty path" "--disk: no path; give" -k "$payload" --disk ""
	refused "empty image" "--disk $dir/empty: it is empty; give" -k "$payload" --disk "$dir/empty"
	refused "directory as image" "--disk $dir: it is a directory; give" -k "$payload" --disk "$dir"
	refused "character device as image" "--disk /dev/null: it is .*; give" -k "$payload" --disk /dev/null
	image "$dir/odd.img" 1000
	refused "size no multiple of 512" "--disk $dir/odd.img: its size, 1000.*truncate" -k "$payload" --disk "$dir/odd.img"
	for key in null: null:0 null:big null:100; do
		refused "disk $key" "--disk $key.*" -k "$payload" --disk "$key"
	done
	refused "image given twice" "--disk $disk: in use by pid [0-9]+ .*itself.*lock=off" -k "$payload" --disk "$disk" --disk "$disk"
	if wanted "refused: image in use"; then
		start spin --disk "$disk" || true
		holder=$pid
		refused_by "--disk $disk: in use by pid $holder .*lock=off" "$lkvm" run -k "$payload" --disk "$disk"
		kill -TERM "$holder"
		wait "$holder" || true
	fi
	if wanted "image shared read-only, free again"; then
		if start spin --disk "$disk,ro"; then
			holder=$pid
			guest poweroff --disk "$disk,ro"
			kill -TERM "$holder"
			wait "$holder" || true
			judge 0 0
		else
			finish
			fails "not READY"
		fi
	fi
}

# spared NAME REGEX FILE OPTIONS...: refused, and the file is as it was
spared() {
	local file=$3 before

	wanted "refused: $1" || return 0
	before=$(cksum <"$file")
	refused "$1" "$2" -k "$payload" --params case=poweroff "${@:4}"
	if [ "$(cksum <"$file")" != "$before" ]; then
		name="refused: $1: $file is left alone"
		fails "it has changed"
	fi
}

# A slip of the hand: what lkvm writes goes where something else is.
wrong_outputs() {
	local disk=$dir/slip.img option node holder

	yes disk | head -c 1M >"$disk"
	ln -sf slip.img "$dir/slip.link"
	for option in "--stats " "--console file:"; do
		# shellcheck disable=SC2086	# an option and its value
		{
			spared "${option}and --disk of one file" "$option$dir/slip.link: would overwrite the file of --disk $disk; give another" \
				"$disk" --disk "$disk" $option"$dir/slip.link"
			spared "${option}and --kernel of one file" "$option$payload: would overwrite the file of --kernel $payload; give another" \
				"$payload" $option"$payload"
			spared "${option}and --initrd of one file" "$option$disk: would overwrite the file of --initrd $disk; give another" \
				"$disk" --initrd "$disk" $option"$disk"
		}
	done
	spared "--stats of another kind" "--stats $disk: there is a file of another kind; give another" "$disk" --stats "$disk"
	node=$(find /dev -maxdepth 1 -type b | head -n 1)
	[ -z "$node" ] || refused "--console on a block device" "--console file:$node: is a block device; give" \
		-k "$dir/none" --console "file:$node"
	if wanted "refused: --console on the disk of another guest"; then
		start spin --disk "$disk" || true
		holder=$pid
		spared "--console on the disk of another guest" "--console file:$disk: in use by pid $holder; give another" \
			"$disk" --console "file:$disk"
		kill -TERM "$holder"
		wait "$holder" || true
	fi
	if wanted "outputs: earlier ones are overwritten, devices and pipes written"; then
		yes earlier | head -c 64K >"$dir/slip.log"
		yes '{ "earlier": 1 }' | head -c 64K >"$dir/slip.json"
		guest poweroff --disk null:16M,queues=4 --console "file:$dir/slip.log" --stats "$dir/slip.json"
		cp "$dir/slip.log" "$out"
		if ! jq -e .version "$dir/slip.json" >/dev/null || grep -q earlier "$out"; then
			fails "what was there is still there"
		else
			judge 0 0
		fi
		guest poweroff --disk null:16M,queues=4 --console file:/dev/null --stats /dev/null
		[ "$status" -eq 0 ] || fails "/dev/null: status $status"
	fi
	rm -f "$disk" "$dir"/slip.*
	if wanted "refused: no empty files are left"; then
		: >"$dir/slip.old"
		refused_by "--kernel $dir/none" "$lkvm" run -k "$dir/none" --stats "$dir/slip.stats" --trace "$dir/slip.trace" \
			--console "file:$dir/slip.log"
		refused_by "--kernel $dir/none" "$lkvm" run -k "$dir/none" --stats "$dir/slip.old" --trace "$dir/slip.old"
		node=$(cd "$dir" && echo slip.*)
		[ "$node" = slip.old ] || fails "left: $node"
		guest poweroff --console "file:$dir/slip.log"
		[ -e "$dir/slip.log" ] || fails "no console of a guest that ran"
	fi
	rm -f "$dir"/slip.*
}

# not_raw NAME OFFSET MAGIC TOOL: an image that begins so is refused, and left alone
not_raw() {
	local disk=$dir/magic.img before

	wanted "refused: $1" || return 0
	image "$disk" 1M
	printf '%b' "$3" | dd of="$disk" bs=1 seek="$2" conv=notrunc status=none
	before=$(cksum <"$disk")
	refused_by "--disk $disk: it looks like a .*$1.*raw ones only; convert it by \`$4 .*$disk.*format=raw" \
		"$lkvm" run -k "$payload" --disk "$disk"
	if [ "$(cksum <"$disk")" != "$before" ]; then
		name="refused: $1 is left alone"
		fails "it has changed"
	fi
}

wrong_formats() {
	local disk=$dir/magic.img

	not_raw qcow2 0 'QFI\xfb\0\0\0\3' "qemu-img convert -O raw"
	not_raw VMDK 0 'KDMV\1\0\0\0' "qemu-img convert -O raw"
	not_raw VHDX 0 'vhdxfile' "qemu-img convert -O raw"
	not_raw VDI 64 '\x7f\x10\xda\xbe' "qemu-img convert -O raw"
	not_raw gzip 0 '\x1f\x8b\x08\0' "gzip -dc"
	not_raw xz 0 '\xfd7zXZ\0' "xz -dc"
	not_raw zstd 0 '\x28\xb5\x2f\xfd' "zstd -dc"
	not_raw bzip2 0 'BZh91AY&SY' "bzip2 -dc"
	refused "format=qcow2" "--disk $disk: format qcow2: .*probe\|raw" -k "$payload" --disk "$disk,format=qcow2"
	if wanted "format=raw: what a guest wrote is its own"; then
		image "$disk" 1M
		printf 'QFI\xfb\0\0\0\2' | dd of="$disk" conv=notrunc status=none
		guest poweroff --disk "$disk,format=raw"
		judge 0 0
	fi
}

# as_nobody REGEX ARGUMENTS...: refused when run without root's powers
as_nobody() {
	local regex=$1 home

	shift
	if [ "$(id -u)" -ne 0 ]; then
		refused_by "$regex" "$lkvm" "$@"
	elif ! command -v setpriv >/dev/null; then
		skip "no setpriv(1)"
	else
		# The tree may be where nobody may look: take lkvm along.
		home=$(mktemp -d /tmp/lkvm-payload.XXXXXX)
		chmod 755 "$home"
		cp "$lkvm" "$home/lkvm"
		mkdir -p "$home/$dir"
		cp "$payload" "$home/$payload"
		chmod -R go+rX "$home/build"
		refused_by "$regex" setpriv --reuid=65534 --regid=65534 --clear-groups \
			env -C "$home" ./lkvm "$@"
		rm -rf "$home"
	fi
}

# A guest for each ioctl of its start, which fails: one line with a remedy, or nothing.
refused_calls() {
	local n wrong="" refused=0

	for n in $(seq 40); do
		status=0
		"${tracer[@]}" -f -qq -o /dev/null -e trace=ioctl -e "inject=ioctl:error=ENOMEM:when=$n" "$lkvm" run \
			-k "$payload" --params case=poweroff --disk null:16M --timeout 20 </dev/null >"$out" 2>"$err" || status=$?
		[ "$status" -ne 0 ] || continue
		refused=$((refused + 1))
		[ "$status" -eq 125 ] && [ "$(wc -l <"$err")" -eq 1 ] && grep -q "; [a-z]" "$err" ||
			wrong+=" ioctl $n: status $status, $(cat "$err")."
	done
	[ $refused -ge 20 ] || wrong+=" only $refused were refused."
	if [ -n "$wrong" ]; then fails "$wrong"; else pass; fi
}

wrong_kvm() {
	local command="$lkvm run -k $payload --params case=poweroff"

	if wanted "refused: no permission on /dev/kvm"; then
		if [ "$(id -u)" -ne 0 ] || [ "$(stat -c %a /dev/kvm)" = 666 ]; then
			skip "everyone may use /dev/kvm here, or not root"
		else
			as_nobody "/dev/kvm: Permission denied; .*kvm" run -k "$payload"
		fi
	fi
	if wanted "refused: no /dev/kvm"; then
		if unshare -m sh -c 'mount -t tmpfs none /dev' 2>/dev/null; then
			refused_by "/dev/kvm: No such file.*; load" \
				unshare -m sh -c "mount -t tmpfs none /dev; exec $command"
		else
			skip "cannot mount here"
		fi
	fi
	if wanted "refused: /dev/kvm that is none"; then
		if unshare -m mount --bind /dev/null /dev/kvm 2>/dev/null; then
			refused_by "/dev/kvm: " unshare -m sh -c "mount --bind /dev/null /dev/kvm; exec $command"
		else
			skip "cannot mount here"
		fi
	fi
	if wanted "refused: each of KVM's calls, with a remedy"; then
		if command -v strace >/dev/null; then
			refused_calls
		else
			skip "no strace"
		fi
	fi
	if wanted "refused: few file descriptors"; then
		refused_by "ulimit -n" bash -c "ulimit -n 60; exec $lkvm run -k $payload --disk null:16M,queues=64"
	fi
	if wanted "refused: eight file descriptors"; then
		refused_by "ulimit -n" bash -c "ulimit -n 8; exec $lkvm run -k $payload"
	fi
}
