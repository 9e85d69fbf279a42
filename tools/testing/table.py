#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prints the samples of host/measure.sh.

table.py DIRECTORY            tables, as in `make demo`
table.py --spread DIRECTORY   with the smallest and the largest figure, and the
                              ratio to the host itself
table.py --csv DIRECTORY      all of it as CSV
table.py --plots OUT DIRECTORY
                              data for gnuplot: OUT/*.dat, and OUT/plots.gp

Every figure is the median of the rounds.
"""

import collections
import json
import pathlib
import statistics
import sys

OURS = ("vhost-kernel-nvme", "vhost-kernel-nvme+50us",
        "vhost-kernel-nvme+dbcs=off")
PEERS = ("nvme", "nvme+dbcs=off", "nvme+ioeventfd", "virtio-blk", "virtio-blk+iothread",
         "virtio-blk+iothreads", "vhost-user-blk")
LOCAL = ("engine", "engine+50us", "engine+pin", "engine+poll",
         "engine+poll+pin", "engine+poll+disk", "engine+poll+pin+disk",
         "io_uring", "io_uring+disk", "io_uring+sqpoll", "io_uring+sqpoll+disk",
         "guest", "host")
ORDER = [*OURS, *PEERS, *LOCAL]

REASONS = ("halt", "interrupt", "window", "msr", "mmio", "other")

GUEST_COLUMNS = ("exits_per_io", "mmio_per_io", "irqs_per_io",
                 "wakeups_per_io", "switches_per_io")
ENGINE_COLUMNS = ("irqs_per_io", "kicks_per_io", "wakeups_per_io",
                  "switches_per_io")
DISK_COLUMNS = ("disk_irqs_per_io", "switches_per_io")
TRICKLE_COLUMNS = ("worker_cpu", "qemu_cpu", "wakeups_per_io", "passes_per_io",
                   "switches_per_io", "exits_per_io")
REASON_COLUMNS = ("exits_per_s", *(f"exit_{r}_per_io" for r in REASONS))
HEADINGS = {
    "exits_per_io": "exits/IO", "mmio_per_io": "MMIO/IO",
    "irqs_per_io": "IRQs/IO", "kicks_per_io": "kicks/IO",
    "wakeups_per_io": "wakes/IO", "passes_per_io": "passes/IO",
    "switches_per_io": "switches/IO", "disk_irqs_per_io": "disk IRQs/IO",
    "worker_cpu": "worker CPU %", "qemu_cpu": "QEMU CPU %",
    "exits_per_s": "exits/s", **{f"exit_{r}_per_io": r for r in REASONS},
}
FIELDS = ["iops", "mb_s", "mean_us", "p99_us", *HEADINGS]

# What a section is about, what its ratios are to, and its counters
Section = collections.namedtuple("Section", "title reference columns")
SECTIONS = {
    "guest": Section("in a guest, with interrupts", "the best peer",
                     GUEST_COLUMNS),
    "doorbell": Section("in a guest, with and without (dbcs=off) shadow "
                        "doorbells", "vhost-kernel-nvme", GUEST_COLUMNS),
    "poll": Section("in a guest that polls (nvme.poll_queues=1, fio --hipri)",
                    "host", GUEST_COLUMNS),
    "engine": Section("without a VM: the fio engine, and io_uring with fixed "
                      "files and registered buffers", "io_uring",
                      ENGINE_COLUMNS),
    "trickle": Section("in a guest, and without one (engine), 100 in a second",
                       None, TRICKLE_COLUMNS),
    "disk": Section("without a VM, from an emulated NVMe disk with interrupts "
                    "and poll queues (+disk)", "io_uring", DISK_COLUMNS),
    "large": Section("large blocks: guest, engine, io_uring with registered "
                     "buffers, and without (host)", "host", GUEST_COLUMNS),
}
RW = {"randread": "random read", "randwrite": "random write",
      "read": "sequential read", "write": "sequential write"}


def block_size(text):
    return int(text[:-1]) * {"k": 1, "m": 1024}[text[-1].lower()] * 1024


def ratio(count, of):
    return count / of if of else None


def read_sample(path, device, rw, bs):
    """One run: fio's JSON, and the counters of host/measure.sh"""
    job = json.loads(path.read_text())["jobs"][0]
    figures = job["write" if "write" in rw else "read"]
    counters = path.with_suffix(".counters").read_text().split()
    counters = dict(c.split("=", 1) for c in counters)
    latency = figures["lat_ns"]
    sample = {
        "iops": figures["iops"],
        "mb_s": figures["bw_bytes"] / 1e6,
        "mean_us": latency["mean"] / 1000,
        "p99_us": latency["percentile"]["99.000000"] / 1000,
    }
    # These are of the middle of the run, with the disk's own I/O count ...
    if "sectors" in counters:
        ios = int(counters["sectors"]) * 512 / block_size(bs)
        for name in ("exits", "mmio", "switches", "wakeups",
                     *(f"exit_{r}" for r in REASONS)):
            sample[name + "_per_io"] = ratio(int(counters[name]), ios)
        elapsed = int(counters["elapsed_us"])
        sample["exits_per_s"] = int(counters["exits"]) / elapsed * 1e6
        sample["worker_cpu"] = int(counters["worker_us"]) / elapsed * 100
        sample["qemu_cpu"] = int(counters["qemu_us"]) / elapsed * 100
    # ... these of the whole run: those of a disk, which nobody else uses ...
    if "disk_irqs" in counters:
        sample["disk_irqs_per_io"] = ratio(int(counters["disk_irqs"]),
                                           figures["total_ios"])
    # ... those that the engine has from the kernel ...
    if "commands" in counters:
        for name in ("irqs", "kicks", "wakeups", "passes"):
            sample[name + "_per_io"] = ratio(int(counters[name]),
                                             int(counters["commands"]))
    # ... and a guest counts its own interrupts.
    elif "irqs" in counters:
        sample["irqs_per_io"] = ratio(int(counters["irqs"]),
                                      figures["total_ios"])
    if device not in OURS and "commands" not in counters:
        # There is no worker.
        sample["wakeups_per_io"] = None
    if device in LOCAL:
        # Those were some other, idle guest's.
        for name in ("exits_per_io", "mmio_per_io", "worker_cpu", "qemu_cpu",
                     *REASON_COLUMNS):
            sample[name] = None
    return sample


def summary(values, function):
    """function() of the rounds that have a value, or None"""
    values = [v for v in values if v is not None]
    return function(values) if values else None


class Cell(dict):
    """The figures of one device: {field: median}, and the spread of IOPS"""

    def __init__(self, runs):
        super().__init__({f: summary([r.get(f) for r in runs],
                                     statistics.median) for f in FIELDS})
        self.rounds = len(runs)
        self.min_iops = min(r["iops"] for r in runs)
        self.max_iops = max(r["iops"] for r in runs)


def read_samples(directory):
    """{(section, rw): {(bs, qd): {device: Cell}}}"""
    runs = collections.defaultdict(list)
    for path in pathlib.Path(directory).glob("*.json"):
        section, device, rw, bs, qd, _ = path.stem.rsplit(".", 5)
        runs[section, rw, bs, int(qd), device].append(
            read_sample(path, device, rw, bs))
    result = collections.defaultdict(lambda: collections.defaultdict(dict))
    for section in SECTIONS:
        for key, samples in sorted(runs.items()):
            if key[0] == section:
                _, rw, bs, qd, device = key
                result[section, rw][bs, qd][device] = Cell(samples)
    return result


def reference(section, cell):
    """The IOPS that the ratios are to"""
    name = SECTIONS[section].reference
    if name is None:
        return None
    if name in cell:
        return cell[name]["iops"]
    return max((cell[d]["iops"] for d in PEERS if d in cell), default=0)


def rows(section, table):
    """(bs, qd, device, figures, ratio) in the order to print"""
    for bs, qd in sorted(table, key=lambda c: (block_size(c[0]), c[1])):
        cell = table[bs, qd]
        base = reference(section, cell)
        for device in ORDER:
            if device in cell:
                yield (bs, qd, device, cell[device],
                       ratio(cell[device]["iops"], base))


def text(value, width, digits=2):
    """A figure, or a dash where there is none"""
    return f"{'-' if value is None else format(value, f'.{digits}f'):>{width}}"


def print_table(section, rw, table, spread):
    about = SECTIONS[section]
    rounds = max(c.rounds for cell in table.values() for c in cell.values())
    large = section == "large"
    of_host = spread and section == "guest"
    digits = 3 if section in ("poll", "disk") else 2
    print(f"{RW[rw]} {about.title}: median of {rounds} rounds in one boot"
          + (f";\nratio: to {about.reference}" if about.reference else "")
          + ("; MMIO: trapped accesses, doorbells among them"
             if "mmio_per_io" in about.columns else ""))
    print(f"{'':6}{'QD':>3}  {'device':27}{'MB/s' if large else 'IOPS':>8}"
          + (f"{'min-max':>15}" if spread else "")
          + f"{'ratio':>7}" + (f"{'/host':>7}" if of_host else "")
          + f"{'mean us':>9}{'p99 us':>9}"
          + "".join(f"{HEADINGS[c]:>{len(HEADINGS[c]) + 2}}"
                    for c in about.columns))
    last = None
    for bs, qd, device, figures, of in rows(section, table):
        if last not in (None, (bs, qd)):
            print()
        last = (bs, qd)
        unit = block_size(bs) / 1e6 if large else 1
        limits = (f"{figures.min_iops * unit:.0f}-"
                  f"{figures.max_iops * unit:.0f}")
        print(f"{bs:6}{qd:3}  {device:27}"
              + text(figures["mb_s" if large else "iops"], 8, 0)
              + (f"{limits:>15}" if spread else "")
              + text(of, 7)
              + (text(ratio(figures["iops"], table[bs, qd]["host"]["iops"]), 7)
                 if of_host else "")
              + text(figures["mean_us"], 9, 0)
              + text(figures["p99_us"], 9, 0)
              + "".join(text(figures[c], len(HEADINGS[c]) + 2, digits)
                        for c in about.columns))


def print_reasons(section, rw, table):
    """Why guests exited, for those who do"""
    print(f"{RW[rw]} {SECTIONS[section].title}: VM exits in a second, and per "
          "I/O by reason")
    print(f"{'':6}{'QD':>3}  {'device':27}{'exits/s':>9}"
          + "".join(f"{r:>11}" for r in REASONS))
    for bs, qd, device, figures, _ in rows(section, table):
        if device not in LOCAL:
            print(f"{bs:6}{qd:3}  {device:27}"
                  + text(figures["exits_per_s"], 9, 0)
                  + "".join(text(figures[f"exit_{r}_per_io"], 11, 3)
                            for r in REASONS))


def print_csv(result):
    print(",".join(["section", "rw", "bs", "qd", "device", "rounds"] + FIELDS +
                   ["min_iops", "max_iops", "ratio"]))
    for (section, rw), table in result.items():
        for bs, qd, device, figures, of in rows(section, table):
            numbers = [figures[f] for f in FIELDS]
            numbers += [figures.min_iops, figures.max_iops, of]
            print(",".join([section, rw, bs, str(qd), device,
                            str(figures.rounds)] +
                           ["" if n is None else f"{n:.3f}" for n in numbers]))


def plot_data(table, devices, field):
    """A line for each block size and depth, a column for each device"""
    lines = ["x " + " ".join(f'"{d}"' for d in devices)]
    for bs, qd in sorted(table, key=lambda c: (block_size(c[0]), c[1])):
        cell = table[bs, qd]
        figures = (cell[d][field] if d in cell else None for d in devices)
        lines.append(f'"{bs} QD {qd}" ' + " ".join(
            "NaN" if f is None else f"{f:.3f}" for f in figures))
    return "\n".join(lines) + "\n"


def write_plots(out, result):
    """Bars, grouped by block size and depth: one plot of speed, one of p99"""
    out = pathlib.Path(out)
    script = ["set terminal svg size 1000,500 font 'sans,12' background 'white'",
              "set style data histograms", "set style histogram clustered gap 2",
              "set style fill solid 0.8", "set grid ytics", "set yrange [0:*]",
              "set key outside right top reverse Left noenhanced",
              "set title noenhanced", "set datafile missing 'NaN'"]
    for (section, rw), table in result.items():
        # Beside the host's bars, those of devices with interrupts are too
        # small to compare.
        devices = [d for d in ORDER if any(d in c for c in table.values())
                   and (section, d) != ("guest", "host")]
        speed = ("mb_s", "MB/s") if section == "large" else ("iops", "IOPS")
        for field, label in (speed, ("p99_us", "99th percentile, us")):
            name = f"{section}-{rw}-{field}"
            (out / f"{name}.dat").write_text(plot_data(table, devices, field))
            script += [
                f"set output '{name}.svg'", f"set ylabel '{label}'",
                f"set title '{RW[rw]} {SECTIONS[section].title}'",
                f"plot for [i=2:{len(devices) + 1}] '{name}.dat' "
                "using i:xtic(1) title columnheader(i)"]
    (out / "plots.gp").write_text("\n".join(script) + "\n")


def main():
    result = read_samples(sys.argv[-1])
    if not result:
        sys.exit("there are no samples in " + sys.argv[-1])
    if "--csv" in sys.argv:
        print_csv(result)
    elif "--plots" in sys.argv:
        write_plots(sys.argv[2], result)
    else:
        for i, ((section, rw), table) in enumerate(result.items()):
            if i:
                print()
            print_table(section, rw, table, "--spread" in sys.argv)
            if "--spread" in sys.argv and section in ("guest", "doorbell", "poll"):
                print()
                print_reasons(section, rw, table)


main()
