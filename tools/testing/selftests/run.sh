#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Run the tests that lie next to this script, as root and with vhost_nvme
# loaded. Prints one KTAP stream; exits with 0 if nothing failed.
#
#	run.sh [program...]
#
# The environment is described in test.h: VNG_SCALE=10 for a longer run,
# VNG_TIMEOUT_MS for slow kernels, VNG_SEED to repeat a run.

here=$(cd "$(dirname "$0")" && pwd)
limit=$((300 * ${VNG_SCALE:-1}))
[ "${VNG_TIMEOUT_MS:-0}" -lt 10000 ] ||
	limit=$((limit * (VNG_TIMEOUT_MS / 10000)))
status=$(mktemp)
trap 'rm -f "$status"' EXIT

bail() {
	echo "Bail out! $*"
	exit 1
}

# Number, verdict, description
result() {
	if [ "$2" -eq 0 ]; then
		echo "ok $1 $3"
	elif [ "$2" -eq 4 ]; then
		echo "ok $1 $3 # SKIP"
	else
		echo "not ok $1 $3"
		failed=1
	fi
}

# Wait until a command succeeds, for some seconds.
eventually() {
	for _ in $(seq 100); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

# The counters of all CPUs: each holds back some of them for up to a second.
pinned() {
	cat /proc/sys/vm/stat_refresh 2>/dev/null
	awk '$1 == "nr_foll_pin_acquired" { a = $2 }
	     $1 == "nr_foll_pin_released" { r = $2 }
	     END { print a - r }' /proc/vmstat
}

unpinned() {
	[ "$(pinned)" = "$pinned_before" ]
}

# shellcheck disable=SC2317 # eventually() calls it
unused() {
	[ "$(cat /sys/module/vhost_nvme/refcnt)" = 0 ]
}

# What a test without its teardown has left behind: disks that do not answer, and others;
# a file system, cgroups; faults; workqueues that may use only one CPU
clean_up() {
	export DM_DISABLE_UDEV=1
	for d in $(dmsetup ls 2>/dev/null | awk '/^vng/ { print $1 }'); do
		dmsetup resume "$d"
		dmsetup remove --retry "$d"
	done
	for d in /sys/kernel/config/nullb/vng*; do
		[ -d "$d" ] || continue
		swapoff "/dev/${d##*/}" 2>/dev/null
		rmdir "$d"
	done
	for d in /sys/kernel/debug/fail*/probability; do
		[ -e "$d" ] && echo 0 >"$d"
	done
	for d in /tmp/vng-fuse-*; do
		[ -d "$d" ] || continue
		umount -l "$d"
		rmdir "$d"
	done
	rmdir /sys/fs/cgroup/vng* 2>/dev/null
	[ "$(cat "$workqueues")" = "$cpumask" ] || echo "$cpumask" >"$workqueues"
}

log_since_start() {
	dmesg | sed "1,/$mark/d" | grep -E \
		'WARNING|BUG|Oops|KASAN|UBSAN|general protection|refcount_t|lockdep is turned off|possible (circular|recursive)|blocked for more than|soft lockup|rcu.*stall|memory leak'
}

[ "$(id -u)" = 0 ] || bail "not root"
[ -c "${VNG_DEVICE:-/dev/vhost-nvme}" ] || bail "vhost_nvme is not loaded"
# What is missing is built in, or makes tests skip themselves.
modprobe -aq configfs loop dm_mod
modprobe -q brd rd_nr=1 rd_size=16384
modprobe -q scsi_debug add_host=0 submit_queues=2 poll_queues=1
modprobe -q ublk_drv
modprobe -q fuse
modprobe -q null_blk nr_devices=0
[ -d /sys/kernel/config/nullb ] || mount -t configfs none /sys/kernel/config 2>/dev/null

tests=$*
if [ -z "$tests" ]; then
	for t in "$here"/*; do
		[ -f "$t" ] && [ -x "$t" ] && [ "$t" != "$here/run.sh" ] &&
			tests="$tests ${t##*/}"
	done
fi

workqueues=/sys/devices/virtual/workqueue/cpumask
cpumask=$(cat "$workqueues")
failed=0
n=0
mark="vng $$ begins"
echo "$mark" >/dev/kmsg
pinned_before=$(pinned)
echo "KTAP version 1"
# shellcheck disable=SC2086 # a list of words
set -- $tests
echo "1..$(($# + 3))"
for t; do
	n=$((n + 1))
	{
		timeout -s KILL "$limit" "$here/$t" 2>&1
		echo $? >"$status"
	} | while IFS= read -r line; do
		printf '  %s\n' "$line"
	done
	clean_up
	result $n "$(cat "$status")" "$t"
done

eventually unpinned || echo "# pages still pinned: $(($(pinned) - pinned_before))"
unpinned
result $((n + 1)) $? "no page stays pinned"
eventually unused
result $((n + 2)) $? "no reference to the module stays"
! log_since_start
result $((n + 3)) $? "the kernel log is silent"
exit $failed
