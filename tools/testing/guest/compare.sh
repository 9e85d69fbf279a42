#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# compare.sh SERIAL: all that a guest can see of that controller, a line
# "name: value" for each item; first through Linux's driver and the nvme tool,
# then with a driver of our own in its place. Namespaces 1 and 2 are overwritten, 4
# is one that cannot be written.

set -eu
# shellcheck source=disk.sh
. /bench/guest/disk.sh

# prefixed NAME COMMAND...: its output, where each line is an item
prefixed()
{
	local name=$1 status=0

	shift
	"$@" >/tmp/item 2>&1 || status=$?
	tr -cd '\n -~' </tmp/item | sed "s/^/$name./"
	echo "$name: status $status"
}

ctrl=$(controller "$1")
sysfs=/sys/class/nvme/${ctrl##*/}

for f in model firmware_rev queue_count sqsize cntrltype state \
	subsysnqn; do
	echo "linux.$f: $(cat "$sysfs/$f")"
done
for nsid in 1 2 4; do
	disk=$(disk "$1" $nsid)
	name=${disk##*/}
	for f in size ro nsid wwid queue/*; do
		f=/sys/block/$name/$f
		[ ! -f "$f" ] ||
			echo "linux.ns$nsid.${f##*/}: $(cat "$f" 2>&1)"
	done
	prefixed "cli.id-ns$nsid" nvme id-ns "$disk"
	prefixed "cli.descriptors$nsid" nvme ns-descs "$disk"
done
for what in id-ctrl "list-ns --all" fw-log smart-log effects-log \
	changed-ns-list-log endurance-log self-test-log; do
	read -ra words <<<"$what"
	prefixed "cli.${words[0]}" nvme "${words[0]}" "$ctrl" "${words[@]:1}"
done

function=$(take_function "$1")
/bench/driver/compare "$function"
