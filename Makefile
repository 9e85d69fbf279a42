# SPDX-License-Identifier: GPL-2.0
#
# Every target sets up what it needs (Debian 12 or 13, as root or with sudo),
# goes on from what is already built, and ends with a verdict. Downloads and
# long builds are kept in $VHOST_NVME_CACHE (default /var/cache/vhost-nvme, or
# ~/.cache/vhost-nvme for other users), everything else in build/.

export BENCH_START := $(shell date +%s)
export KDIR CMD TIMEOUT VM QUICK JOBS PARTS TESTS COUNT HOURS RUNS SEED KERNEL
MAKEFLAGS += --no-print-directory
t := tools/testing

.PHONY: modules qemu demo check check-full check-debug fuzz fuzz-long fuzz-user soak bench \
	cost cost-poll lint shell run clean \
	help tools images selftests fio driver bench-modules

modules: tools       ## vhost_nvme.ko (default; KDIR= selects the kernel)
	@$t/setup/modules.sh
	@echo "built $$(find build/modules -name vhost_nvme.ko)"

qemu: tools          ## build/qemu/qemu-system-x86_64, with qemu-patches/
	@$t/setup/qemu.sh

demo: run-ready      ## a guest's verified I/O, and figures beside those of other devices
	@$t/demo.sh

check: selftests fio driver run-ready ## all tests, and lint
	@$t/check.sh

check-full: selftests fio driver run-ready ## the same, with long loops
	@FULL=1 $t/check.sh

check-debug: selftests driver run-ready ## most of it on kernels that watch (KERNEL=kasan or kcsan: one)
	@$t/check-debug.sh

fuzz: selftests driver run-ready ## commands and ioctls by chance, 4 minutes
	@$t/fuzz.sh

fuzz-long: selftests driver run-ready ## the same for hours (HOURS=1 or COUNT=commands)
	@LONG=1 $t/fuzz.sh

fuzz-user: tools     ## the parsing of commands in user space, with libFuzzer (SECONDS=120 or RUNS=)
	@$t/setup/tools.sh clang libclang-rt-dev
	@DURATION="$(SECONDS)" $t/fuzz-user.sh

soak: run-ready       ## everything that may happen to a guest, for HOURS=2 hours
	@$t/setup/tools.sh gnuplot-nox
	@$t/soak.sh

bench: fio run-ready ## guest, engine and host against all peers, with plots (QUICK=1: 5 min)
	@$t/setup/tools.sh gnuplot-nox
	@$t/bench.sh

cost: run-ready      ## the host's instructions per I/O, counted
	@$t/cost.sh

cost-poll: run-ready ## what bounds a guest that polls, by instructions
	@$t/cost-poll.sh

lint: tools          ## sparse, compiler warnings, checkpatch, shellcheck
	@mkdir -p build/check
	@$t/lint.sh | tee build/check/lint.ktap; $t/ktap.py build/check/lint.ktap

shell: run-ready     ## a shell in the host VM (VM=guest: in a guest in there)
	@$t/shell.sh

run: run-ready       ## CMD='...' runs in the host VM, module loaded (TIMEOUT=600)
	@$t/vm/host-vm.sh run "$${TIMEOUT:-600}" "$$CMD"

clean:               ## removes build/ (not the cache)
	rm -rf build

help:                ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1 \2/p' $(MAKEFILE_LIST) | \
		while read -r make target text; do \
			printf '%s %-11s %s\n' "$$make" "$$target" "$$text"; \
		done

# What the targets above are made of.
.PHONY: run-ready
run-ready: images bench-modules qemu

tools:
	@$t/setup/tools.sh

images: tools
	@$t/setup/kernel.sh
	@$t/setup/images.sh

# The module for the host VM's kernel, whatever this machine runs.
bench-modules: tools
	@KDIR= BENCH_KERNEL=1 $t/setup/modules.sh

selftests: tools
	@$t/setup/selftests.sh

# Programs that drive a controller in the guest by themselves
driver: tools
	@$t/setup/driver.sh

# The I/O engine that drives /dev/vhost-nvme, for fio in the host VM
fio: images
	@$t/setup/fio.sh
