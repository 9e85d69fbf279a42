#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tools.sh TEST CONTROLLER DISK: what users do with a disk, by TEST: discard, xfs,
# btrfs, ext4, smart or speed. The disk is overwritten.

set -eux
test=$1 ctrl=$2 disk=$3
mnt=$(mktemp -d)

# What the device did not like since it was started
errors()
{
	nvme smart-log "$ctrl" -o json | tr -d ' \n' |
		sed -nE 's/.*"media_errors":([0-9]+),"num_err_log_entries":([0-9]+).*/\1 \2/p'
}

# is_zero OFFSET LENGTH, of the disk
is_zero()
{
	cmp -n "$2" "$disk" /dev/zero -i "$1:0"
}

not()
{
	! "$@"
}

discard()
{
	local lba=$((1 << 20))

	dd if=/dev/urandom of="$disk" bs=1M count=8 oflag=direct
	# A part; what is beside it stays
	blkdiscard -o $((2 * lba)) -l $((3 * lba)) "$disk"
	is_zero $((2 * lba)) $((3 * lba))
	not is_zero $lba $lba
	not is_zero $((5 * lba)) $lba
	blkdiscard -z -o 0 -l $lba "$disk"
	is_zero 0 $lba
	not is_zero $lba $lba
	blkdiscard -f "$disk"
	is_zero 0 $((8 * lba))
	# Not there: refused by Linux, not sent
	not blkdiscard -s -f "$disk"
}

# file_system TYPE CHECK...: mkfs, files, trim; all still there when mounted anew
file_system()
{
	local type=$1 i

	shift
	wipefs -a "$disk"
	"mkfs.$type" -q "$disk"
	mount -t "$type" "$disk" "$mnt"
	for i in 1 2 3; do
		cp -a /usr/sbin "$mnt/copy$i"
	done
	(cd /usr/sbin && find . -type f -exec sha256sum {} +) >/tmp/sums
	rm -r "$mnt/copy2"
	fstrim -v "$mnt"
	dd if=/dev/urandom of="$mnt/sync" bs=64k count=64 oflag=dsync
	umount "$mnt"
	echo 3 >/proc/sys/vm/drop_caches
	mount "$disk" "$mnt"
	for i in 1 3; do
		(cd "$mnt/copy$i" && sha256sum --quiet -c /tmp/sums)
	done
	umount "$mnt"
	"$@" "$disk"
}

before=$(errors)
case $test in
discard) discard ;;
xfs) file_system xfs xfs_repair -n ;;
btrfs) file_system btrfs btrfs check ;;
ext4) file_system ext4 fsck.ext4 -f -n ;;
smart)
	smartctl -a "$ctrl"
	smartctl -H "$ctrl" | grep -q PASSED
	nvme smart-log "$ctrl"
	nvme error-log "$ctrl"
	;;
speed)
	hdparm -t "$disk"
	hdparm -t --direct "$disk"
	dd if="$disk" of=/dev/null bs=1M count=64 iflag=direct
	;;
esac
[ "$(errors)" = "$before" ]
