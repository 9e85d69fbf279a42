#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# host-vm.sh NAME TIMEOUT COMMAND: boots the host VM with the module, QEMU, the
# selftests and the scripts of this tree in it and runs COMMAND there with bash;
# its output is printed and its exit status returned. TIMEOUT in seconds, 0: the
# terminal is COMMAND's and there is no limit.
#
# HOST_APPEND has more of the host VM's kernel command line; HOST_NVME=yes gives it
# an NVMe disk without memory behind it.
# HOST_KERNEL and HOST_MODULE: another kernel for it, with everything built in, and
# the module for that. (Guests still have the bench kernel.)
# HOST_PLUGIN: a TCG plugin and its arguments; the host VM is emulated then.
#
# In build/run/NAME: console.log (kernel log of the host VM), output.log, and
# out/ with what COMMAND left in /out; if the time was up, also what the VM did then
# (registers.log, and its tasks in console.log).

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

name=$1 timeout=$2 command=$3
run=$BUILD/run/$name
images=$BUILD/images
kernel=${HOST_KERNEL:-$images/vmlinuz}
module=${HOST_MODULE:-$BUILD/modules/drivers/vhost/nvme/vhost_nvme.ko}
qemu=$BUILD/qemu/qemu-system-x86_64
memory=6G
cpus=4

make_payload()
{
	local p=$run/payload lib

	mkdir -p "$p/qemu/lib"
	cp -r "$TESTING/vm" "$TESTING/host" "$TESTING/guest" "$p"
	cp "$images/vmlinuz" "$images/initramfs.cpio" "$p"
	cp "$module" "$p/vhost_nvme.ko" ||
		say "no vhost_nvme.ko: the host VM runs without it"
	if [ -d "$BUILD/selftests" ]; then
		cp -rL "$BUILD/selftests" "$p/selftests"
	fi
	if [ -d "$BUILD/driver" ]; then
		cp -r "$BUILD/driver" "$p/driver"
	fi
	if [ -d "$BUILD/fio" ]; then
		cp -r "$BUILD/fio" "$p/fio"
	fi
	cp -r "$BUILD/qemu/qemu-bundle" "$p/qemu"
	strip -o "$p/qemu/qemu-system-x86_64" "$qemu"
	strip -o "$p/qemu/qemu-storage-daemon" "$BUILD/qemu/qemu-storage-daemon"
	# The root image need not know what QEMU is linked with.
	ldd "$qemu" | awk '$3 ~ /^\// { print $3 }' |
		grep -vE '/(libc|libm|ld-linux[^/]*)\.so' | while read -r lib; do
		cp -L "$lib" "$p/qemu/lib/"
	done
	printf '%s\n' "$command" >"$p/command"
	echo "$BENCH_START" >"$p/start"
	echo "$timeout" >"$p/timeout"
	truncate -s "$(du -sk "$p" | awk '{ print int($1 * 1.1) + 8000 }')k" \
		"$run/payload.img"
	mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$p" "$run/payload.img"
	rm -r "$p"
}

# With KVM where a kernel really boots on it and can run guests of its own.
accel()
{
	local cached

	[ -z "${HOST_PLUGIN:-}" ] || { echo tcg; return; }
	cached=$CACHE/accel-$(key "$BUILD/qemu/stamp" \
		/proc/sys/kernel/random/boot_id <<<"$(id -u)")
	if [ ! -e "$cached" ]; then
		rm -f "$CACHE"/accel-????????????
		echo tcg >"$cached.$$"
		if [ -w /dev/kvm ] && timeout -k 1 30 "$qemu" -nodefaults \
			-display none -machine q35 -accel kvm -cpu host -m 512M \
			-no-reboot -kernel "$images/vmlinuz" \
			-initrd "$images/initramfs.cpio" \
			-append "console=ttyS0 quiet panic=-1 role=probe" \
			-serial stdio </dev/null 2>/dev/null |
			grep -q "probe: hardware virtualization"; then
			echo kvm >"$cached.$$"
		fi
		mv "$cached.$$" "$cached"
	fi
	cat "$cached"
}

# Just before the time is up: where the VM's CPUs are, twice
watch_timeout()
{
	local end=$((SECONDS + timeout - 15))

	exec 8<>"$run/monitor.out"
	while [ $SECONDS -lt $end ]; do
		read -r -t $((end - SECONDS)) -u 8 || true
	done
	for _ in 1 2; do
		echo "info registers -a" >"$run/monitor.in"
		timeout 3 cat <&8 >>"$run/registers.log" || true
	done
}

case $(accel) in
kvm) accel=(-accel kvm -cpu host) ;;
tcg) accel=(-accel "tcg,thread=multi" -cpu EPYC-Milan) ;;
esac

# One at a time under a name: the logs are in one place.
mkdir -p "$BUILD/run"
exec 9>"$BUILD/run/$name.lock"
flock -n 9 || { say "waiting for another '$name' run"; flock 9; }
rm -rf "$run"
mkdir -p "$run/out"
make_payload
# What comes out: the VM writes a tar archive to this disk.
truncate -s 256M "$run/out.img"

# The TSC is as good as the HPET, but on a busy machine it can look worse to the
# kernel, whose every look at the clock then takes an exit, for as long as the VM runs.
# shellcheck disable=SC2054 # the commas are QEMU's
vm=("$qemu" "${accel[@]}" -machine q35 -smp "$cpus" -m "$memory" -nodefaults
	-display none -no-reboot -no-user-config
	-kernel "$kernel" -initrd "$images/initramfs.cpio"
	-append "console=ttyS0 loglevel=7 panic=-1 mitigations=off log_buf_len=4M tsc=nowatchdog role=host ${HOST_APPEND:-}"
	-drive "if=none,id=root,format=raw,readonly=on,file=$images/root.img"
	-device virtio-blk-pci,drive=root,serial=root
	-drive "if=none,id=payload,format=raw,readonly=on,file=$run/payload.img"
	-device virtio-blk-pci,drive=payload,serial=payload
	-drive "if=none,id=out,format=raw,file=$run/out.img"
	-device virtio-blk-pci,drive=out,serial=out
	-serial "file:$run/console.log"
	-device virtio-serial-pci -device virtconsole,chardev=terminal)
if [ -n "${HOST_NVME:-}" ]; then
	# shellcheck disable=SC2054 # the commas are QEMU's
	vm+=(-blockdev "null-co,node-name=null,size=$((16 << 30)),read-zeroes=off"
		-device nvme,drive=null,serial=null)
fi

if [ -n "${HOST_PLUGIN:-}" ]; then
	vm+=(-plugin "$HOST_PLUGIN")
fi

status=0
if [ "$timeout" = 0 ]; then
	"${vm[@]}" -chardev stdio,id=terminal,signal=off 2>"$run/qemu.log" ||
		status=$?
else
	mkfifo "$run/monitor.in" "$run/monitor.out"
	watch_timeout >/dev/null 2>&1 &
	timeout --foreground -k 5 "$timeout" "${vm[@]}" \
		-chardev "pipe,id=monitor,path=$run/monitor" -mon monitor \
		-chardev stdio,id=terminal,signal=off \
		</dev/null 2>"$run/qemu.log" | tee "$run/output.log" ||
		status=${PIPESTATUS[0]}
	kill $! 2>/dev/null || true
fi

if [ "$status" = 124 ] || [ "$status" = 137 ]; then
	tail -n 60 "$run/console.log" >&2
	die "the host VM did not finish within $timeout s; see $run"
fi
tar -xf "$run/out.img" -C "$run/out" 2>/dev/null || true
rm -f "$run/out.img" "$run/payload.img"
if [ ! -e "$run/out/status" ]; then
	grep -v "TCG doesn't support" "$run/qemu.log" >&2 || true
	tail -n 60 "$run/console.log" >&2
	die "the host VM died; see $run"
fi
exit "$(cat "$run/out/status")"
