#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs what the build machine needs to build and to run the bench, and the
# packages that are given as arguments.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

tools=(
	# module, tests
	gcc libc6-dev make bc pahole kmod sparse shellcheck
	# QEMU
	dpkg-dev git ninja-build meson pkg-config python3 python3-venv
	python3-pycotap libglib2.0-dev libpixman-1-dev libfdt-dev zlib1g-dev
	liburing-dev libaio-dev
	# images, downloads
	mmdebstrap e2fsprogs cpio xz-utils zstd ca-certificates
	"$@"
)
# QEMU 10 wants these newer than in Debian 12.
backports=" meson python3-pycotap "

missing=()
for p in "${tools[@]}"; do
	status=$(dpkg-query -W -f '${Status} ${Version}' "$p" 2>/dev/null) || true
	case $CODENAME:$p:$status in
	bookworm:meson:*" installed 1.0"*) ;;
	*" installed "*) continue ;;
	esac
	if [ "$CODENAME" = bookworm ] && [[ $backports = *" $p "* ]]; then
		p+=/bookworm-backports
	fi
	missing+=("$p")
done
[ ${#missing[@]} != 0 ] || exit 0

lock apt
apt_ready
step "installing build tools: ${missing[*]}" "$BUILD/log/tools.log" \
	as_root env DEBIAN_FRONTEND=noninteractive \
	apt-get "${APT[@]}" install --no-install-recommends "${missing[@]}"
