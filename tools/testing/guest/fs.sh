#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fs.sh DISK: a file system on the disk keeps what is copied to it.

set -eu
disk=$1
mnt=$(mktemp -d)
src=/usr/sbin

mkfs.ext4 -q -F "$disk"
mount "$disk" "$mnt"
cp -a "$src" "$mnt/copy"
(cd "$src" && find . -type f -exec sha256sum {} +) >/tmp/sums
umount "$mnt"

# Mounted anew, everything is read from the disk.
echo 3 >/proc/sys/vm/drop_caches
mount "$disk" "$mnt"
(cd "$mnt/copy" && sha256sum --quiet -c /tmp/sums)
rm -r "$mnt/copy"
fstrim "$mnt"
umount "$mnt"
fsck.ext4 -f -n "$disk"
