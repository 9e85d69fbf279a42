#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The selftests and fuzzers, and guests, on debug kernels: KERNEL=kasan or kcsan, or
# both. Whatever such a kernel reports is a failure. TESTS: the names of some selftests,
# for only those.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

out=$BUILD/check-debug
rm -rf "$out"
mkdir -p "$out"

# What modprobe sets for the bench kernel, where it is a module
append="null_blk.nr_devices=0 scsi_debug.add_host=0 scsi_debug.submit_queues=2"
append+=" scsi_debug.poll_queues=1 brd.rd_nr=1 brd.rd_size=16384"
append+=" kasan_multi_shot"
# A KVM that is built in takes the TSC's frequency from its first, rough calibration,
# and gives it to each vCPU. If the refined one is lower or higher by more than this,
# and the processor cannot scale the TSC, as an emulated one cannot, then all timers of
# guests come far too late (kvm_set_tsc_khz() in Linux 6.12 leaves a ratio of 0).
append+=" kvm.tsc_tolerance_ppm=10000"

for kernel in ${KERNEL:-kasan kcsan}; do
	"$TESTING/setup/debug-kernel.sh" "$kernel"
	farm=$BUILD/modules-$kernel
	MODULES_DIR=$farm KDIR=$(readlink -f "$BUILD/debug-$kernel") \
		"$TESTING/setup/modules.sh"
	name=debug-$kernel
	run=$BUILD/run/$name
	say "$kernel: selftests, fuzzers and guests"
	HOST_KERNEL=$BUILD/debug-$kernel/vmlinuz HOST_APPEND=$append \
		HOST_MODULE=$farm/drivers/vhost/nvme/vhost_nvme.ko \
		"$TESTING/vm/host-vm.sh" "$name" 7200 "
			bash /bench/host/test-debug begin
			VNG_TIMEOUT_MS=60000 FUZZ_COUNT=2000 FUZZ_SEQUENCES=100 \
				bash /bench/selftests/run.sh ${TESTS:-}
			bash /bench/host/test-faults 1 injected >/out/faults.ktap
			[ ! -e /out/guest-1.log ] ||
				mv /out/guest-1.log /out/guest-faults.log
			bash /bench/host/test-debug end >/out/end.ktap
			sed 's/^/# /' /out/*.ktap" 2>&1 |
		tee "$out/$name.ktap" || true
	for part in faults end; do
		cp "$run/out/$part.ktap" "$out/$name-$part.ktap" ||
			echo "not ok 1 $name: $part" >"$out/$name-$part.ktap"
	done
	{
		ktap_begin
		t "$name: the kernel logs are silent" "$TESTING/klog.sh" \
			"$run/console.log" "$run"/out/dmesg "$run"/out/*.log || true
		ktap_end || true
	} | tee "$out/$name-log.ktap"
done

say "all kernels are done; logs are in $BUILD/run, results in $out"
/usr/bin/python3 "$TESTING/ktap.py" "$out"/*.ktap
