#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions per read and CPU, from what rate.c and host/cost-poll wrote.

rate.py COUNTS WINDOWS KALLSYMS: a table, and behind it the functions of each window.

KALLSYMS is the host VM's. The guest has the same kernel at the same place, but for
its modules.
"""

import bisect
import collections
import pathlib
import sys

GUEST_CPU, HOST_CPU = 2, 3
MODULES = 0xffffffffc0000000
KERNEL = 1 << 63

# A guest that looks for completions. Submission and completion come through some of
# them as well, a few times for each read.
LOOKING = {
    "io_do_iopoll", "iocb_bio_iopoll", "bio_poll", "blk_mq_poll", "blk_hctx_poll",
    "nvme_poll", "xa_load", "xas_load", "xas_start", "__rcu_read_lock",
    "__rcu_read_unlock",
}
# A worker that looks for commands, ditto
PASSING = {
    "vn_worker_fn", "vn_worker_pass", "vhost_task_fn", "ktime_get", "read_tsc",
    "__cond_resched", "mutex_lock", "mutex_unlock",
}


class Symbols:
    """Names of the kernel's addresses"""

    def __init__(self, path):
        fields = map(str.split, path.read_text().splitlines())
        table = sorted((int(f[0], 16), f[2]) for f in fields if f[1] in "tTwW")
        self.addresses = [address for address, _ in table]
        self.names = [name for _, name in table]

    def at(self, address, guest):
        """The function at an address"""
        if address < KERNEL:
            return "(user space)"
        if guest and address >= MODULES:
            return "(modules)"
        return self.names[bisect.bisect_right(self.addresses, address) - 1]


def read_windows(path):
    """[(name, reads, microseconds)] for each dump, {name: IOPS by fio}"""
    windows, iops = [], {}
    for line in path.read_text().splitlines():
        kind, *name, value = line.split()
        if kind == "iops":
            iops[" ".join(name)] = int(value)
        else:
            windows.append((" ".join(name[:-1]), int(name[-1]), int(value)))
    return windows, iops


def read_counts(path):
    """For each dump {address: [count of each CPU]}"""
    dump = {}
    for line in path.open():
        if line == "E\n":
            yield dump
            dump = {}
            continue
        address, *counts = line.split()
        dump[int(address, 16)] = [int(n) for n in counts]


def functions(dump, cpu, symbols):
    """Counter of one CPU's instructions by function"""
    counter = collections.Counter()
    for address, counts in dump.items():
        counter[symbols.at(address, cpu == GUEST_CPU)] += counts[cpu]
    return counter


def row(counter, reads, seconds, waiting):
    """Instructions per read, those of them in waiting, millions in a second"""
    total = counter.total()
    wait = sum(counter[name] for name in waiting)
    return f"{total / reads:9.0f} {wait / reads:8.0f} {total / seconds / 1e6:6.0f}"


def main():
    counts, windows, kallsyms = map(pathlib.Path, sys.argv[1:])
    windows, iops = read_windows(windows)
    symbols = Symbols(kallsyms)
    details = []

    print("Random reads, by size and depth: instructions for one, those of them in functions that")
    print("look for work, and millions in a second. device: a guest that polls, and the")
    print("worker. guest: the same guest, from a null_blk of its own. host: the host VM.")
    print(f"{'':13} {'IOPS':>7}  {'guest CPU':>9} {'waiting':>8} {'M/s':>6}"
          f"  {'worker':>9} {'waiting':>8} {'M/s':>6}")
    for (name, reads, us), dump in zip(windows, read_counts(counts)):
        if name == "-":
            continue
        seconds = us / 1e6
        if name in iops and name.startswith("guest"):
            reads = iops[name] * seconds
        cpus = []
        for cpu, waiting in (GUEST_CPU, LOOKING), (HOST_CPU, PASSING):
            if cpu == GUEST_CPU and name.startswith("host") or \
               cpu == HOST_CPU and name.startswith("guest"):
                cpus.append(" " * 25)
                continue
            counter = functions(dump, cpu, symbols)
            cpus.append(row(counter, reads, seconds,
                            waiting if name.startswith("device") else ()))
            details.append((name, cpu, reads, counter))
        print(f"{name:13} {reads / seconds:7.0f}  {'  '.join(cpus)}")
    for name, cpu, reads, counter in details:
        print(f"\n{name}, {'guest' if cpu == GUEST_CPU else 'worker or host'}: "
              "instructions per read, function")
        for function, n in counter.most_common(40):
            print(f"{n / reads:9.1f}  {function}")


main()
