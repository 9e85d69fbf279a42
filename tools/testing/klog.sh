#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# klog.sh FILE...: shows what a kernel log may not contain; fails if there is any.
# Where faults are injected (selftests/fault.c), a trace alone is the kernel's word on
# memory that it could not have. Where a cgroup has no memory left (selftests/cgroup.c),
# it says whom it kills.

bad='BUG:|WARNING:|Oops|general protection|kernel panic|Call Trace'
bad+='|KASAN|UBSAN|KCSAN|KFENCE|unreferenced object|refcount_t:'
bad+='|possible (circular|recursive) locking|inconsistent lock state'
bad+='|suspicious RCU|sleeping function called|scheduling while atomic'
bad+='|blocked for more than|soft lockup|hard LOCKUP|self-detected stall'
bad+='|detected stalls|list_(add|del) corruption|Bad page|out of memory'
bad+='|nvme.*timeout|nvme.*(controller is down|Abort status)|EXT4-fs error'

status=0
for f; do
	if sed -e '/vng: faults are injected/,/vng: no faults/s/Call Trace/trace/' \
		-e '/vng: a cgroup is full/,/vng: no longer full/ {
			s/Call Trace/trace/
			s/cgroup out of memory/cgroup is full/ }' "$f" |
		grep -HnE --label="$f" -A 20 -- "$bad"; then
		status=1
	fi
done
exit $status
