#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# admin.sh TEST CONTROLLER DISK [OTHER]: what the admin queue promises about a
# controller and its namespace is true for the I/O queues

set -eu
test=$1 ctrl=$2 disk=${3:-}
cd "$(mktemp -d)"

# number OFFSET SIZE: of the structure on standard input
number()
{
	od -An -v -t "u$2" -j "$1" -N "$2" | tr -d ' '
}

id_ctrl()
{
	nvme id-ctrl "$ctrl" -b | number "$@"
}

id_ns()
{
	nvme id-ns "$disk" -b | number "$@"
}

# log ID LENGTH OFFSET SIZE
log()
{
	nvme get-log "$ctrl" --log-id="$1" --log-len="$2" -b | number "$3" "$4"
}

# feature ID [CDW11]: its value
feature()
{
	nvme get-feature "$ctrl" --feature-id="$1" --cdw11="${2:-0}" |
		sed 's/.*value: *//'
}

set_feature()
{
	nvme set-feature "$ctrl" --feature-id="$1" --value="$2"
}

# same WHAT NUMBER NUMBER
same()
{
	echo "$1: $2, $3 expected"
	[ $(($2)) = $(($3)) ]
}

# fails TEXT COMMAND...: with a status that nvme-cli calls so
fails()
{
	local text=$1

	shift
	if "$@" >out 2>&1; then
		echo "'$*' succeeded"
		return 1
	fi
	cat out
	grep -qi "$text" out
}

nsid()
{
	local id

	id=$(nvme get-ns-id "$disk")
	echo "${id##*:}"
}

# supported OPCODE: by the Commands Supported and Effects log page
supported()
{
	[ $(($(log 5 4096 $((1024 + $1 * 4)) 4) & 1)) = 1 ]
}

# announced OPCODE: by Identify, if there is something that tells
announced()
{
	local oncs bit

	oncs=$(id_ctrl 520 2)
	case $(($1)) in
	0 | 1 | 2) return 0 ;;
	5) bit=0 ;;
	8) bit=3 ;;
	9) bit=2 ;;
	12) bit=7 ;;
	25) bit=8 ;;
	*) return 1 ;;
	esac
	[ $((oncs >> bit & 1)) = 1 ]
}

# An opcode is executed if and only if Identify and the log page say so. NLB is
# 0, and no LBA may be hurt by that.
commands()
{
	local opcode lba

	lba=$(blockdev --getss "$disk")
	for opcode in 0 1 2 4 5 8 9 0xc 0xd 0xe 0x11 0x12 0x15 0x19 0x1d 0x7f; do
		if supported $opcode; then
			echo "opcode $opcode is supported"
			announced $opcode
			case $((opcode)) in
			1 | 2 | 5 | 9 | 25) continue ;;
			esac
			nvme io-passthru "$disk" -n "$(nsid)" --opcode=$opcode
		else
			echo "opcode $opcode is not"
			if announced $opcode; then
				return 1
			fi
			fails "opcode" nvme io-passthru "$disk" -n "$(nsid)" \
				--opcode=$opcode
		fi
	done

	head -c "$lba" /dev/urandom >data
	nvme write "$disk" -s 8 -c 0 -z "$lba" -d data
	if supported 5; then
		nvme compare "$disk" -s 8 -c 0 -z "$lba" -d data
		head -c "$lba" /dev/urandom >other
		fails "compare" nvme compare "$disk" -s 8 -c 0 -z "$lba" -d other
	fi
	if supported 0xc; then
		nvme verify "$disk" -s 8 -c 0
	fi
	if supported 0x19; then
		nvme copy "$disk" --sdlba=32 --slbs=8 --blocks=0
		nvme read "$disk" -s 32 -c 0 -z "$lba" -d back
		cmp data back
		# MSSRL is a number of blocks, NLB is 0's based.
		fails "size limit" nvme copy "$disk" --sdlba=4096 --slbs=8 \
			--blocks="$(id_ns 74 2)"
	else
		same MSSRL "$(id_ns 74 2)" 0
		same OCFS "$(id_ctrl 534 2)" 0
	fi
}

# Longer commands than MDTS and VSL allow
limits()
{
	local lba blocks

	lba=$(blockdev --getss "$disk")
	blocks=$(((4096 << $(id_ctrl 77 1)) / lba))
	# Linux splits what is longer than MDTS, but for passthrough.
	if supported 0xc; then
		blocks=$(((4096 << $(nvme admin-passthru "$ctrl" --opcode=6 \
			--cdw10=6 --data-len=4096 -r -b | number 0 1)) / lba))
		nvme verify "$disk" -s 0 -c $((blocks - 1))
		fails "invalid field" nvme verify "$disk" -s 0 -c "$blocks"
	fi
}

write_cache()
{
	same "VWC" "$(($(id_ctrl 525 1) & 1))" 1
	same "enabled" "$(feature 6)" 1
	set_feature 6 0
	same "disabled" "$(feature 6)" 0
	dd if=/dev/urandom of=data bs=64k count=1 status=none
	dd if=data of="$disk" bs=64k oflag=direct status=none
	dd if="$disk" of=back bs=64k count=1 iflag=direct status=none
	cmp data back
	set_feature 6 1
	same "enabled again" "$(feature 6)" 1
	set_feature 6 0
	nvme reset "$ctrl"
	same "after a reset" "$(feature 6)" 1
}

no_write_cache()
{
	same "VWC" "$(($(id_ctrl 525 1) & 1))" 0
	fails "invalid field" nvme get-feature "$ctrl" --feature-id=6
	fails "invalid field" nvme set-feature "$ctrl" --feature-id=6 --value=0
}

# smart OFFSET: a counter of the SMART / Health log page
smart()
{
	log 2 512 "$1" 8
}

counters()
{
	local units_read units_written reads writes

	sync
	units_read=$(smart 32) units_written=$(smart 48)
	reads=$(smart 64) writes=$(smart 80)
	# A data unit is 1000 times 512 bytes, rounded up.
	dd if="$disk" of=/dev/null bs=64000 count=80 iflag=direct status=none
	dd if=/dev/zero of="$disk" bs=64000 count=40 oflag=direct status=none
	same "data units read" "$(($(smart 32) - units_read))" 10
	same "data units written" "$(($(smart 48) - units_written))" 5
	same "host reads" "$(($(smart 64) - reads))" 80
	same "host writes" "$(($(smart 80) - writes))" 40
}

# error OFFSET SIZE [ENTRY]: of the Error Information log page
error()
{
	log 1 128 $(($1 + ${3:-0} * 64)) "$2"
}

errors()
{
	local lba total last

	lba=$(blockdev --getss "$disk")
	last=$(($(blockdev --getsz "$disk") * 512 / lba))
	total=$(smart 176)
	fails "range" nvme read "$disk" -s "$last" -c 0 -z "$lba" -d back
	fails "range" nvme read "$disk" -s $((last + 5)) -c 0 -z "$lba" -d back
	fails "opcode" nvme io-passthru "$disk" -n "$(nsid)" --opcode=0x7f
	same "error log entries" "$(smart 176)" $((total + 3))
	same "count of the newest" "$(error 0 8)" $((total + 3))
	same "count of the one before" "$(error 0 8 1)" $((total + 2))
	same "its LBA" "$(error 16 8 1)" $((last + 5))
	same "its NSID" "$(error 24 4 1)" "$(nsid)"
	# Generic status 80h, DNR, and the phase tag's place
	same "its status" "$(error 12 2 1)" $((0x4080 << 1))
	same "the newest one's status" "$(error 12 2)" $((0x4001 << 1))
	[ "$(error 8 2 1)" -ge 1 ]
}

# Blocks that the disk can neither read nor write. FIRST, COUNT: which; READ, WRITE: the
# statuses of that. Those beside them are not concerned, but a Write that fails may
# have written others.
media_errors()
{
	local first=$1 count=$2 read=$3 write=$4 lba errors logged n

	lba=$(blockdev --getss "$disk")
	errors=$(smart 160) logged=$(smart 176)
	head -c $((8 * lba)) /dev/urandom >data
	nvme write "$disk" -s $((first - 16)) -c 7 -z $((8 * lba)) -d data
	nvme read "$disk" -s $((first - 16)) -c 7 -z $((8 * lba)) -d back
	cmp data back
	nvme write "$disk" -s $((first + count)) -c 7 -z $((8 * lba)) -d data

	n=0
	# Inside, and over both borders
	for at in $first $((first - 4)) $((first + count - 4)); do
		fails "($read)" nvme read "$disk" -s "$at" -c 7 \
			-z $((8 * lba)) -d back
		same "its LBA" "$(error 16 8)" "$at"
		same "its status" "$(error 12 2)" $((read << 1))
		fails "($write)" nvme write "$disk" -s "$at" -c 7 \
			-z $((8 * lba)) -d data
		same "its LBA" "$(error 16 8)" "$at"
		same "its status" "$(error 12 2)" $((write << 1))
		n=$((n + 2))
	done
	fails "($read)" nvme verify "$disk" -s "$first" -c 7
	fails "($read)" nvme compare "$disk" -s "$first" -c 7 \
		-z $((8 * lba)) -d data
	fails "($read)" nvme copy "$disk" --sdlba=0 --slbs="$first" --blocks=7
	fails "($write)" nvme copy "$disk" --sdlba="$first" --slbs=0 --blocks=7
	fails "($write)" nvme write-zeroes "$disk" -s "$first" -c 7
	n=$((n + 5))
	same "media errors" "$(smart 160)" $((errors + n))
	same "error log entries" "$(smart 176)" $((logged + n))

	# What a program hears
	fails "No data available" dd if="$disk" of=back bs="$lba" skip="$first" \
		count=8 iflag=direct
	fails "No data available" dd if=data of="$disk" bs="$lba" seek="$first" \
		count=8 oflag=direct
	nvme read "$disk" -s $((first - 16)) -c 7 -z $((8 * lba)) -d back
	cmp data back
}

# The same blocks, when there is nothing wrong with them any more
no_media_errors()
{
	local first=$1 count=$2 lba errors

	lba=$(blockdev --getss "$disk")
	errors=$(smart 160)
	head -c $((count * lba)) /dev/urandom >data
	dd if=data of="$disk" bs="$lba" seek="$first" oflag=direct status=none
	dd if="$disk" of=back bs="$lba" skip="$first" count="$count" \
		iflag=direct status=none
	cmp data back
	same "media errors" "$(smart 160)" "$errors"
}

irqs_of()
{
	# shellcheck source=disk.sh
	. /bench/guest/disk.sh
	local before

	before=$(device_irqs)
	fio --name=irqs --filename="$disk" --rw=randread --bs=4k --iodepth=16 \
		--number_ios=2000 --ioengine=io_uring --direct=1 --thread \
		--cpus_allowed=0 --minimal >/dev/null
	echo $(($(device_irqs) - before))
}

coalescing()
{
	local plain coalesced excepted vector

	same "default" "$(feature 8)" 0
	plain=$(irqs_of)
	# 15 entries (0's based), or 25.5 ms
	set_feature 8 $((255 << 8 | 14))
	same "value" "$(feature 8)" $((255 << 8 | 14))
	coalesced=$(irqs_of)
	for vector in $(seq "$(nproc)"); do
		same "vector $vector" "$(feature 9 "$vector")" "$vector"
		set_feature 9 $((1 << 16 | vector))
		same "vector $vector, disabled" "$(feature 9 "$vector")" \
			$((1 << 16 | vector))
	done
	excepted=$(irqs_of)
	echo "interrupts: $plain, $coalesced coalesced, $excepted with CD"
	[ "$coalesced" -lt 400 ]
	[ "$excepted" -gt "$coalesced" ]
	same "the admin queue's vector" "$(feature 9 0)" $((1 << 16))
	nvme reset "$ctrl"
	same "after a reset" "$(feature 8)" 0
	same "vector 1 after a reset" "$(feature 9 1)" 1
}

arbitration()
{
	local burst

	same "default" "$(feature 1)" 7
	for burst in 0 3; do
		set_feature 1 $burst
		same "burst" "$(feature 1)" $burst
		/bench/guest/verify.sh "$disk" 4k 32 2
	done
	nvme reset "$ctrl"
	same "after a reset" "$(feature 1)" 7
}

# The number of the LBA format without metadata of that size
format_of()
{
	local i

	for i in $(seq 0 "$(id_ns 25 1)"); do
		if [ "$(id_ns $((128 + i * 4)) 2)" = 0 ] &&
			[ $((1 << $(id_ns $((130 + i * 4)) 1))) = "$1" ]; then
			echo "$i"
			return
		fi
	done
	return 1
}

format()
{
	local size

	for size in 4096 512; do
		dd if=/dev/urandom of="$disk" bs=1M count=8 oflag=direct status=none
		nvme format "$disk" -l "$(format_of $size)" -f
		for _ in $(seq 50); do
			[ "$(blockdev --getss "$disk")" != $size ] || break
			sleep 0.2
		done
		same "block size" "$(blockdev --getss "$disk")" $size
		same "size" "$(blockdev --getsize64 "$disk")" $((256 << 20))
		/bench/guest/verify.sh "$disk" 4k 16 2
		nvme format "$disk" -l "$(format_of $size)" -s 1 -f
		cmp -n 8388608 "$disk" /dev/zero
	done
}

read_only()
{
	local lba

	lba=$(blockdev --getss "$disk")
	same "NSATTR" "$(id_ns 99 1)" 1
	same "read-only for Linux" "$(blockdev --getro "$disk")" 1
	head -c "$lba" /dev/zero >data
	nvme read "$disk" -s 0 -c 0 -z "$lba" -d back
	fails "protect" nvme write "$disk" -s 0 -c 0 -z "$lba" -d data
	fails "protect" nvme write-zeroes "$disk" -s 0 -c 0
	fails "protect" nvme format "$disk" -l "$(format_of "$lba")" -f
}

# The kernel may have completed the command long ago: not aborted, bit 0 of DW0
abort()
{
	local out

	out=$(nvme admin-passthru "$ctrl" --opcode=8 --cdw10=$((77 << 16 | 1)) 2>&1)
	echo "$out"
	grep -q "result: *0x00000001" <<<"$out"
	fails "invalid field" nvme admin-passthru "$ctrl" --opcode=8 \
		--cdw10=$((77 << 16 | 99))
}

# A controller that was to be served by the kernel, until its second namespace was
# found not to be: its first one says what any other of QEMU's does, OTHER.
fell_back()
{
	local other=$1 field mine its

	same "ONCS" "$(id_ctrl 520 2)" \
		"$(nvme id-ctrl "$other" -b | number 520 2)"
	# From NSFEAT to NABSPF, the limits of Copy, the LBA formats
	for field in 24 25 27 28 33 34 36 38 40 42 44 46 74 76 80 $(seq 128 159); do
		mine=$(id_ns "$field" 1)
		its=$(nvme id-ns "$other" -b | number "$field" 1)
		same "Identify Namespace, byte $field" "$mine" "$its"
	done
	/bench/guest/verify.sh "$disk" 4k 16 2
}

# The physical block is what the disk prefers, but it is none that is written as a
# whole where others lie under the disk.
stacked()
{
	same "NPWG" "$(id_ns 64 2)" 7
	same "NAWUN" "$(id_ns 34 2)" 0
	same "NAWUPF" "$(id_ns 36 2)" 0
}

"$test" "${@:4}"
