# SPDX-License-Identifier: Apache-2.0
"""Kills evaluations with SIGKILL at random moments, resumes them, and compares them with a whole one.

    scripts/kill-resume [--points 100] [--build build/release] [--seed 0]

A point is one evaluation (small_cnn, embedded data set, the four attacks of AutoAttack, shortened,
worst_case) that is killed at a random moment; one in three is killed again while it resumes. Moments are
uniform in the processor time of the uninterrupted run (its wall time on an idle machine, so that other
load does not move them to the start), and up to 20 ms later, so that waits for the disk are hit too; one
in ten is drawn from the last 15 %, where the ledger is finished.
In the end `namid ledger diff` must find nothing, and ledger,
gallery and result (seconds aside) must be equal, byte for byte. The ledger left behind tells
  - in which stage the kill fell: the first with rows missing;
  - that no compute batch is there in part;
  - that the resumed run computes exactly the rows that are missing: only the batch in flight is
    computed again.
If square or apgd-t got fewer than 3 kills for every 10 points, more points are drawn until they have.
Exit code 1 on any difference. Kills before the run folder has its config or after the run is done leave
nothing to resume and count as no point.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import resource
import time

from evaluation_runs import SMALL_CNN, Namid, same_bytes, stage_rows, working_folder

COMPUTE_BATCH = 8
SUITE = ("apgd-ce(steps=10), apgd-t(steps=20,targets=3), fab-t(steps=2,targets=3), "
         "square(queries=200)")  # fmt: skip
EVALUATION = ["--suite", SUITE, "--combine", "worst_case", "--epsilon", 0.03, "--test-limit", 48,
              "--compute-batch", COMPUTE_BATCH, "--threads", 1]  # fmt: skip
STAGES = ["start-up", "natural", "apgd-ce", "apgd-t", "fab-t", "square", "finish"]
PROGRESS = re.compile(r"^(\S+(?: \d+/\d+)?) \[[ #]*\] (\d+)/(\d+)", re.MULTILINE)


def without_seconds(value):
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items() if key != "seconds"}
    return [without_seconds(item) for item in value] if isinstance(value, list) else value


def record_of(run):
    return json.loads((run / "run.json").read_text())


def is_done(run):
    return record_of(run)["status"] == "done"


def rows_computed(log):
    """Rows that a run computed that went to its end, by the first progress line of each stage."""
    first = {}
    for stage, done, total in PROGRESS.findall(log):
        first.setdefault(stage, int(total) - int(done))
    return sum(first.values())


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def processor_seconds(pid):
    """Processor time that a process has used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Points:
    def __init__(self, namid, seed):
        self.namid, self.random = namid, random.Random(seed)
        self.hits = collections.Counter()
        self.points = self.twice = self.too_early = self.too_late = self.again = 0
        self.differences = 0
        self.model = namid.train("model", *SMALL_CNN)
        before = children_seconds()
        namid.run(*self.evaluate("whole"))
        self.seconds = children_seconds() - before
        self.whole = namid.out / "evaluate" / "whole-001"
        self.expected = stage_rows(self.whole / "ledger.sqlite")

    def evaluate(self, name):
        return ["evaluate", self.model, *EVALUATION, "--out", self.namid.out, "--name", name]

    def differ(self, text):
        print(text, flush=True)
        self.differences += 1

    def killed(self, command, log):
        """Starts a command and kills it at a random moment; False if it had ended by then."""
        with open(log, "w") as stderr:
            process = self.namid.start(*command, stderr=stderr)
        first = 0.85 if self.random.random() < 0.1 else 0
        moment, delay = self.seconds * self.random.uniform(first, 1), self.random.uniform(0, 0.02)
        while process.poll() is None and processor_seconds(process.pid) < moment:
            time.sleep(0.003)
        time.sleep(delay)
        process.kill()
        code = process.wait()
        if code not in (0, -9):
            self.differ(f"{command[0]} ended with {code}: {log.read_text()}")
        return code == -9

    def note_kill(self, name, run, log):
        """Counts a kill under its stage; returns the rows that the ledger holds."""
        ledger = run / "ledger.sqlite"
        rows = stage_rows(ledger) if ledger.exists() else {}
        stage, batch = "finish", 0
        for key, wanted in self.expected.items():
            if missing := wanted - rows.get(key, 0):
                stage, batch = key[0], min(missing, COMPUTE_BATCH)
                if rows.get(key, 0) % COMPUTE_BATCH:
                    self.differ(f"{name}: {key} holds a part of a batch: {rows[key]} rows")
                break
        if not PROGRESS.search(log.read_text()):
            stage, batch = "start-up", 0
        self.hits[stage] += 1
        self.again += batch
        return sum(rows.values())

    def point(self, number):
        """One evaluation killed, resumed and compared; no point if the kill was too early or late."""
        name = f"killed{number}"
        run, log = self.namid.out / "evaluate" / f"{name}-001", self.namid.out / f"{name}.log"
        killed = self.killed(self.evaluate(name), log)
        if not (run / "config.toml").exists():
            self.too_early += 1
            return
        if not killed or is_done(run):
            self.too_late += 1
            return
        held = self.note_kill(name, run, log)
        if self.random.random() < 1 / 3 and self.killed(["resume", run], log):
            self.twice += 1
            if not is_done(run):
                held = self.note_kill(name, run, log)
        if not is_done(run):
            computed = rows_computed(self.namid.run("resume", run).stderr)
            if computed != sum(self.expected.values()) - held:
                self.differ(f"{name}: held {held} rows, computed {computed}")
        self.compare(name, run)
        self.points += 1

    def compare(self, name, run):
        diff = self.namid.run("ledger", "diff", self.whole, run, ok=(0, 6))
        if diff.returncode:
            self.differ(f"{name}: {diff.stdout}")
        for file in ("ledger.sqlite", "gallery.safetensors"):
            if not same_bytes(self.whole / file, run / file):
                self.differ(f"{name}: {file} differs")
        results = [without_seconds(record_of(folder)["result"]) for folder in (self.whole, run)]
        if results[0] != results[1]:
            self.differ(f"{name}: the result differs")

    def report(self, seconds):
        for stage in STAGES:
            print(f"{stage:9} {self.hits[stage]:4} kills")
        total = sum(self.expected.values())
        print(f"computed again: {self.again / max(1, self.hits.total()):.1f} of {total} rows a kill "
              f"(the batch in flight, at most {COMPUTE_BATCH})")  # fmt: skip
        print(f"not counted: {self.too_early} kills before there was a run, "
              f"{self.too_late} after its end")  # fmt: skip
        print(f"{self.points} points, {self.hits.total()} kills ({self.twice} runs killed twice), "
              f"{self.differences} differences, {seconds:.0f} s")  # fmt: skip


def draw_points(points, wanted):
    least, tried = 3 * wanted // 10, 0
    while points.points < wanted or min(points.hits["square"], points.hits["apgd-t"]) < least:
        if tried == 10 * (wanted + 1):
            points.differ(f"gave up after {tried} draws")
            return
        points.point(tried)
        tried += 1
        if tried % 10 == 0:
            print(f"{points.points} points, {points.differences} differences", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    started = time.monotonic()
    with working_folder() as out:
        points = Points(Namid(arguments.build, out), arguments.seed)
        rows = collections.Counter()
        for (stage, _), count in points.expected.items():
            rows[stage] += count
        print(f"uninterrupted: {points.seconds:.1f} s, rows {dict(rows)}", flush=True)
        draw_points(points, arguments.points)
        points.report(time.monotonic() - started)
        if points.differences:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
