# SPDX-License-Identifier: Apache-2.0
"""What the scripts that show properties of evaluations share: running namid, and reading ledgers."""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

SMALL_CNN = "--model small_cnn --width 8 --train-limit 1000 --lr 0.05".split()


class Namid:
    """The program of a build; runs go to `out`. Relative paths are taken from the current folder."""

    def __init__(self, build, out):
        self.program = pathlib.Path(build).resolve() / "namid"
        self.out = pathlib.Path(out)
        if not self.program.exists():
            sys.exit(f"{self.program}: no such program; build it with `make build`")

    def start(self, *arguments, stderr=subprocess.DEVNULL):
        return subprocess.Popen(
            [self.program, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=stderr
        )

    def run(self, *arguments, ok=(0,)):
        """Exit code, stdout and stderr; ends the script on an exit code that is not in `ok`."""
        done = subprocess.run(
            [self.program, *map(str, arguments)], capture_output=True, text=True
        )
        if done.returncode not in ok:
            sys.exit(f"namid {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
        return done

    def train(self, name, *options):
        """The folder of a model trained for one epoch on the embedded data set."""
        self.run("train", "--defense", "natural", "--epochs", 1, "--batch-size", 50, "--threads", 1,
                 "--quiet", "--out", self.out, "--name", name, *options)  # fmt: skip
        return self.out / "train" / f"{name}-001"


@contextlib.contextmanager
def working_folder():
    """A temporary folder; it stays, and is named, where the script fails."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="namid-"))
    try:
        yield folder
    except BaseException:
        print(f"the runs are kept in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def same_bytes(a, b):
    return pathlib.Path(a).read_bytes() == pathlib.Path(b).read_bytes()


def stage_rows(ledger):
    """Rows of each stage in the ledger, in the order of the suite: {("natural", 0): 64, ...}.

    Reads a copy: opening a killed run's ledger would itself recover its write-ahead log.
    """
    with tempfile.TemporaryDirectory() as folder:
        for end in ("", "-wal"):
            source = pathlib.Path(f"{ledger}{end}")
            if source.exists():
                shutil.copy(source, os.path.join(folder, f"ledger.sqlite{end}"))
        with contextlib.closing(sqlite3.connect(os.path.join(folder, "ledger.sqlite"))) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                return {}
            (attacks,) = database.execute("SELECT value FROM meta WHERE key = 'attacks'").fetchone()
            rows = {("natural", 0): database.execute("SELECT COUNT(*) FROM samples").fetchone()[0]}
            for attack in attacks.split(","):
                for number, count in database.execute(
                    "SELECT round, COUNT(*) FROM attempts WHERE attack = ? GROUP BY round", [attack]
                ):
                    rows[attack, number] = count
    return rows
