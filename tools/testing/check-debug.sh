#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The selftests, fuzzers and guests' tests on debug kernels: KERNEL=kasan or kcsan, or
# both. Whatever such a kernel reports is a failure. PARTS and JOBS: see parts.sh; by
# default one at a time, since such kernels are slow enough. TESTS: the names of some
# selftests, for only those.
#
# Not here are the parts that reload drivers of disks, which are built in.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
JOBS=${JOBS:-1}
PARTS=${PARTS:-${TESTS:+selftests}}
# shellcheck source=parts.sh
. "$TESTING/parts.sh"

out=$BUILD/check-debug
rm -rf "$out"
mkdir -p "$out"

restarts=1 kills=5 resets=1 plugs=2 namespaces=8 commands=1000

# What modprobe sets for the bench kernel, where it is a module
append="null_blk.nr_devices=0 scsi_debug.add_host=0 scsi_debug.submit_queues=2"
append+=" scsi_debug.poll_queues=1 brd.rd_nr=1 brd.rd_size=16384"
append+=" kasan_multi_shot"
# A KVM that is built in takes the TSC's frequency from its first, rough calibration,
# and gives it to each vCPU. If the refined one is lower or higher by more than this,
# and the processor cannot scale the TSC, as an emulated one cannot, then all timers of
# guests come far too late (kvm_set_tsc_khz() in Linux 6.12 leaves a ratio of 0).
append+=" kvm.tsc_tolerance_ppm=10000"

export HOST_KERNEL HOST_APPEND=$append HOST_MODULE
vm_slow=4
vm_before="bash /bench/host/test-debug begin"
vm_after="bash /bench/host/test-debug end >/out/end.ktap; sed 's/^/# /' /out/end.ktap"

for kernel in ${KERNEL:-kasan kcsan}; do
	"$TESTING/setup/debug-kernel.sh" "$kernel"
	farm=$BUILD/modules-$kernel
	MODULES_DIR=$farm KDIR=$(readlink -f "$BUILD/debug-$kernel") \
		"$TESTING/setup/modules.sh"
	HOST_KERNEL=$BUILD/debug-$kernel/vmlinuz
	HOST_MODULE=$farm/drivers/vhost/nvme/vhost_nvme.ko
	vm_prefix=debug-$kernel-
	in_vm selftests 3600 "selftests and fuzzers" \
		"VNG_TIMEOUT_MS=60000 FUZZ_COUNT=2000 FUZZ_SEQUENCES=100 \
			bash /bench/selftests/run.sh ${TESTS:-}"
	in_vm faults 600 "a disk that forgets and requeues requests" \
		"bash /bench/host/test-faults 1 injected"
	guest_parts
done

# What test-debug found has a file of its own, which a VM that did not end lacks.
wait_below 1
for log in "$out"/*-log.ktap; do
	name=$(basename "$log" -log.ktap)
	cp "$BUILD/run/$name/out/end.ktap" "$out/$name-end.ktap" ||
		echo "not ok 1 $name: nothing is left" >"$out/$name-end.ktap"
done
parts_end
