#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prints the samples of host/measure.sh as a table, or with --csv as CSV.

Every figure is the median of the rounds. A ratio is to the best of QEMU's own
devices (not the host itself) at the same block size and depth.
"""

import collections
import json
import pathlib
import statistics
import sys

OURS = ("vhost-kernel-nvme", "vhost-kernel-nvme+50us")
ORDER = [*OURS, "nvme", "nvme+ioeventfd", "virtio-blk", "virtio-blk+iothread",
         "host"]
FIELDS = ["iops", "mean_us", "p99_us", "exits_per_io", "mmio_per_io",
          "irqs_per_io", "switches_per_io"]


def read_sample(path):
    """One run: fio's JSON, and the counters before and after it."""
    read = json.loads(path.read_text())["jobs"][0]["read"]
    counters = path.with_suffix(".counters").read_text().split()
    before, after = map(int, counters[:3]), map(int, counters[3:6])
    exits, mmio, switches = (b - a for a, b in zip(before, after))
    ios = max(read["total_ios"], 1)
    latency = read["lat_ns"]
    return {
        "iops": read["iops"],
        "mean_us": latency["mean"] / 1000,
        "p99_us": latency["percentile"]["99.000000"] / 1000,
        "exits_per_io": exits / ios,
        "mmio_per_io": mmio / ios,
        "irqs_per_io": int(counters[6]) / ios,
        "switches_per_io": switches / ios,
    }


def medians(directory):
    """{(bs, qd): {device: {field: median}}}, and the number of rounds"""
    samples = collections.defaultdict(list)
    for path in pathlib.Path(directory).glob("*.json"):
        device, bs, qd, _ = path.stem.rsplit(".", 3)
        samples[(bs, int(qd), device)].append(read_sample(path))
    result = collections.defaultdict(dict)
    for (bs, qd, device), runs in samples.items():
        result[(bs, qd)][device] = {
            f: statistics.median(r[f] for r in runs) for f in FIELDS}
    rounds = max((len(runs) for runs in samples.values()), default=0)
    return result, rounds


def block_size(text):
    return int(text[:-1]) * {"k": 1, "m": 1024}[text[-1].lower()]


def rows(result):
    """(bs, qd, device, figures, ratio) in the order to print"""
    for bs, qd in sorted(result, key=lambda c: (block_size(c[0]), c[1])):
        cell = result[(bs, qd)]
        best = max((cell[d]["iops"] for d in cell if d not in (*OURS, "host")),
                   default=0)
        for device in ORDER:
            if device in cell:
                yield (bs, qd, device, cell[device],
                       cell[device]["iops"] / best if best else 0)


def print_table(result, rounds):
    print(f"random read, median of {rounds} rounds in one boot; "
          "ratio: to the best peer;\nMMIO: trapped accesses, doorbells among "
          "them")
    print(f"{'':6}{'QD':>3}  {'device':24}{'IOPS':>8}{'ratio':>7}"
          f"{'mean us':>9}{'p99 us':>9}{'exits/IO':>10}{'MMIO/IO':>9}"
          f"{'IRQs/IO':>9}{'switches/IO':>13}")
    last = None
    for bs, qd, device, figures, ratio in rows(result):
        if last not in (None, (bs, qd)):
            print()
        last = (bs, qd)
        exits, mmio, irqs = (
            "-" if device == "host" else f"{figures[f]:.2f}"
            for f in ("exits_per_io", "mmio_per_io", "irqs_per_io"))
        print(f"{bs:6}{qd:3}  {device:24}{figures['iops']:8.0f}{ratio:7.2f}"
              f"{figures['mean_us']:9.0f}{figures['p99_us']:9.0f}"
              f"{exits:>10}{mmio:>9}{irqs:>9}"
              f"{figures['switches_per_io']:13.2f}")


def print_csv(result):
    print(",".join(["bs", "qd", "device"] + FIELDS + ["ratio"]))
    for bs, qd, device, figures, ratio in rows(result):
        print(",".join([bs, str(qd), device] +
                       [f"{figures[f]:.3f}" for f in FIELDS] +
                       [f"{ratio:.3f}"]))


def main():
    result, rounds = medians(sys.argv[-1])
    if not result:
        sys.exit("there are no samples in " + sys.argv[-1])
    if "--csv" in sys.argv:
        print_csv(result)
    else:
        print_table(result, rounds)


main()
