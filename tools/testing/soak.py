#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""soak.py SAMPLES OUT: does what the kernel and QEMU hold grow? Prints KTAP, and
writes plots.gp for gnuplot to OUT.

The first sixth of the samples is left out: caches fill. What the median of the last
third is above that of the third that follows this sixth may be no more than LIMITS
says."""

import csv
import statistics
import sys

# Column: how much it may grow, and by how many per cent of what it was in addition
LIMITS = {
    "sunreclaim_kib": (4096, 3),
    "kmalloc_kib": (2048, 3),
    "percpu_kib": (512, 3),
    "pinned_pages": (64, 0),
    "locked_kib": (256, 0),
    "qemu_files": (2, 0),
    "qemu_threads": (4, 0),
    "tasks": (8, 0),
    "module_references": (0, 0),
}
# Too noisy on a machine that emulates to judge by; they are in the plot.
SHOWN = ["p50_us", "p99_us"]
FEWEST = 12


def thirds(values):
    """The medians of the first settled third and of the last one"""
    n = len(values)
    return (statistics.median(values[n // 6:n // 6 + n // 3]),
            statistics.median(values[-(n // 3):]))


def plots(out, columns):
    """All columns over time, in one picture"""
    names = [*LIMITS, *SHOWN]
    script = ["set terminal svg size 1200,1400 font 'sans,11' background 'white'",
              "set output 'soak.svg'", "set datafile separator ','",
              "set multiplot layout 6,2", "set yrange [0:*]",
              "set xlabel 'seconds'", "unset key"]
    for name in names:
        script += [f"set title '{name}' noenhanced",
                   f"plot 'samples.csv' using 1:{columns.index(name) + 1} "
                   "skip 1 with lines"]
    script.append("unset multiplot")
    with open(f"{out}/plots.gp", "w", encoding="utf-8") as f:
        print(*script, sep="\n", file=f)


def main():
    path, out = sys.argv[1:]
    with open(path, newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
        f.seek(0)
        plots(out, next(csv.reader(f)))
    print("KTAP version 1")
    failed = 0
    for n, name in enumerate([*LIMITS, *SHOWN], 1):
        values = [float(row[name]) for row in rows]
        if len(values) < FEWEST:
            print(f"ok {n} {name} # SKIP only {len(values)} samples")
            continue
        before, after = thirds(values)
        text = f"{name}: {before:g} at first, {after:g} at last"
        more, percent = LIMITS.get(name, (float("inf"), 0))
        good = after <= before + more + before * percent / 100
        failed += not good
        print(f"{'ok' if good else 'not ok'} {n} {text}")
    print(f"1..{len(LIMITS) + len(SHOWN)}")
    sys.exit(failed != 0)


main()
