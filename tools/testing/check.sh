#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All tests, and lint. Every part writes KTAP to build/check/; the last line is
# the sum. FULL=1: what takes long, too. PARTS: the names of some parts, for only
# those. JOBS: how many parts run at a time; by default as many as CPUs and free
# memory allow, four at most.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

out=$BUILD/check
rm -rf "$out"
mkdir -p "$out"

restarts=5 kills=20 resets=2 plugs=10 namespaces=32 cuts=1 commands=3000
if [ -n "${FULL:-}" ]; then
	restarts=50 kills=100 resets=20 plugs=100 namespaces=256 cuts=20
	commands=30000
fi

# How many parts at a time: a host VM mostly has one busy CPU, that of its guest,
# and takes up to 7 GB.
jobs_by_default()
{
	local memory

	memory=$(awk '$1 == "MemAvailable:" { print int($2 / 7e6) }' /proc/meminfo)
	printf '%d\n' "$(nproc)" "$memory" 4 | sort -n | head -n 1
}

jobs=${JOBS:-$(jobs_by_default)}
[ "$jobs" -ge 1 ] || jobs=1

# Every part in a process group of its own, which ends with this script.
set -m
running=()

# shellcheck disable=SC2329 # the trap calls it
end_parts()
{
	local pid

	trap - EXIT INT TERM
	for pid in "${running[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null || true
	done
}
trap end_parts EXIT
trap 'exit 130' INT TERM

# Returns when fewer than N parts run
wait_below()
{
	local pid still

	while [ ${#running[@]} -ge "$1" ]; do
		wait -n "${running[@]}" || true
		still=()
		for pid in "${running[@]}"; do
			if kill -0 "$pid" 2>/dev/null; then
				still+=("$pid")
			fi
		done
		running=("${still[@]}")
	done
}

# run_part NAME TEXT COMMAND...: what it prints has the part's name in front
run_part()
{
	local name=$1 text=$2 start=$SECONDS

	shift 2
	say "$name: $text"
	"$@" 2>&1 | tee "$out/$name.ktap" | sed -u "s/^/$name: /" || true
	say "$name: done after $((SECONDS - start)) s"
}

# part NAME TEXT COMMAND...: starts it as soon as there is room
part()
{
	[[ " ${PARTS:-$1} " == *" $1 "* ]] || return 0
	wait_below "$jobs"
	run_part "$@" </dev/null &
	running+=($!)
}

# run_vm NAME TIMEOUT COMMAND: whose kernel log has to be silent, and those of
# its guests
run_vm()
{
	local run=$BUILD/run/$1

	"$TESTING/vm/host-vm.sh" "$1" "$2" "$3" || true
	{
		ktap_begin
		t "$1: the kernel logs are silent" "$TESTING/klog.sh" \
			"$run/console.log" "$run"/out/dmesg "$run"/out/*.log || true
		ktap_end || true
	} >"$out/$1-log.ktap"
	# It has a file of its own, but is to be seen here.
	sed 's/^/log: /' "$out/$1-log.ktap"
}

# in_vm NAME TIMEOUT TEXT COMMAND: a part that runs in a host VM of its own
in_vm()
{
	part "$1" "$3" run_vm "$1" "$2" "$4"
}

# What takes longest comes first.
in_vm guest 2400 "guests on vhost-kernel-nvme" "bash /bench/host/test-guest"
in_vm kill $((400 + 100 * kills)) "SIGKILL to QEMU under load" \
	"bash /bench/host/test-kill $kills"
in_vm reset $((1200 + resets * 120)) "resets and restarts with commands in flight" \
	"bash /bench/host/test-reset $resets"
# With the same seed every time: what chance finds is for make fuzz-long.
in_vm selftests 1800 "selftests in the host VM, without a guest" \
	"VNG_SEED=1 bash /bench/selftests/run.sh"
in_vm tools 1200 "file systems and disk tools in guests" \
	"bash /bench/host/test-tools"
in_vm disks 1200 "every kind of disk, under the module and under a guest" \
	"bash /bench/host/test-disks"
in_vm faults $((1200 + 60 * cuts)) "disks that fail, lose power or their way" \
	"bash /bench/host/test-faults $cuts"
in_vm hotplug $((1200 + plugs * 30)) "controllers and memory that come and go" \
	"bash /bench/host/test-hotplug $plugs"
in_vm boot $((1200 + 40 * restarts)) "firmware boots guests from the disk" \
	"bash /bench/host/test-boot $restarts"
in_vm limits 1200 "cgroups, freezing, suspend, CPUs that go offline" \
	"bash /bench/host/test-limits"
in_vm shares 900 "two guests that compete for a disk" \
	"bash /bench/host/test-shares"
in_vm queues $((1200 + namespaces * 5)) "queues, interrupt pins, namespaces" \
	"bash /bench/host/test-queues $namespaces"
in_vm compare 900 "the same guest with vhost=on and with vhost=off" \
	"bash /bench/host/test-compare"
in_vm fuzz-guest $((900 + commands / 5)) "the same commands by chance for vhost=on and vhost=off" \
	"bash /bench/host/test-fuzz 1 $commands"
in_vm options 1200 "the device's options and messages" \
	"bash /bench/host/test-options"
in_vm admin 1200 "what the admin queue tells and sets" \
	"bash /bench/host/test-admin"
in_vm fio 900 "the fio engine in the host VM, without a guest" \
	"bash /bench/host/test-fio"
part fuzz-user "commands by chance for the module's parsing, in user space" \
	"$TESTING/fuzz-user.sh" check
part lint "lint" "$TESTING/lint.sh"
part qtest "QEMU's own tests of the series" "$TESTING/qtest.sh"

wait_below 1
trap - EXIT
say "all parts are done; logs are in $BUILD/run, results in $out"
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap
