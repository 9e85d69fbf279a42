#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build/modules/.../vhost_nvme.ko for the kernel of KDIR=. All output stays in
# build/: kbuild of 6.12 writes beside its sources, so it gets a tree of links.
# Arguments are passed to make.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

farm=${MODULES_DIR:-$BUILD/modules}
running=/lib/modules/$(uname -r)/build

if [ -z "${KDIR:-}" ]; then
	# The running kernel, if a module built for it could be loaded.
	if [ -e /proc/modules ] && [ -e "$running/Makefile" ] &&
		[ -z "${BENCH_KERNEL:-}" ]; then
		KDIR=$running
	else
		"$TESTING/setup/kernel.sh"
		KDIR=$(echo "$(cat "$CACHE/kernel-$CODENAME")"/usr/src/linux-headers-*-cloud-*)
	fi
fi
[ -e "$KDIR/Makefile" ] || die "KDIR=$KDIR has no kernel Makefile"

mkdir -p "$farm"
cd "$TOP"
# Objects of another kernel are of no use.
if [ "$(cat "$farm/kdir" 2>/dev/null)" != "$KDIR" ]; then
	rm -rf "$farm"
	mkdir -p "$farm"
	echo "$KDIR" >"$farm/kdir"
fi
find "$farm" -xtype l -delete
# Sources only: objects may lie beside them from a build with M=$PWD.
find Kbuild drivers include -name '*.mod.c' -o \
	\( -name '*.[ch]' -o -name Kbuild -o -name Makefile \) -print |
	while read -r f; do
		mkdir -p "$farm/$(dirname "$f")"
		ln -sf "$TOP/$f" "$farm/$f"
	done

log=$BUILD/log/$(basename "$farm").log
mkdir -p "$BUILD/log"
say "building the module for $(basename "$KDIR")"
if ! make -C "$KDIR" M="$farm" -j "$(nproc)" "$@" modules >"$log" 2>&1; then
	cat "$log" >&2
	die "the module does not build"
fi
grep -E 'warning:' "$log" >&2 || true
