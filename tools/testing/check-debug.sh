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

# Faults are injected last: what they do to the rest of the kernel is not this
# module's.
early=() late=()
for test in ${TESTS:-$(find "$BUILD/selftests" -maxdepth 1 -type f -executable \
	! -name run.sh -printf '%f\n' | sort)}; do
	case $test in
	inject*) late+=("$test") ;;
	*) early+=("$test") ;;
	esac
done
selftests="VNG_TIMEOUT_MS=60000 FUZZ_COUNT=2000 FUZZ_SEQUENCES=100"
selftests+=" bash /bench/selftests/run.sh"

for kernel in ${KERNEL:-kasan kcsan}; do
	"$TESTING/setup/debug-kernel.sh" "$kernel"
	farm=$BUILD/modules-$kernel
	MODULES_DIR=$farm KDIR=$(readlink -f "$BUILD/debug-$kernel") \
		"$TESTING/setup/modules.sh"
	name=debug-$kernel
	run=$BUILD/run/$name
	# What is printed is KTAP if there are tests in it.
	log=$out/$name.ktap
	[ ${#early[@]} != 0 ] || log=$out/$name.log
	say "$kernel: selftests, fuzzers and a guest"
	HOST_KERNEL=$BUILD/debug-$kernel/vmlinuz HOST_APPEND=$append \
		HOST_MODULE=$farm/drivers/vhost/nvme/vhost_nvme.ko \
		"$TESTING/vm/host-vm.sh" "$name" 7200 "
			bash /bench/host/test-debug begin
			${early:+$selftests ${early[*]}}
			bash /bench/host/test-faults 1 injected >/out/faults.ktap
			mv /out/guest-1.log /out/guest-faults.log
			bash /bench/host/test-debug guest >/out/guest.ktap
			${late:+$selftests ${late[*]} >/out/inject.ktap}
			bash /bench/host/test-debug end >/out/end.ktap
			sed 's/^/# /' /out/*.ktap" 2>&1 |
		tee "$log" || true
	for part in faults guest ${late:+inject} end; do
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
