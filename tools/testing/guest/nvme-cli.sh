#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nvme-cli.sh CONTROLLER DISK: the basics of the nvme tool

set -eux
ctrl=$1 disk=$2
cd "$(mktemp -d)"

nvme list | grep -q "$disk"
nvme id-ctrl "$ctrl" | grep -q '^mdts'
nvme id-ns "$disk" | grep -q '^nsze'
nvme smart-log "$ctrl"
nvme get-feature "$ctrl" -f 7
nvme list-ns "$ctrl" | grep -q 0x1
nvme flush "$disk"

lba=$(blockdev --getss "$disk")
n=8
bytes=$((n * lba))
head -c $bytes /dev/urandom >data

nvme write "$disk" -s 16 -c $((n - 1)) -z $bytes -d data
nvme read "$disk" -s 16 -c $((n - 1)) -z $bytes -d back
cmp data back

# FUA, and a block more than the first ones is left alone
nvme write "$disk" -s 24 -c $((n - 1)) -z $bytes -d data -f
nvme write-zeroes "$disk" -s 16 -c $((n - 1))
nvme read "$disk" -s 16 -c $((n - 1)) -z $bytes -d back
cmp -n $bytes back /dev/zero
nvme read "$disk" -s 24 -c $((n - 1)) -z $bytes -d back
cmp data back

nvme dsm "$disk" -d -s 16 -b $n

# Out of range is refused by the device (Base 2.0, LBA Out of Range).
last=$(blockdev --getsz "$disk")
last=$((last * 512 / lba))
if nvme read "$disk" -s "$last" -c 0 -z "$lba" -d back >err 2>&1; then
	echo "a read behind the end succeeded"
	exit 1
fi
cat err
grep -qi 'LBA.*range' err

# An opcode of the NVM command set that does not exist
nsid=$(nvme get-ns-id "$disk")
if nvme io-passthru "$disk" -n "${nsid##*:}" --opcode=0x7f >err 2>&1; then
	echo "opcode 7fh succeeded"
	exit 1
fi
cat err
grep -qi 'opcode' err
