#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The root image and the initramfs that the host VM and the guest share. The
# image is of the build machine's own release, so that what is built here runs
# there. Links to both and to the kernel are left in build/images.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

packages=busybox-static,mount,kmod,procps,psmisc,util-linux,e2fsprogs,xfsprogs
packages+=,fio,nvme-cli,python3-minimal,iproute2,strace
# What a guest does with disks, and what boots from one
packages+=,btrfs-progs,hdparm,smartmontools
packages+=,fdisk,dosfstools,mtools,grub-pc-bin,grub-efi-amd64-bin,ovmf
# Resets behind a driver's back
packages+=,pciutils,kexec-tools

make_root()
{
	apt_ready
	local tmp=$1 root=$1/root release

	release=$(basename "$linux")
	release=${release#linux-}
	as_root mmdebstrap --mode=root --variant=apt --include="$packages" \
		--aptopt='APT::Sandbox::User "root"' \
		--dpkgopt=path-exclude=/usr/share/{doc,man,locale}/* \
		--dpkgopt=path-exclude=/usr/share/OVMF/*secboot* \
		"$CODENAME" "$root" - < <(grep '^deb ' "$APT_DIR/sources.list" |
			grep -v backports)
	as_root rm -rf "$root"/var/lib/apt/lists "$root"/var/cache/apt
	as_root mkdir -p "$root/lib/modules"
	as_root cp -r "$linux/lib/modules/$release" "$root/lib/modules/"
	# Room for nothing: the image is never written.
	as_root mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" \
		"$tmp/root.img" \
		"$(as_root du -sk --apparent-size "$root" | awk '{ print int($1 * 1.15) + 40000 }')k"
	cp "$root/bin/busybox" "$tmp/busybox"
	as_root rm -rf "$root"
	as_root chown "$(id -u):$(id -g)" "$tmp/root.img"
}

make_initramfs()
{
	local tmp=$1 dir=$1/initramfs m f

	mkdir -p "$dir"/{bin,proc,sys,dev,lower,upper,new}
	install -m 755 "$root/busybox" "$dir/bin/busybox"
	install -m 755 "$TESTING/vm/initramfs" "$dir/init"
	for m in virtio_blk overlay; do
		f=$(find -L "$linux/lib/modules" -name "$m.ko*" | head -n 1)
		case $f in
		*.xz) xz -dc "$f" >"$dir/$m.ko" ;;
		*) cp "$f" "$dir/$m.ko" ;;
		esac
	done
	(cd "$dir" && find . | cpio -o -H newc -R 0:0) >"$tmp/initramfs.cpio"
	rm -r "$dir"
}

# cached DIR TEXT FUNCTION: calls FUNCTION with a directory that becomes DIR
cached()
{
	[ ! -e "$1" ] || return 0
	tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$tmp"
	trap 'as_root rm -rf "$tmp"' EXIT
	step "$2" "$BUILD/log/$3.log" "$3" "$tmp"
	mv "$tmp" "$1"
}

lock images
linux=$(cat "$CACHE/kernel-$CODENAME")
root=$CACHE/root-$CODENAME-$(key "$0" <<<"$linux")
cached "$root" "making the root image of the VMs" make_root
initramfs=$CACHE/initramfs-$(key "$0" "$TESTING/vm/initramfs" <<<"$root")
cached "$initramfs" "making their initramfs" make_initramfs

mkdir -p "$BUILD/images"
ln -sf "$root/root.img" "$initramfs/initramfs.cpio" "$BUILD/images"
ln -sf "$linux"/boot/vmlinuz-* "$BUILD/images/vmlinuz"
