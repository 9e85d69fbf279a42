#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The few files of the bench kernel's source that its headers package lacks:
# checkpatch.pl and the kselftest harness. Links to them: build/linux-source.

# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=apt.sh
. "$TESTING/setup/apt.sh"

files=(scripts/checkpatch.pl scripts/spelling.txt
	scripts/const_structs.checkpatch
	tools/testing/selftests/kselftest.h
	tools/testing/selftests/kselftest_harness.h)

fetch()
{
	local tmp=$1

	apt_ready
	apt_download "$tmp/deb" linux-source-6.12
	# Stopping at the last file wanted saves reading the rest.
	dpkg-deb --fsys-tarfile "$tmp"/deb/*.deb |
		tar -xO --wildcards '*/linux-source-*.tar.xz' | xz -dcT0 |
		tar -x -C "$tmp" --strip-components=1 \
			"${files[@]/#/linux-source-6.12/}"
	rm -r "$tmp/deb"
}

lock linux-source
dir=$CACHE/linux-source-$CODENAME-$(key "$0" </dev/null)
if [ ! -e "$dir" ]; then
	tmp=$(mktemp -d "$CACHE/tmp.XXXXXX")
	chmod 755 "$tmp"
	trap 'rm -rf "$tmp"' EXIT
	step "fetching files of the kernel's source" \
		"$BUILD/log/linux-source.log" fetch "$tmp"
	mv "$tmp" "$dir"
fi
ln -sfn "$dir" "$BUILD/linux-source"
