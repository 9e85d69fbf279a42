#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All tests, and lint. Every part writes KTAP to build/check/; the last line is
# the sum. FULL=1: what takes long, too.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

out=$BUILD/check
rm -rf "$out"
mkdir -p "$out"

restarts=5 kills=20 resets=2 plugs=10 namespaces=32 dead=
if [ -n "${FULL:-}" ]; then
	restarts=50 kills=100 resets=20 plugs=100 namespaces=256 dead=dead
fi

# part NAME TEXT COMMAND...
part()
{
	local name=$1

	say "$2"
	shift 2
	"$@" 2>&1 | tee "$out/$name.ktap" || true
}

# in_vm NAME TIMEOUT TEXT COMMAND: a part that runs in a host VM of its own,
# whose kernel log has to be silent, and those of its guests
in_vm()
{
	local log=$BUILD/run/$1

	part "$1" "$3" "$TESTING/vm/host-vm.sh" "$1" "$2" "$4"
	{
		ktap_n=0
		ktap_begin
		t "$1: the kernel logs are silent" "$TESTING/klog.sh" \
			"$log/console.log" "$log"/out/dmesg "$log"/out/*.log || true
		ktap_end || true
	} | tee "$out/$1-log.ktap"
}

in_vm selftests 1800 "selftests in the host VM, without a guest" \
	"bash /bench/selftests/run.sh"
in_vm fio 900 "the fio engine in the host VM, without a guest" \
	"bash /bench/host/test-fio"
in_vm guest 2400 "guests on vhost-kernel-nvme" "bash /bench/host/test-guest"
in_vm compare 900 "the same guest with vhost=on and with vhost=off" \
	"bash /bench/host/test-compare"
in_vm tools 1200 "file systems and disk tools in guests" \
	"bash /bench/host/test-tools"
in_vm boot $((1200 + 40 * restarts)) "firmware boots guests from the disk" \
	"bash /bench/host/test-boot $restarts"
in_vm options 1200 "the device's options and messages" \
	"bash /bench/host/test-options"
in_vm kill $((400 + 100 * kills)) "SIGKILL to QEMU under load" \
	"bash /bench/host/test-kill $kills"
in_vm disks 1200 "every kind of disk, under the module and under a guest" \
	"bash /bench/host/test-disks"
in_vm reset $((1200 + resets * 120)) "resets and restarts with commands in flight" \
	"bash /bench/host/test-reset $resets resets restarts hangs aborts $dead"
in_vm hotplug $((1200 + plugs * 30)) "controllers and memory that come and go" \
	"bash /bench/host/test-hotplug $plugs"
in_vm queues $((1200 + namespaces * 5)) "queues, interrupt pins, namespaces" \
	"bash /bench/host/test-queues $namespaces"
in_vm admin 1200 "what the admin queue tells and sets" \
	"bash /bench/host/test-admin"
part qtest "QEMU's own test of the device" "$TESTING/qtest.sh"
part lint "lint" "$TESTING/lint.sh"

say "all parts are done; logs are in $BUILD/run, results in $out"
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap
