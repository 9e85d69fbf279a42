#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A shell in the host VM, or with VM=guest in a guest in there.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

case ${VM:-host} in
host) command="bash /bench/host/shell" ;;
guest) command="bash /bench/host/guest-shell" ;;
*) die "VM=$VM: 'host' or 'guest' is meant" ;;
esac
[ -t 0 ] || die "make shell needs a terminal"

saved=$(stty -g)
read -r rows columns < <(stty size)
trap 'stty "$saved"' EXIT
stty raw -echo
"$TESTING/vm/host-vm.sh" shell 0 \
	"stty rows $rows cols $columns; $command"
