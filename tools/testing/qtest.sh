#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The series' tests for QEMU's test suite: the device on a host without the module,
# which this machine is (else it skips that), and DMA to and from where there is no
# memory. Prints KTAP.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

"$TESTING/setup/qemu.sh" >&2

# qtest PROGRAM [OPTIONS]
qtest()
{
	local program=$1

	shift
	QTEST_QEMU_BINARY=$BUILD/qemu/qemu-system-x86_64 \
		QTEST_QEMU_IMG=$BUILD/qemu/qemu-img \
		timeout 300 "$BUILD/qemu/$program" --tap "$@"
}

ktap_begin
t "qtest" qtest vhost-kernel-nvme-test || true
t "qtest: data where there is no memory" qtest ide-test \
	-p /x86_64/ide/bmdma/no_memory || true
ktap_end || exit 1
