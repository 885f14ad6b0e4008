# SPDX-License-Identifier: GPL-2.0-only
#
# Memory, system calls at the start and size of lkvm; sourced by run.sh.

figures() {
	own_memory
	start_counts
	binary_size
}

# RSS of all mappings but guest memory: the one of just the size of --mem.  Of what
# else is writable and no file's, as a thread's stack, none may become a huge page,
# which the host can give for the first byte that is touched.
own_memory() {
	local own large

	measured "own memory at most 5 MiB" || return 0
	image "$dir/disk.img" 1M
	if ! start "mq spin=1" --mem 512M --disk "$dir/disk.img,queues=4,poll=off"; then
		finish
		fails "not READY"
		return
	fi
	own=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { size = 0 }
		/^Size:/ { size = $2 }
		/^Rss:/ && size != 512 * 1024 { sum += $2 }
		/^Rss:/ && size == 512 * 1024 { found = 1 }
		END { print found ? sum : "" }' "/proc/$pid/smaps")
	large=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { ours = $2 == "rw-p" && NF == 5 }
		/^Size:/ { size = $2 }
		/^VmFlags:/ && ours && size >= 2048 && size != 512 * 1024 && !/ nh( |$)/ { n++ }
		END { print n + 0 }' "/proc/$pid/smaps")
	finish
	note "own memory with 4 queues: ${own:-?} KiB (Rss of /proc/PID/smaps without the guest's mapping)"
	if [ -n "$own" ] && [ "$own" -le 5120 ] && [ "$large" -eq 0 ]; then
		pass
	else
		fails "${own:-?} KiB, $large mappings of 2 MiB or more"
	fi
}

# start_calls KERNEL: the system calls from exec to the first KVM_RUN, of all threads;
# how many bytes they read; and those that wait, of the vCPU's thread and of the main
# one until it has started that: "CALLS BYTES WAITS"
start_calls() {
	local trace=$dir/trace

	timeout -k 2 20 strace -f -qq -e signal=none -o "$trace" \
		"$lkvm" run -k "$1" --params "case=poweroff console=ttyS0" --disk null:16M,queues=4 \
		--timeout 2 </dev/null >/dev/null 2>&1 || true
	awk 'FNR == 1 { file++; main = $1 }
		file == 1 && /KVM_RUN/ { vcpu = $1; nextfile }
		file == 1 { if ($1 == main && /clone3?\(/) started = FNR; next }
		!/ resumed>/ { calls++ }
		/ p?read[v0-9]*\(.*= [0-9]+$/ { bytes += $NF }
		/ (clock_)?nanosleep\(| p?poll\(| p?select6?\(| epoll_p?wait2?\(|FUTEX_WAIT/ &&
			($1 == vcpu || ($1 == main && FNR < started)) { waits++ }
		/KVM_RUN/ { print calls, bytes, waits + 0; exit }' "$trace" "$trace"
}

# What a start takes does not depend on the host's speed: bench/start measures that.
start_counts() {
	local bzimage=build/cache/linux-cloud-amd64/vmlinuz kernel calls bytes waits size

	for kernel in "$payload" "$bzimage"; do
		measured "first guest instruction after 280 system calls, ${kernel##*/}" || continue
		if ! command -v strace >/dev/null; then
			skip "no strace(1)"
			continue
		elif [ ! -e "$kernel" ]; then
			skip "no $kernel (scripts/kernel.sh cloud-amd64 fetches it)"
			continue
		fi
		read -r calls bytes waits < <(start_calls "$kernel") || true
		size=$(stat -Lc %s "$kernel")
		note "exec to first KVM_RUN, ${kernel##*/}: ${calls:-?} system calls, ${bytes:-?} bytes read, ${waits:-?} waits"
		if [ "${calls:-999}" -gt 280 ]; then
			fails "${calls:-no} system calls"
		elif [ "$bytes" -gt $((size + 32768)) ]; then
			fails "$bytes bytes read, of a kernel of $size"
		elif [ "$waits" -ne 0 ]; then
			fails "$waits of them wait"
		else
			pass
		fi
	done
}

binary_size() {
	local bytes

	measured "stripped binary at most 400 KB" || return 0
	strip -o "$dir/lkvm.stripped" "$lkvm"
	bytes=$(stat -c %s "$dir/lkvm.stripped")
	note "stripped binary: $bytes bytes"
	if [ "$bytes" -le 400000 ]; then pass; else fails "$bytes bytes"; fi
}
