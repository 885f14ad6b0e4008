# SPDX-License-Identifier: GPL-2.0-only
#
# Memory, start-up time and size of lkvm; sourced by run.sh.

figures() {
	own_memory
	start_time
	binary_size
}

# RSS of all mappings but guest memory: the one of just the size of --mem.  Of what
# else is writable and no file's, as a thread's stack, none may become a huge page,
# which the host can give for the first byte that is touched.
own_memory() {
	local own large

	wanted "own memory at most 5 MiB" || return 0
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

# first_run KERNEL: ms from exec to the first KVM_RUN, under strace
first_run() {
	local trace=$dir/trace

	timeout -k 2 10 strace -f -qq -ttt --seccomp-bpf -e trace=execve,ioctl -e signal=none -o "$trace" \
		"$lkvm" run -k "$1" --params "case=poweroff console=ttyS0" --disk null:16M,queues=4 \
		--timeout 1 </dev/null >/dev/null 2>&1 || true
	awk '/execve\(/ && !start { start = $2 }
		/KVM_RUN/ && !found { printf "%.1f\n", ($2 - start) * 1000; found = 1 }' "$trace"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

start_time() {
	local bzimage=build/cache/linux-cloud-amd64/vmlinuz kernel ms

	for kernel in "$payload" "$bzimage"; do
		wanted "first guest instruction in 30 ms, ${kernel##*/}" || continue
		if ! command -v strace >/dev/null; then
			skip "no strace(1)"
			continue
		elif [ ! -e "$kernel" ]; then
			skip "no $kernel (scripts/kernel.sh cloud-amd64 fetches it)"
			continue
		fi
		ms=$(for _ in 1 2 3 4 5; do first_run "$kernel"; done | median)
		note "exec to first KVM_RUN, ${kernel##*/}: ${ms:-?} ms (median of 5, under strace -f of ioctl only)"
		if [ -n "$ms" ] && [ "${ms%.*}" -lt 30 ]; then pass; else fails "${ms:-?} ms"; fi
	done
}

binary_size() {
	local bytes

	wanted "stripped binary at most 400 KB" || return 0
	strip -o "$dir/lkvm.stripped" "$lkvm"
	bytes=$(stat -c %s "$dir/lkvm.stripped")
	note "stripped binary: $bytes bytes"
	if [ "$bytes" -le 400000 ]; then pass; else fails "$bytes bytes"; fi
}
