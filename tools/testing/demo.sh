#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One boot that shows the device under test: what the guest sees, verified I/O,
# and figures beside those of its peers. Fails if I/O does, never by a figure.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

run=$BUILD/run/demo

say "booting the host VM"
status=0
"$TESTING/vm/host-vm.sh" demo 900 "bash /bench/host/demo 3 1 4k '1 16 64'" ||
	status=$?
if ! "$TESTING/klog.sh" "$run"/out/dmesg "$run"/out/*.log; then
	say "demo: FAILED: the kernel log of host VM or guest has the lines above"
	exit 1
elif [ "$status" != 0 ]; then
	say "demo: FAILED; the logs are in $run"
	exit 1
fi
echo
/usr/bin/python3 "$TESTING/table.py" "$run/out/samples"
echo
say "demo: OK: the guest's I/O was verified; logs and samples are in $run"
