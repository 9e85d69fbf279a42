#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Counts the host's instructions per I/O: build/cost/report.txt. The virtual
# machine has two CPUs that take turns, and its clock is its instruction count:
# the figures depend neither on the build machine's speed nor on its load.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

dir=$TESTING/cost
out=$BUILD/cost
images=$BUILD/images
module=$BUILD/modules/drivers/vhost/nvme/vhost_nvme.ko
timeout=600

cc()
{
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers \
		-Wno-unused-parameter -D_GNU_SOURCE "$@"
}

# The program is static: the image need not have what it is linked with.
build()
{
	local glib

	read -ra glib < <(pkg-config --cflags glib-2.0) || return
	cc -shared -fPIC "${glib[@]}" -I"$BUILD/qemu" -o "$out/count.so" \
		"$dir/count.c" || return
	cc -static -I"$TESTING/selftests/lib" -I"$TOP/include/uapi" \
		-o "$out/payload/cost" "$dir/cost.c" \
		"$TESTING"/selftests/lib/*.c -luring
}

make_payload()
{
	mkdir -p "$out/payload/count" && build &&
		cp "$dir/init" "$out/payload/count" &&
		cp "$TESTING/host/disks.sh" "$module" "$out/payload" &&
		truncate -s 32M "$out/payload.img" &&
		mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$out/payload" \
			"$out/payload.img"
}

lock cost
rm -rf "$out"
mkdir -p "$out"
step "building the programs" "$out/build.log" make_payload
truncate -s 64M "$out/out.img"

# shellcheck disable=SC2054 # the commas are QEMU's
vm=("$BUILD/qemu/qemu-system-x86_64" -accel "tcg,thread=single" -cpu EPYC-Milan
	-icount shift=0,sleep=off -machine q35 -smp 2 -m 1G -nodefaults
	-display none -no-reboot -no-user-config
	-plugin "$out/count.so,out=$out/counts"
	-kernel "$images/vmlinuz" -initrd "$images/initramfs.cpio"
	-append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr role=count"
	-drive "if=none,id=root,format=raw,readonly=on,file=$images/root.img"
	-device virtio-blk-pci,drive=root,serial=root
	-drive "if=none,id=payload,format=raw,readonly=on,file=$out/payload.img"
	-device virtio-blk-pci,drive=payload,serial=payload
	-drive "if=none,id=out,format=raw,file=$out/out.img"
	-device virtio-blk-pci,drive=out,serial=out
	-serial "file:$out/console.log")

say "counting in a virtual machine"
if ! timeout -k 5 $timeout "${vm[@]}" </dev/null 2>"$out/qemu.log"; then
	tail "$out/qemu.log" "$out/console.log" >&2
	die "the virtual machine did not finish"
fi
mkdir "$out/vm"
tar -xmf "$out/out.img" -C "$out/vm" || die "no results: see $out/console.log"
rm -r "$out/out.img" "$out/payload.img" "$out/payload"
if [ "$(cat "$out/vm/status")" != 0 ]; then
	tail "$out/console.log" >&2
	die "no counts: see $out"
fi
"$TESTING/klog.sh" "$out/vm/dmesg" || die "the kernel complains"

cp "$module" "$out"
report=("$dir/report.py" "$out/counts" "$out/vm" "$out/vhost_nvme.ko")
/usr/bin/python3 "${report[@]}" | tee "$out/report.txt"
/usr/bin/python3 "${report[@]}" --functions >"$out/functions.txt"
say "cost: OK: report.txt and functions.txt are in $out"
