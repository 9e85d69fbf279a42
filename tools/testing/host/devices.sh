# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced: the device under test and its peers, each on a null_blk of its own,
# all attached to one guest, so that figures taken in turn come from one boot.

# shellcheck source=disks.sh
. ./disks.sh

devices=(vhost-kernel-nvme nvme nvme+ioeventfd virtio-blk virtio-blk+iothread)

# One I/O takes no time in the disk: what is left is the path to it.
null_args=(memory_backed=0 queue_mode=2 irqmode=0 submit_queues=4 size=16384)

# The default of poll-us is for hardware. Where that is emulated, all that the
# guest does takes 20 to 50 times as long, and so must the window; the unscaled
# default is measured beside it.
poll_us=50
if ! lscpu | grep -q 'Hypervisor vendor:.*KVM'; then
	poll_us=2000
	devices=(vhost-kernel-nvme vhost-kernel-nvme+50us "${devices[@]:1}")
fi

# Sets device_args, and makes the disks nullb0, nullb1, ... in the same order.
# The disk after the last is for the host VM itself.
make_devices()
{
	local i=0 name blockdev

	device_args=(-object "iothread,id=iothread0")
	for name in "${devices[@]}"; do
		null_blk $i "${null_args[@]}"
		blockdev=host_device,node-name=d$i,filename=/dev/nullb$i
		blockdev+=,cache.direct=on,aio=io_uring
		device_args+=(-blockdev "$blockdev" -device "$(device_arg "$name" $i)")
		i=$((i + 1))
	done
	null_blk $i "${null_args[@]}"
	# shellcheck disable=SC2034 # measure.sh reads it
	host_disk=/dev/nullb$i
}

# device_arg NAME N
device_arg()
{
	case $1 in
	vhost-kernel-nvme) echo "vhost-kernel-nvme,vhost=on,poll-us=$poll_us" ;;
	vhost-kernel-nvme+50us) echo "vhost-kernel-nvme,vhost=on,poll-us=50" ;;
	nvme) echo nvme ;;
	nvme+ioeventfd) echo nvme,ioeventfd=on ;;
	virtio-blk) echo virtio-blk-pci ;;
	virtio-blk+iothread) echo virtio-blk-pci,iothread=iothread0 ;;
	esac | sed "s/$/,drive=d$2,serial=s$2/"
}
