#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# verify.sh DISK BS QD JOBS [MIB]: writes with checksums, reads back and compares.
# Every job has a part of the disk of its own, at most MIB large (32).

set -eu
disk=$1 bs=$2 qd=$3 jobs=$4 most=$((${5:-32} << 20))
case $bs in
*k) bytes=$((${bs%k} * 1024)) ;;
*m) bytes=$((${bs%m} * 1048576)) ;;
*) bytes=$bs ;;
esac

# Enough to go several times around the queue, and not more than the disk
size=$((bytes * qd * 4))
[ $size -ge $((bytes * 256)) ] || size=$((bytes * 256))
[ $size -le $most ] || size=$most

fio --name=verify --filename="$disk" --rw=randwrite --bs="$bs" \
	--iodepth="$qd" --numjobs="$jobs" --size=$size --offset_increment=32m \
	--ioengine=io_uring --direct=1 --thread --verify=crc32c \
	--verify_fatal=1 --do_verify=1 --eta=never --group_reporting
