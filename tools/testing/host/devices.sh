# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced: the device under test and its peers, each on a null_blk of its own,
# all attached to one guest, so that figures taken in turn come from one boot.

# shellcheck source=disks.sh
. ./disks.sh

devices=(vhost-kernel-nvme nvme nvme+ioeventfd virtio-blk virtio-blk+iothread)

# One I/O takes no time in the disk: what is left is the path to it. It takes 1 MiB
# at once, as many a disk does.
null_args=(memory_backed=0 queue_mode=2 irqmode=0 submit_queues=4 size=16384
	max_sectors=2048)

# The default of poll-us is for hardware. Where that is emulated, all that the
# guest does takes 20 to 50 times as long, and so must the window; the unscaled
# default is measured beside it.
poll_us=50
if emulated; then
	poll_us=2000
	devices=(vhost-kernel-nvme vhost-kernel-nvme+50us "${devices[@]:1}")
fi
storage_daemon=

# Sets device_args, and makes the disks nullb0, nullb1, ... in the same order.
# The disk after the last is for the host VM itself.
make_devices()
{
	local i=0 name

	device_args=(-object "iothread,id=iothread0")
	for name in "${devices[@]}"; do
		null_blk $i "${null_args[@]}"
		case $name in
		vhost-user-blk) add_vhost_user $i || return ;;
		*) add_device "$name" $i ;;
		esac
		i=$((i + 1))
	done
	make_host_disk $i
}

# make_host_disk N
make_host_disk()
{
	null_blk "$1" "${null_args[@]}" || return
	# shellcheck disable=SC2034 # measure.sh reads it
	host_disk=/dev/nullb$1
}

# blockdev N: how every device of QEMU's gets at its disk
blockdev()
{
	echo "host_device,node-name=d$1,filename=/dev/nullb$1,cache.direct=on,aio=io_uring"
}

# add_device NAME N
add_device()
{
	local i mapping=()

	device_args+=(-blockdev "$(blockdev "$2")")
	if [ "$1" != virtio-blk+iothreads ]; then
		device_args+=(-device "$(device_arg "$1" "$2")")
		return
	fi
	# The most that QEMU can do: a thread for each of the guest's CPUs, with a
	# polling window that is as large as that of the device under test.
	for i in 1 2; do
		device_args+=(-object "iothread,id=iothread$i,poll-max-ns=${poll_us}000")
		mapping+=("{\"iothread\":\"iothread$i\"}")
	done
	device_args+=(-device "{\"driver\":\"virtio-blk-pci\",\"drive\":\"d$2\",\"serial\":\"s$2\",\"num-queues\":2,\"iothread-vq-mapping\":[${mapping[0]},${mapping[1]}]}")
}

# device_arg NAME N
device_arg()
{
	case $1 in
	vhost-kernel-nvme) echo "vhost-kernel-nvme,vhost=on,poll-us=$poll_us,irq-us=$poll_us" ;;
	vhost-kernel-nvme+dbcs=off) echo "vhost-kernel-nvme,vhost=on,poll-us=$poll_us,irq-us=$poll_us,dbcs=off" ;;
	vhost-kernel-nvme+50us) echo "vhost-kernel-nvme,vhost=on,poll-us=50" ;;
	nvme) echo nvme ;;
	nvme+dbcs=off) echo nvme,dbcs=off ;;
	nvme+ioeventfd) echo nvme,ioeventfd=on ;;
	virtio-blk) echo virtio-blk-pci ;;
	virtio-blk+iothread) echo virtio-blk-pci,iothread=iothread0 ;;
	esac | sed "s/$/,drive=d$2,serial=s$2/"
}

# add_vhost_user N: qemu-storage-daemon serves the disk from another process,
# for which the guest's memory has to be shared.
add_vhost_user()
{
	local socket=/run/vhost-user-$1 pages=/proc/sys/vm/nr_hugepages

	# In huge pages: a page touched for the first time is an exit, and of a
	# guest's usual memory QEMU asks for huge pages as well.
	echo $(($(cat $pages) + 512)) >$pages
	rm -f "$socket"
	LD_LIBRARY_PATH=/bench/qemu/lib /bench/qemu/qemu-storage-daemon \
		--object "iothread,id=iothread,poll-max-ns=${poll_us}000" \
		--blockdev "$(blockdev "$1")" \
		--export "vhost-user-blk,id=export,node-name=d$1,writable=on,iothread=iothread,num-queues=2,addr.type=unix,addr.path=$socket" \
		</dev/null >/run/storage-daemon.log 2>&1 &
	storage_daemon=$!
	until [ -S "$socket" ]; do
		kill -0 $storage_daemon || {
			cat /run/storage-daemon.log
			return 1
		}
		sleep 0.1
	done
	# shellcheck disable=SC2054 # the commas are QEMU's
	device_args+=(-object "memory-backend-memfd,id=ram,share=on,hugetlb=on,size=1G"
		-machine memory-backend=ram
		-chardev "socket,id=vhost-user,path=$socket"
		-device vhost-user-blk-pci,chardev=vhost-user,num-queues=2)
}

# device_serial NAME N: what the guest finds the disk by
device_serial()
{
	case $1 in
	# The daemon decides about it.
	vhost-user-blk) echo vhost_user_blk ;;
	*) echo "s$2" ;;
	esac
}
