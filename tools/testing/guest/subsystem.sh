#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# subsystem.sh TEST SERIAL: two controllers with that serial number, in a guest
# that does not use multipath; namespace 1 is attached to both, 2 to none

set -eux
cd "$(mktemp -d)"

ctrls=()
for f in /sys/class/nvme/nvme*/serial; do
	[ "$(tr -d ' ' <"$f")" != "$2" ] || ctrls+=("$(basename "${f%/serial}")")
done
[ ${#ctrls[@]} = 2 ]

# disk_of CONTROLLER NSID: waits for it
disk_of()
{
	local f

	for _ in $(seq 50); do
		for f in /sys/class/nvme/"$1"/nvme*/nsid; do
			if [ -e "$f" ] && [ "$(cat "$f")" = "$2" ]; then
				f=${f%/nsid}
				echo "/dev/${f##*/}"
				return
			fi
		done
		sleep 0.1
	done
	return 1
}

# gone CONTROLLER NSID
gone()
{
	local f

	for _ in $(seq 50); do
		grep -qx "$2" /sys/class/nvme/"$1"/nvme*/nsid || return 0
		sleep 0.1
	done
	return 1
}

cntlid()
{
	cat "/sys/class/nvme/$1/cntlid"
}

# What is written through one is read through the other.
same_data()
{
	dd if=/dev/urandom of=data bs=1M count=2 status=none
	dd if=data of="$1" bs=64k oflag=direct status=none
	dd if="$2" of=back bs=64k count=32 iflag=direct status=none
	cmp data back
}

share()
{
	local a b

	a=$(disk_of "${ctrls[0]}" 1)
	b=$(disk_of "${ctrls[1]}" 1)
	[ "$(cntlid "${ctrls[0]}")" != "$(cntlid "${ctrls[1]}")" ]
	same_data "$a" "$b"
	same_data "$b" "$a"
}

attach()
{
	local a b

	gone "${ctrls[0]}" 2
	gone "${ctrls[1]}" 2
	# Either controller tells for which one it is.
	nvme attach-ns "/dev/${ctrls[0]}" -n 2 -c "$(cntlid "${ctrls[1]}")"
	b=$(disk_of "${ctrls[1]}" 2)
	dd if="$b" of=/dev/null bs=64k count=16 iflag=direct
	gone "${ctrls[0]}" 2
	nvme attach-ns "/dev/${ctrls[1]}" -n 2 -c "$(cntlid "${ctrls[0]}")"
	a=$(disk_of "${ctrls[0]}" 2)
	same_data "$a" "$b"
	nvme detach-ns "/dev/${ctrls[0]}" -n 2 -c "$(cntlid "${ctrls[1]}")"
	gone "${ctrls[1]}" 2
	dd if="$a" of=/dev/null bs=64k count=16 iflag=direct
	nvme detach-ns "/dev/${ctrls[0]}" -n 2 -c "$(cntlid "${ctrls[0]}")"
	gone "${ctrls[0]}" 2
}

# Linux has no command of its own in flight when it formats, but the other
# controller may have: the disk takes half a second for each.
format()
{
	local a b i reads=()

	a=$(disk_of "${ctrls[0]}" 1)
	b=$(disk_of "${ctrls[1]}" 1)
	for i in 0 1 2 3; do
		nvme read "$b" -s $i -c 0 -z 512 -d "read$i" &
		reads+=($!)
	done
	sleep 0.2
	nvme format "$a" --block-size=4096 -f
	for i in "${reads[@]}"; do
		wait "$i"
	done
	for _ in $(seq 50); do
		[ "$(blockdev --getss "$b")" != 4096 ] || break
		sleep 0.1
	done
	[ "$(blockdev --getss "$a")" = 4096 ]
	[ "$(blockdev --getss "$b")" = 4096 ]
	same_data "$a" "$b"
	nvme format "$b" --block-size=512 -f
}

# The write cache is the namespace's: a controller that is reset leaves it as another
# one wants it.
write_cache()
{
	local a=/dev/${ctrls[0]} b=/dev/${ctrls[1]}

	nvme set-feature "$a" --feature-id=6 --value=0
	nvme reset "$b"
	disk_of "${ctrls[1]}" 2
	nvme get-feature "$a" --feature-id=6 | grep -E 'value: *(0x)?0+$'
	nvme set-feature "$b" --feature-id=6 --value=1
	nvme reset "$a"
	disk_of "${ctrls[0]}" 2
	nvme get-feature "$a" --feature-id=6 | grep -E 'value: *(0x)?0*1$'
}

"$1"
