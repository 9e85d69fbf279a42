#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Counts the results in files of KTAP and prints the verdict.

Where a result has nested results, those are counted, and the outer one only if
it failed and none of the nested did. A stream with fewer results than planned,
or without a plan, is a failure: it ended early. What was said right before a
failure is shown again, since the whole output is long.
"""

import collections
import re
import sys

# So many lines are shown again
LINES = 30

RESULT = re.compile(r"^(\s*)(not )?ok (\d+)\s*(?:- )?(.*?)\s*"
                    r"(?:#\s*(SKIP|XFAIL)\b\s*(.*))?$", re.I)
PLAN = re.compile(r"^1\.\.(\d+)")


class Count:
    """What was counted so far"""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        # Lines before failures
        self.shown = []

    def add(self, bad, name, directive, reason, lines):
        if (directive or "").upper() == "SKIP":
            self.skipped.append(f"{name}: {reason or 'no reason given'}")
        elif bad:
            self.failed.append(name)
            self.shown += [*lines, ""]
        else:
            self.passed += 1


def count_stream(path, count):
    planned, seen = None, 0
    nested, nested_failed = 0, 0
    # Since the last result
    lines = collections.deque(maxlen=LINES)
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            line = line.rstrip("\r\n")
            lines.append(line)
            plan = PLAN.match(line)
            if plan:
                planned = int(plan[1])
            result = RESULT.match(line)
            if not result:
                continue
            indent, bad, _, name, directive, reason = result.groups()
            if indent:
                nested += 1
                nested_failed += bool(bad)
                count.add(bad, name, directive, reason, lines)
                lines.clear()
                continue
            seen += 1
            if not nested or (bad and not nested_failed):
                count.add(bad, name, directive, reason, lines)
            lines.clear()
            nested, nested_failed = 0, 0
    if planned is None or seen < planned:
        count.failed.append(f"{path} ended early: {seen} results of "
                            f"{'an unknown number' if planned is None else planned}")
        count.shown += [*lines, ""]


def main():
    count = Count()
    for path in sys.argv[1:]:
        count_stream(path, count)
    for line in count.shown:
        print(line)
    for name in count.skipped:
        print(f"skipped: {name}")
    for name in count.failed:
        print(f"FAILED: {name}")
    print(f"{count.passed} passed, {len(count.failed)} failed, "
          f"{len(count.skipped)} skipped")
    sys.exit(1 if count.failed or not count.passed else 0)


main()
