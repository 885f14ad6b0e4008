# SPDX-License-Identifier: GPL-2.0-only
#
# lkvm create: what it makes, what it refuses, and what it leaves behind when it
# is stopped; sourced by run.sh.  Needs no KVM.

# not_made NAME REGEX PATH SIZE...: refused, and no file is there afterwards
not_made() {
	local regex=$2 file=$3

	wanted "create: $1" || return 0
	shift 2
	refused_by "$regex" "$lkvm" create "$@"
	if [ -f "$file" ]; then
		name="create: nothing stays behind"
		fails "$file is there"
		rm -f "$file"
	fi
}

# made NAME BYTES TAKEN ARGUMENTS...: new.img has that size, reads as zeroes and
# takes at least so many bytes on the host; fewer than its size if 0
made() {
	local bytes=$2 taken=$3 file=$dir/new.img blocks

	wanted "create: $1" || return 0
	shift 3
	rm -f "$file"
	status=0
	timeout -k 5 60 "$lkvm" create "$@" </dev/null >"$out" 2>"$err" || status=$?
	blocks=$((512 * $(stat -c %b "$file" || echo 0)))
	if [ "$status" -ne 0 ]; then
		fails "status $status, not 0"
	elif [ -s "$out" ] || [ -s "$err" ]; then
		fails "it says something"
	elif [ "$(stat -c %s "$file")" -ne "$bytes" ]; then
		fails "$(stat -c %s "$file") bytes, not $bytes"
	elif ! cmp -s -n "$bytes" "$file" /dev/zero; then
		fails "it is not all zeroes"
	elif [ "$blocks" -lt "$taken" ] || { [ "$taken" -eq 0 ] && [ "$blocks" -ge "$bytes" ]; }; then
		fails "it takes $blocks bytes on the host"
	else
		pass
	fi
	rm -f "$file"
}

create_makes() {
	local file=$dir/new.img

	made "sparse" $((8 << 20)) 0 "$file" 8M
	made "one sector" 512 0 "$file" 512
	made "reserved" $((8 << 20)) $((8 << 20)) "$file" 8M --prealloc=falloc
	made "written, odd end" $(((9 << 20) + 512)) $((9 << 20)) "$file" 9437696 --prealloc=full
	made "option in front" $((1 << 20)) $((1 << 20)) --prealloc falloc -- "$file" 1M
	made "option between" $((1 << 20)) $((1 << 20)) "$file" --prealloc=full 1M
	if wanted "create: a bar on a terminal"; then
		rm -f "$file"
		script -qec "$lkvm create $file 512M --prealloc=full" /dev/null </dev/null >"$out" 2>"$err" || true
		if ! grep -q '\[#* *\] *[0-9]*% .* MiB/s .* left' "$out"; then
			fails "no bar"
		elif ! grep -q '100%' "$out"; then
			fails "it does not end at 100%"
		else
			pass
		fi
		rm -f "$file"
	fi
}

create_refuses() {
	local file=$dir/new.img size free

	for size in 12Q nonsense -5M " 1M" 8GB 8388608T 99999999999999999999; do
		not_made "size '$size'" "size $size: not a size; write it like 512M" "$file" -- "$size"
	done
	for size in 0 1000 513; do
		not_made "size '$size'" "size $size: not a multiple of 512 bytes; write it like 512M" "$file" -- "$size"
	done
	not_made "empty size" "size \(empty\): not a size" "$file" ""
	not_made "null disk" "create null:1G: .* no file; give it to lkvm run --disk" null:1G 1M
	not_made "no size" "create $file: no size; give" "$file"
	not_made "empty path" "create: no path; give" "" 1M
	not_made "argument too many" "superfluous.*--help" "$file" 1M superfluous
	not_made "--prealloc=some" "--prealloc some: give .*off\|falloc\|full" "$file" 1M --prealloc=some
	not_made "directory" "create $dir: it is a directory; give" "$dir" 1M
	not_made "device" "create /dev/null: it exists; give" /dev/null 1M
	not_made "no directory" "create $dir/none/x: No such.*; make" "$dir/none/x" 1M
	if wanted "create: existing file stays"; then
		echo precious >"$file"
		refused_by "create $file: it exists; remove" "$lkvm" create "$file" 1M --prealloc=full
		if [ "$(cat "$file")" != precious ]; then
			name="create: what was in it"
			fails "it has changed"
		fi
		rm -f "$file"
	fi
	free=$(($(stat -f -c '%f * %S' "$dir")))	# what root has to itself, too
	for size in falloc full; do
		not_made "no space, $size" "no space: [1-9][0-9]* MiB are missing; free" \
			"$file" $(((free / 512 + (64 << 21)) * 512)) --prealloc=$size
	done
	if wanted "create: ulimit -f"; then
		refused_by "create $file: .*ulimit -f" bash -c "ulimit -f 100; exec $lkvm create $file 1M"
		[ ! -e "$file" ] || { name="create: nothing after ulimit -f"; fails "$file is there"; }
	fi
}

# create_hit NAME REGEX INJECTION OPTIONS...: the host fails in the middle
create_hit() {
	local file=$dir/new.img regex=$2 injection=$3

	wanted "create: $1" || return 0
	shift 3
	if ! strace -o /dev/null true 2>/dev/null; then
		skip "no strace(1), or it may not trace"
		return
	fi
	refused_by "$regex" "${tracer[@]}" -o /dev/null -e "inject=$injection" "$lkvm" create "$file" "$@"
	if [ -e "$file" ]; then
		name="create: nothing stays behind"
		fails "$file is there"
		rm -f "$file"
	fi
}

create_fails() {
	local file=$dir/new.img

	create_hit "quota, falloc" "create $file: no space.*quota; free" fallocate:error=EDQUOT:when=2 3G --prealloc=falloc
	create_hit "full in the middle" "create $file: no space.*free" pwrite64:error=ENOSPC:when=3 64M --prealloc=full
	create_hit "no fallocate" "create $file: .*cannot reserve.*full or off" fallocate:error=EOPNOTSUPP 1M --prealloc=falloc
	create_hit "disk fails at the end" "create $file: Input/output error" fsync:error=EIO 1M
}

# create_stopped SIGNAL NUMBER: in the middle of the work
create_stopped() {
	local file=$dir/new.img job

	wanted "create: stopped by SIG$1" || return 0
	rm -f "$file"
	: >"$out"
	env --default-signal=INT,QUIT,HUP,TERM "$lkvm" create "$file" "$stop_size" --prealloc=full \
		</dev/null >"$out" 2>"$err" &
	job=$!
	for _ in $(seq 100); do
		[ ! -s "$file" ] || break
		sleep 0.02
	done
	kill "-$1" "$job" 2>/dev/null || true
	status=0
	wait "$job" 2>/dev/null || status=$?
	if [ "$status" -ne $((128 + $2)) ]; then
		fails "status $status, not $((128 + $2))"
	elif [ -e "$file" ]; then
		fails "the half-made file stays"
	elif [ -s "$err" ]; then
		fails "it says something"
	else
		pass
	fi
	rm -f "$file"
}

creating() {
	local stop_size

	create_makes
	create_refuses
	create_fails
	# As much as takes a while, but is there.
	stop_size=$(($(df -B1 --output=avail "$dir" | tail -n 1) / 2 / 512 * 512))
	create_stopped INT 2
	create_stopped TERM 15
}
