# SPDX-License-Identifier: GPL-2.0-only
#
# awk -v requests=N -f compare-profile.awk KALLSYMS MODULES INSN
#
# KALLSYMS are those of code, sorted.  Instructions per request by function: lines "NUMBER WHO LAYER FUNCTION" of what
# insn.c wrote between two marks.  Host and guest run the same kernel at the same
# addresses (nokaslr), so the host's symbols do for both, but for modules of the
# guest: MODULES has "NAME SIZE ... ADDRESS" of /proc/modules there, and they are
# one line each.  Addresses are compared as text: 16 digits, too long for numbers.

# The last digits of an address as a number: modules do not cross 4 GiB.
function low(address,    i, n) {
	for (i = 9; i <= 16; i++) n = n * 16 + index("0123456789abcdef", substr(address, i, 1)) - 1
	return n
}
# Which part of the kernel, as far as names tell.
function layer(f) {
	if (f ~ /\[(kvm|kvm_amd|irqbypass)\]/ || f ~ /^kvm_/) return "kvm"
	if (f ~ /\[(null_blk|virtio_blk|virtio_ring|virtio_pci.*)\]/) return "driver"
	if (f ~ /(srso|retbleed|thunk)/) return "mitigations"
	if (f ~ /^_*(blk|bio|submit_bio|blkdev|aio|io_submit|io_uring|io_get|do_io_get|iov_iter|sbitmap|mempool|kiocb|lookup_ioctx|bvec|read_events|part_|dio|disk|gup_|internal_get_user|get_user_pages|pin_user|try_grab|unpin)/ || f ~ /sys_io_/) return "block"
	if (f ~ /(sched|try_to_wake|ttwu|enqueue_|dequeue_|pick_next|update_(curr|load|rq|cfs|min)|select_task|_switch|cpuidle|^default_idle|idle|reweight|pelt|check_preempt|place_entity|psi_)/) return "scheduler"
	if (f ~ /(eventfd|epoll|ep_|ksys_|vfs_|poll|fget|fput|fdget|wake_up|file_perm|rw_verify)/) return "files"
	if (f ~ /(entry_SYSCALL|do_syscall|syscall_|exit_to_user)/) return "syscall"
	if (f ~ /(ktime|pvclock|timekeeping|read_tsc|native_sched_clock|clock_gettime)/) return "time"
	if (f ~ /(kmem_cache|slab|kmalloc|kfree|xas_|xa_|folio|page|memset|memcpy|copy_user|copy_from|copy_to|rep_)/) return "memory"
	if (f ~ /(spin_|mutex|_lock|_unlock|rcu_|refcount)/) return "locks"
	if (f ~ /(irq|apic|timer|tick|clockevent|asm_|idt|ipi|smp_call|softirq)/) return "interrupt"
	return "other"
}

FILENAME == ARGV[1] { n++; at[n] = $1; name[n] = $3 $4; next }
FILENAME == ARGV[2] { m++; mname[m] = $1; mat[m] = low(substr($6, 3)); msize[m] = $2; next }
{
	if ($1 ~ /user/) { sum[$1 " - -"] += $3; next }
	f = ""
	if ($1 == "guest_kernel" && $2 >= "ffffffffc0000000") {
		a = low($2)
		for (i = 1; i <= m; i++) if (a >= mat[i] && a < mat[i] + msize[i]) { f = "[" mname[i] "]"; break }
		if (f == "") f = "[unknown]"
	} else {
		lo = 1
		for (hi = n; lo < hi;) {
			mid = int((lo + hi + 1) / 2)
			if (at[mid] "" <= $2 "") lo = mid; else hi = mid - 1
		}
		f = name[lo]
	}
	sum[$1 " " layer(f) " " f] += $3
}
END { for (k in sum) if (sum[k] / requests >= 0.5) printf "%.1f %s\n", sum[k] / requests, k }
