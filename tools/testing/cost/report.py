#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Instructions per I/O, from what count.c and cost.c wrote.

report.py COUNTS VM-OUTPUT MODULE.ko: the report; with --functions, functions.

Every kernel instruction that the worker's CPU executes goes into one category:

- Instructions of the module by the function of ours that they come from, inlined
  or not (by the debug information).
- Other kernel code by what it was called for: where in the module the CPU was
  last. What vn_data_pin() calls is "map", what vn_irq_signal() calls "signal".
- The block layer and null_blk by name, and what they call.

io_uring has no module to go by: there, names decide.

Passes of a worker that find nothing are told apart ("idle"): what one costs is
known from the window without I/O. So are the repetitions of string instructions
("string"), which are not instructions to a processor, but not free either.
"""

import argparse
import bisect
import collections
import json
import pathlib
import re
import subprocess
import sys

MODULE = "vhost_nvme"
KERNEL = 1 << 63
GUEST_CPU, WORKER_CPU = 0, 1

# Functions of the module: the first pattern that matches, else the file's.
FUNCTIONS = [
    ("fetch", r"vn_sq_(fetch|serve|take|look)|vn_req_get|vn_db_"
              r"|vn_cq_(credits|update_head)"),
    ("signal", r"vn_irq_|vn_cq_signal|vn_cq_flush_signals|vn_worker_is_current"),
    ("complete", r"vn_(bio_end_io|blk_status|req_complete|cq_post|sq_put|ns_put)"),
    ("submit", r"vn_(bio_issue|nvm_issue|ns_is_prompt|req_defer|sector)"),
    ("pass", r"vn_worker_"),
    # Small helpers belong to the function that they are inlined in.
    (None, r"vn_req_is_read"),
]
FILES = {
    "worker.c": "pass", "queue.c": "complete", "doorbell.c": "fetch",
    "irq.c": "signal", "mem.c": "map", "dptr.c": "map", "pin.c": "map",
    "cache.c": "map", "nvm.c": "decode", "ns.c": "decode", "rw.c": "decode",
    "range.c": "decode", "copy.c": "decode", "stats.c": "complete",
    "sgl.c": "map", "poll.c": "pass", "defer.c": "submit",
}

# Names of the rest of the kernel
BLOCK = re.compile(
    r"_*(blk_|bio_|bvec_|submit_bio|null_|sbitmap|rq_qos|wbt_|elv_|part_|disk_"
    r"|update_io_ticks|should_fail_bio|kthread_blkcg|bdev_|dd_|mempool_)")
TICK = re.compile(
    r"_*(asm_sysvec|sysvec|asm_common_interrupt|common_interrupt|error_(entry|return)"
    r"|irqentry|irq_(enter|exit)|tick_|hrtimer|timer|run_timer|timekeeping|tk_"
    r"|update_(process_times|wall_time|vsyscall|load_avg|curr|cfs|se|rq|rt|dl|irq"
    r"|fast_timekeeper)"
    r"|sched_(tick|balance|clock)|task_tick|scheduler|rcu_(?!read)|handle_softirqs"
    r"|raise_softirq|run_posix|perf_event|profile_tick|account_|calc_(global|load)"
    r"|cpuacct|clockevents|lapic|native_apic|nohz|tmigr|rb_|psi_|avg_vruntime"
    r"|trigger_load|ktime_get_update|run_rebalance|cgroup_|vmstat|refresh_cpu"
    r"|notifier_call|raw_notifier)")
# Guest or user memory, for io_uring
PAGES = re.compile(
    r"_*(gup_|try_(get|grab)_folio|pin_user|unpin_|iov_iter|mod_node_page_state"
    r"|folio_|set_page_dirty|want_pages_array|internal_get_user|extract_user)")
# For io_uring: helpers that the block layer calls, but for a few
HELPER = re.compile(r"_*(rcu_read_(un)?lock|ktime_get|read_tsc|find_\w*bit|I_BDEV)")

OURS = ["fetch", "decode", "map", "submit", "complete", "signal", "pass", "rest"]
URING = ["io_uring", "pages"]
NOISE = ["idle", "string", "tick", "other"]


class Symbols:
    """Names of kernel addresses, and of what is inlined in the module"""

    def __init__(self, kallsyms, module):
        self.addresses, self.names, loaded = [], [], {}
        for line in sorted(kallsyms.read_text().splitlines()):
            address, kind, name, *owner = line.split()
            if kind not in "tTwW":
                continue
            owner = owner[0].strip("[]") if owner else ""
            self.addresses.append(int(address, 16))
            self.names.append((name, owner))
            if owner == MODULE:
                loaded[name] = int(address, 16)
        self.module = module
        self.text = self.text_address(loaded)
        self.inlined = {}

    def text_address(self, loaded):
        """Where .text of the module was loaded"""
        table = subprocess.run(["objdump", "-t", "-j", ".text", self.module],
                               capture_output=True, text=True, check=True).stdout
        for line in table.splitlines():
            f = line.split()
            if "F" in f and f[-1] in loaded:
                return loaded[f[-1]] - int(f[0], 16)
        sys.exit(f"{self.module} is not the module that was loaded")

    def at(self, address):
        """(function, module) of an address"""
        i = bisect.bisect_right(self.addresses, address) - 1
        return self.names[i] if i >= 0 else (hex(address), "")

    def is_ours(self, address):
        return self.at(address)[1] == MODULE

    def resolve(self, addresses):
        """Looks up [(function, file)], innermost first, of our addresses"""
        offsets = "".join(f"{a - self.text:#x}\n" for a in sorted(addresses))
        lines = subprocess.run(
            ["addr2line", "-a", "-f", "-i", "-j", ".text", "-e", self.module],
            input=offsets, capture_output=True, text=True,
            check=True).stdout.splitlines()
        chain = None
        for first, second in zip(lines, lines[1:]):
            if first.startswith("0x"):
                chain = self.inlined[int(first, 16) + self.text] = []
                odd = False
            elif not odd:
                file = second.split(":")[0].rsplit("/", 1)[-1]
                chain.append((first, file))
            odd = not odd if not first.startswith("0x") else False

    def ours(self, address):
        """(category, function) of an instruction of the module"""
        for function, file in self.inlined[address]:
            if not function.startswith("vn_"):
                continue
            for category, pattern in FUNCTIONS:
                if re.match(pattern, function):
                    break
            else:
                category = FILES.get(file)
            if category:
                return category, function
        return "rest", self.at(address)[0]


class Block:
    """A translation block"""

    def __init__(self, address, sizes, kind):
        self.ret = kind == "ret"
        self.again = kind == "again"
        self.callee = None
        self.addresses = []
        for size in sizes:
            self.addresses.append(address)
            address += int(size, 16)


def read_counts(path):
    """The blocks, and for every window {(cpu, site, block): count}"""
    blocks, windows, window = {}, [], collections.Counter()
    with open(path, encoding="ascii") as file:
        for line in file:
            kind, *f = line.split()
            if kind == "B":
                blocks[int(f[0])] = Block(int(f[1], 16), f[2], f[3])
            elif kind == "S":
                blocks[int(f[0])].callee = int(f[1])
            elif kind == "C":
                window[tuple(map(int, f[:3]))] += int(f[3])
            else:
                windows.append(window)
                window = collections.Counter()
    return blocks, windows


class Counts:
    """All windows, and what their instructions were for"""

    def __init__(self, counts, output, module):
        self.blocks, windows = read_counts(counts)
        self.symbols = Symbols(output / "kallsyms", module)
        self.symbols.resolve({a for b in self.blocks.values()
                              for a in b.addresses if self.symbols.is_ours(a)})
        infos = (output / "windows").read_text().splitlines()
        self.works = collections.defaultdict(list)
        for info, window in zip(map(json.loads, infos), windows, strict=True):
            self.check(info, window)
            self.works[info["name"]].append((info, window))
        self.cache = {}

    def check(self, info, window):
        """The machine's clock has counted the instructions, too"""
        total = sum(n * len(self.blocks[block].addresses)
                    for (_, _, block), n in window.items())
        # Of the block in which a CPU halts, or is woken, some are counted only here.
        slack = 100 + info["clock"] / 10000 + 10 * info.get("wakeups", 0)
        if abs(total - info["clock"]) > slack:
            sys.exit(f"{info['name']}: {total} instructions in "
                     f"{info['clock']} cycles of the clock")

    def purpose(self, site):
        """What the kernel is called for from a block of a module"""
        block = self.blocks[site]
        last = block.addresses[-1]
        if not self.symbols.is_ours(last):
            return "block"
        category, function = self.symbols.ours(last)
        # A return goes to whom calls us: vhost_task, or a bio's owner.
        if block.ret:
            return "pass" if category == "pass" else "block"
        callee = self.blocks.get(block.callee)
        if callee and BLOCK.match(self.symbols.at(callee.addresses[0])[0]):
            return "block"
        return category

    def classify(self, site, block, guest):
        found = collections.Counter()
        for address in block.addresses:
            name, owner = self.symbols.at(address)
            if owner == MODULE:
                category, name = self.symbols.ours(address)
            elif owner == "null_blk" or BLOCK.match(name):
                category = "block"
            elif TICK.match(name):
                category = "tick"
            elif guest:
                category = self.purpose(site) if site else "other"
            elif PAGES.match(name):
                category = "pages"
            else:
                category = "block" if HELPER.match(name) else "io_uring"
            if block.again:
                category = "string"
            found[category, name] += 1
        return list(found.items())

    def functions(self, window, cpus, guest):
        """{(category, function): instructions}"""
        total = collections.Counter()
        for (cpu, site, block), n in window.items():
            if cpu not in cpus or self.blocks[block].addresses[0] < KERNEL:
                continue
            key = site, block, guest
            if key not in self.cache:
                self.cache[key] = self.classify(site, self.blocks[block], guest)
            for what, instructions in self.cache[key]:
                total[what] += n * instructions
        return total

    def callees(self, name):
        """{(function of ours, what it calls): instructions per I/O}"""
        (info, window), _ = self.works[name]
        result = collections.Counter()
        for (cpu, site, block), n in window.items():
            if not site or cpu != WORKER_CPU:
                continue
            site = self.blocks[site]
            last = site.addresses[-1]
            if site.ret or not site.callee or not self.symbols.is_ours(last):
                continue
            callee = self.blocks[site.callee].addresses[0]
            key = self.symbols.ours(last)[1], self.symbols.at(callee)[0]
            result[key] += n * len(self.blocks[block].addresses) / info["ios"]
        return result

    def calls(self, window, function):
        """How often a function of the kernel was entered"""
        i = self.symbols.names.index((function, ""))
        return sum(n for (_, _, block), n in window.items() if
                   self.blocks[block].addresses[0] == self.symbols.addresses[i])

    def looks(self, info, window):
        """Passes of a polling thread: all, and those that found something"""
        if info["kind"] == "guest":
            return info["passes"], info["busy_passes"]
        return self.calls(window, "io_sq_tw"), self.calls(window, "io_submit_sqes")

    def per_io(self, name):
        """{(category, function): instructions per I/O}"""
        (info, window), (rest, nothing) = self.works[name]
        guest = info["kind"] == "guest"
        cpus = {WORKER_CPU} if guest else {GUEST_CPU, WORKER_CPU}
        result = collections.Counter({
            key: n / info["ios"]
            for key, n in self.functions(window, cpus, guest).items()})
        if info["kind"] == "uring":
            return result
        passes, busy = self.looks(info, window)
        # A worker that sleeps looks at nothing meanwhile: what is idle belongs to
        # what woke it.
        idle = self.looks(rest, nothing)[0]
        scale = (passes - busy) / info["ios"] / idle if idle else 0
        for key, n in self.functions(nothing, {WORKER_CPU}, guest).items():
            if key[0] not in ("tick", "string"):
                result[key] -= n * scale
                result["idle", key[1]] += n * scale
        return result

    def wakeup(self, name):
        """
        Of a worker that was asleep, per batch: how often it was woken, its CPU's
        instructions with those for sleeping and waking, and those of the kick
        """
        info, window = self.works[name][0]
        batches = info["ios"] / info["batch"]
        kick = self.functions(window, {GUEST_CPU}, True)
        return (info["wakeups"] / batches,
                self.functions(window, {WORKER_CPU}, True).total() / batches,
                sum(n for (category, _), n in kick.items() if category != "tick") /
                batches)

    def summary(self, name):
        result = collections.Counter()
        for (category, _), n in self.per_io(name).items():
            result[category] += n
        result["ours"] = sum(result[c] for c in OURS)
        result["theirs"] = sum(result[c] for c in URING)
        result["all"] = result["ours"] + result["theirs"] + result["block"]
        return result


class Report:
    def __init__(self, counts):
        self.counts = counts
        self.rows = {name: counts.summary(name) for name in counts.works}

    def table(self, title, names, columns):
        print(f"\n{title}\n")
        print(" " * 28 + "".join(f"{c:>9}" for c in columns))
        for name in names:
            row = self.rows[name]
            print(f"{name:28}" + "".join(f"{row[c]:9.1f}" for c in columns))

    def names(self, pattern):
        return [n for n in self.rows if re.fullmatch(pattern, n)]

    def growth(self):
        print("\nGrowth of ours with what is there but idle, or in use\n")
        for name in self.names(r"(guest|pinned)-4k-b\d+-64-.*"):
            base = re.match(r"\w+-4k-b\d+", name)[0]
            a, b = self.rows[base]["ours"], self.rows[name]["ours"]
            print(f"{name:28}{a:9.1f} ->{b:9.1f}  {(b / a - 1) * 100:+6.1f} %")

    def pages(self):
        print("\nPer page of 4 KiB in reads of 128 KiB and 1 MiB, batches of 8: "
              "everything, and what\none page more costs (n pages less 1 page, "
              "divided by n - 1)\n")
        print(" " * 28 + f"{'all/n':>9}{'one more':>9}")
        for size, n in ("128k", 32), ("1m", 256):
            for name, small in (
                    (f"guest-{size}-b8", "guest-4k-b8"),
                    (f"pinned-{size}-b8", "pinned-4k-b8"),
                    (f"uring-{size}-b8-unregistered", "uring-4k-b8-unregistered"),
                    (f"uring-{size}-b8", "uring-4k-b8"),
                    (f"guest-{size}-b8-sgl", "guest-4k-b8"),
                    (f"pinned-{size}-b8-sgl", "pinned-4k-b8"),
                    (f"guest-{size}-b8-scattered", "guest-4k-b8"),
                    (f"uring-{size}-b8-scattered", "uring-4k-b8-unregistered")):
                a, b = self.rows[name]["all"], self.rows[small]["all"]
                print(f"{name:28}{a / n:9.1f}{(a - b) / (n - 1):9.1f}")

    def asleep(self):
        """What it costs that the worker sleeps when a command comes"""
        print("\nPer batch that finds the worker asleep: times that it was woken; "
              "all instructions of its\nCPU, and those that it has when it is awake; "
              "and those of the guest's CPU for write(2)\non the kick's eventfd\n")
        print(" " * 28 + f"{'wakeups':>9}{'asleep':>9}{'awake':>9}{'kick':>9}")
        for name in self.names(r"guest-4k-b\d+-asleep"):
            batch = int(re.search(r"-b(\d+)", name)[1])
            wakeups, worker, kick = self.counts.wakeup(name)
            awake = self.rows[name.removesuffix("-asleep")]["all"] * batch
            print(f"{name:28}{wakeups:9.2f}{worker:9.1f}{awake:9.1f}{kick:9.1f}")


    def show(self):
        print("Host instructions per I/O, without those of user space")
        self.table("vhost_nvme: the worker, random reads of 4 KiB, by commands per "
                   "doorbell write.\nours: without the block layer; all: with it; the "
                   "rest is in neither. idle: passes that\nfound nothing. string: "
                   "repetitions within one instruction (REP STOS).",
                   self.names(r"(guest|pinned)-4k-b\d+"),
                   OURS + ["ours", "block", "all"] + NOISE)
        self.table("io_uring, fixed file, registered buffers: the same",
                   self.names(r"(uring|sqpoll)-4k-b\d+"),
                   URING + ["theirs", "block", "all"] + NOISE)
        self.growth()
        self.table("vhost_nvme: other workloads",
                   self.names(r"(guest|pinned)-(4k-b\d+-64|128k|1m).*"),
                   OURS + ["ours", "block", "all"] + NOISE)
        self.table("io_uring: other workloads",
                   self.names(r"uring-(128k.*|1m.*|4k.*-unregistered)"),
                   URING + ["theirs", "block", "all"] + NOISE)
        self.pages()
        self.asleep()

    def functions(self, names, top):
        for name in names:
            print(f"{name}: instructions per I/O, category, function")
            rows = self.counts.per_io(name)
            for (category, function), n in rows.most_common(top):
                print(f"{n:9.1f}  {category:9} {function}")
            print()

    def callees(self, name, top):
        print(f"{name}: instructions per I/O that the module's calls cost until "
              "they are back\nin a module, idle passes included")
        for (ours, callee), n in self.counts.callees(name).most_common(top):
            print(f"{n:9.1f}  {ours} -> {callee}")
        print()

    def unknown(self):
        """What no table knows is shown, not hidden."""
        total = collections.Counter()
        for name in self.names("(guest|pinned)-.*"):
            for (category, function), n in self.counts.per_io(name).items():
                if category in ("rest", "other"):
                    total[function] = max(total[function], n)
        print("not attributed, at most")
        for function, n in total.most_common(20):
            print(f"{n:9.2f}  {function}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("module")
    parser.add_argument("--functions", action="store_true")
    args = parser.parse_args()
    report = Report(Counts(args.counts, args.output, args.module))
    if args.functions:
        report.functions(["guest-4k-b1", "guest-4k-b32", "pinned-4k-b32",
                          "pinned-128k-b8", "guest-128k-b8",
                          "guest-128k-b8-scattered", "guest-1m-b8-sgl",
                          "uring-4k-b1",
                          "uring-4k-b32", "sqpoll-4k-b32"], 40)
        report.callees("guest-4k-b1", 20)
        report.callees("guest-4k-b32", 20)
        report.unknown()
    else:
        report.show()


main()
