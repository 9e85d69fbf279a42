#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""differences.py GROUP OFF ON: what differs between two outputs of
guest/compare.sh, of vhost=off and of vhost=on, in the items of one group. Fails
if any item does that ALLOWED does not name."""

import re
import sys

# Patterns for names of items that may differ, by the reason
ALLOWED = {
    "CAP.TO: a reset waits for the host's disk": [
        r"registers\.cap\.to",
    ],
    "metadata is not served, so there are fewer LBA formats": [
        r"identify\.cns(00|11)\.nsid.\.csi.\+(25|26|27|28|29|12[89]|1[345]\d)",
        r"cli\.id-ns\d\.(nlbaf|flbas|mc|dpc|lbaf .*)",
        r"(format|namespace\.1|data1)\.lbaf [1-7].*",
    ],
    "I/O management is of flexible data placement, which is not served": [
        r"io\d\.management .*",
        r"io\d\.opcode(12|1d)\..*",
        r"logs\.05\..*\+(1096|1140)",
    ],
    "atomic units are the disk's; what deallocated blocks read as is not known": [
        r"identify\.cns(00|11)\.nsid.\.csi.\+(24|33)",
        r"cli\.id-ns\d\.(nsfeat|dlfeat)",
        r"features\.get05\.sel0\.nsid1\.10005",
    ],
    "there is an error log; hw/nvme's is empty": [
        r"(identify\.cns01|admin\.identify)\..*\+262",
        r"cli\.id-ctrl\.elpe",
        r"logs\.01\..*",
        r"smart\.3 failed\.error log entries",
    ],
    "Verify moves no data to the host, but counts as data units (Base 5.16.1.3)": [
        r"smart\.200 of 0c\.host reads",
    ],
    "arbitration and interrupt coalescing can be set": [
        r"set\.0[189]=.*",
        r"features\.get0[189]\..*",
    ],
    "the ranges of a Copy are written one by one (NVMCSA)": [
        r"(identify\.cns01|admin\.identify)\..*\+521",
        r"cli\.id-ctrl\.oncs",
    ],
    "SGL: bit buckets, segments that only lead on, and a status for each mistake": [
        r"(identify\.cns01|admin\.identify)\..*\+538",
        r"cli\.id-ctrl\.sgls",
        r"io\d\.sgl\.psdt[12]\.(data block, subtype .|keyed|type 9|vendor)",
        r"io\d\.sgl\.psdt[12]\.(.*bit bucket|segment|segment loop)",
    ],
    "half of a fused command is refused for good (DNR), of Flush as well": [
        r"io\d\..*\.flags0[12]",
        r"io\d\.fused\..*",
    ],
    "an opcode that does not exist is noticed before the NSID": [
        r"io\d\.uncorrectable\.nsid.*",
    ],
    "Deallocate behind the end is out of range; hw/nvme leaves it out": [
        r"io\d\.dsm\.(.*behind the end|one too many|4 Gi blocks|far.*)",
    ],
    "Dataset Management that does nothing succeeds, on a read-only disk too": [
        r"io\d\.dsm\.(nsid4|read-only.*)",
    ],
    "Data Transfer Error where there is no memory; PCI reads nothing there": [
        r"io\d\.prp\.[48]k\..*(without memory|registers|the end of all)",
        r"io\d\.sgl\.psdt[12]\..*no memory",
    ],
    "PRP Offset Invalid for bits that hw/nvme does not look at": [
        r"io\d\.prp\.[48]k\.(prp1 a (byte|word) in|list not at a qword)",
    ],
}


def read(path, group):
    """The values of each name, in a list"""
    items = {}
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.rstrip("\n").rpartition(":")
            if name.startswith(group + "."):
                items.setdefault(name.strip(), []).append(value.strip())
    return items


def reason(name):
    """Why this item may differ, or None"""
    for why, patterns in ALLOWED.items():
        if any(re.fullmatch(p, name) for p in patterns):
            return why
    return None


def main():
    group, off, on = sys.argv[1:]
    off, on = read(off, group), read(on, group)
    bad, allowed = 0, {}
    # In the order in which they were asked for
    for name in dict.fromkeys([*off, *on]):
        if off.get(name) == on.get(name):
            continue
        why = reason(name)
        if why:
            allowed[why] = allowed.get(why, 0) + 1
            continue
        bad += 1
        print(f"{name}: {', '.join(off.get(name, ['nothing']))} with off, "
              f"{', '.join(on.get(name, ['nothing']))} with on")
    for why, n in allowed.items():
        print(f"{n} may differ: {why}")
    print(f"{len(off)} items, {bad} differ")
    sys.exit(1 if bad or not off else 0)


main()
