# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced after guest.sh by scripts of the host VM: what QEMU has left behind when it
# is gone

# As many pages as were pinned before QEMU was started; the script's to set, before
# anything that pins, since what has ended lets go of its last pages a moment later
pinned_before=

# Pages pinned by anyone in this VM. Each CPU counts for itself until it is asked.
pinned()
{
	echo 1 >/proc/sys/vm/stat_refresh
	awk '$1 == "nr_foll_pin_acquired" { n += $2 }
		$1 == "nr_foll_pin_released" { n -= $2 }
		END { print n }' /proc/vmstat
}

# Opened exclusively: by nobody else, the module included
not_busy()
{
	python3 -c 'import os, sys
os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$1"
}

# eventually SECONDS COMMAND...: the last references go with the last I/O
eventually()
{
	# shellcheck disable=SC2154 # of guest.sh
	local end=$((SECONDS + $1 * guest_slow))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# It has no files any more.
qemu_ended()
{
	# shellcheck disable=SC2154
	[ ! -e "/proc/$guest_pid/fd/0" ]
}

no_page_pinned()
{
	[ "$(pinned)" -le "$pinned_before" ]
}

module_unused()
{
	[ "$(cat /sys/module/vhost_nvme/refcnt)" = 0 ]
}
