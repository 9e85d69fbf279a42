# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced in the guest: the PCI side of a controller

# pci SERIAL: its address on the bus
pci()
{
	local n

	n=$(controller "$1") && basename "$(readlink -f "/sys/class/nvme/${n##*/}/device")"
}

# bridge ADDRESS: the root port that it is behind
bridge()
{
	basename "$(dirname "$(readlink -f "/sys/bus/pci/devices/$1")")"
}

# appears SERIAL SECONDS: its disk does
appears()
{
	local i

	for ((i = 0; i < $2 * 10; i++)); do
		if [ -b "$(disk "$1")" ]; then
			return 0
		fi
		sleep 0.1
	done
	echo "no disk $1 after $2 s"
	return 1
}

# disappears SERIAL SECONDS: its controller does
disappears()
{
	local i

	for ((i = 0; i < $2 * 10; i++)); do
		controller "$1" >/dev/null || return 0
		sleep 0.1
	done
	echo "a disk $1 after $2 s"
	return 1
}

# pci_reset METHOD SERIAL: as the kernel does it, which tells the driver
pci_reset()
{
	local dir

	dir=/sys/bus/pci/devices/$(pci "$2") &&
		echo "$1" >"$dir/reset_method" &&
		echo 1 >"$dir/reset"
}

# flr ADDRESS, hot_reset ADDRESS: behind the driver's back
flr()
{
	setpci -s "$1" CAP_EXP+8.w=8000:8000
	sleep 0.2
}

hot_reset()
{
	local port

	port=$(bridge "$1") &&
		setpci -s "$port" BRIDGE_CONTROL=40:40 &&
		sleep 0.1 &&
		setpci -s "$port" BRIDGE_CONTROL=0:40 &&
		sleep 0.2
}

# renew ADDRESS: found anew, as if it had just been plugged in
renew()
{
	echo 1 >"/sys/bus/pci/devices/$1/remove"
	echo 1 >/sys/bus/pci/rescan
}
