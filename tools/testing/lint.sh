#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the kernel's and QEMU's own tools find in the sources. Any finding fails.
# Prints KTAP.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=host/ktap.sh
. "$TESTING/host/ktap.sh"

cd "$TOP"
"$TESTING/setup/kernel.sh" >&2
"$TESTING/setup/linux-source.sh" >&2
"$TESTING/setup/qemu.sh" source >&2
tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# Outside the tree, where there is to be one vhost_nvme.ko. C=2 and W=1 also
# complain about the kernel's own headers; only our files count.
compile()
{
	KDIR='' BENCH_KERNEL=1 MODULES_DIR=$tmp/lint "$TESTING/setup/modules.sh" \
		C=2 CF=-D__CHECK_ENDIAN__ W=1 || return
	! grep -E '(drivers/vhost/nvme|uapi/linux/vhost_nvme\.h).*(warning|error):' \
		"$BUILD/log/lint.log"
}

checkpatch()
{
	perl build/linux-source/scripts/checkpatch.pl --no-tree --strict \
		--show-types --quiet --no-summary "$@"
}

# The compat header is where kernel versions may be told apart.
checkpatch_module()
{
	local f ignore status=0

	for f in drivers/vhost/nvme/*.[ch] include/uapi/linux/vhost_nvme.h; do
		case $f in
		*/compat.h)
			ignore=(--ignore LINUX_VERSION_CODE --ignore CONSTANT_COMPARISON)
			;;
		*) ignore=() ;;
		esac
		checkpatch "${ignore[@]}" -f "$f" || status=1
	done
	return $status
}

# The header of vhost_nvme comes from this tree, not from Linux's, and has its
# line in MAINTAINERS in a later patch.
checkpatch_qemu()
{
	local src patch

	shopt -s nullglob
	src=$(echo "$CACHE"/qemu/*/src)
	for patch in "$TOP"/qemu-patches/*.patch; do
		(cd "$src" && perl scripts/checkpatch.pl --no-summary \
			--terse --strict "$patch") || true
	done >"$tmp/qemu"
	! grep -vE 'does MAINTAINERS need updating|using scripts/update-linux-headers' \
		"$tmp/qemu"
}

# The series carries a copy of the UAPI header.
same_header()
{
	local h=vhost_nvme.h

	sed -n "/^+++ b\/linux-headers\/linux\/$h/,\$ s/^+//p" \
		qemu-patches/*-linux-headers-*.patch | tail -n +2 |
		diff - "include/uapi/linux/$h"
}

scripts()
{
	git ls-files -z --cached --others --exclude-standard |
		xargs -0 grep -lE '^#!.*\b(ba)?sh\b|^# shellcheck shell=' |
		xargs shellcheck -x
}

python()
{
	local f

	for f in "$TESTING"/*.py "$TESTING"/*/*.py; do
		/usr/bin/python3 -W error -c \
			'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' \
			"$f" || return
	done
}

ktap_begin
t "sparse (C=2, __CHECK_ENDIAN__) and compiler warnings (W=1)" compile || true
t "the kernel's checkpatch --strict on the module" checkpatch_module || true
t "QEMU's checkpatch on its patches" checkpatch_qemu || true
t "the QEMU series has the module's UAPI header" same_header || true
t "shellcheck" scripts || true
t "python" python || true
ktap_end || exit 1
