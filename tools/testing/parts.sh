# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by check.sh and check-debug.sh: runs parts of the tests. PARTS: the names of
# some, for only those. JOBS: how many run at a time; by default as many as CPUs and
# free memory allow, four at most.

# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

# The script's to set: the directory for results, one or more files of KTAP of each part
out=
# Before the name of every host VM; how many times longer it may take; what it runs
# before and after its command
vm_prefix=
vm_slow=1
vm_before=
vm_after=
# How much the guests' tests do
restarts=5 kills=20 resets=2 plugs=10 namespaces=32 commands=3000

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
	run_part "$vm_prefix$1" "${@:2}" </dev/null &
	running+=($!)
}

# run_vm NAME TIMEOUT COMMAND: whose kernel log has to be silent, and those of
# its guests
run_vm()
{
	local run=$BUILD/run/$1

	"$TESTING/vm/host-vm.sh" "$1" $(($2 * vm_slow)) "$vm_before
$3
$vm_after" || true
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
	part "$1" "$3" run_vm "$vm_prefix$1" "$2" "$4"
}

# guest_parts: those that every kernel for the host VM can run. What takes longest
# comes first.
guest_parts()
{
	in_vm guest 2400 "guests on vhost-kernel-nvme" "bash /bench/host/test-guest"
	in_vm kill $((400 + 100 * kills)) "SIGKILL to QEMU under load" \
		"bash /bench/host/test-kill $kills"
	in_vm reset $((1200 + resets * 120)) \
		"resets and restarts with commands in flight" \
		"bash /bench/host/test-reset $resets"
	in_vm tools 1200 "file systems and disk tools in guests" \
		"bash /bench/host/test-tools"
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
	in_vm fuzz-guest $((900 + commands / 5)) \
		"the same commands by chance for vhost=on and vhost=off" \
		"bash /bench/host/test-fuzz 1 $commands"
	in_vm options 1200 "the device's options and messages" \
		"bash /bench/host/test-options"
}

# parts_end: when all have ended, the verdict
parts_end()
{
	wait_below 1
	trap - EXIT
	say "all parts are done; logs are in $BUILD/run, results in $out"
	/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap
}
