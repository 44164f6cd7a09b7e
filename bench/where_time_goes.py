# SPDX-License-Identifier: Apache-2.0
"""Where the time of the timed rows goes, by kind of work: `perf` samples this process while namid's side runs.

    PYTHONPATH=build/release/python build/peers/bin/python -W ignore bench/where_time_goes.py \
        --data cifar-10-batches-bin --rows "pgd;cw;trades"

Rows are those of peer_speed.py --engine, train_speed.py, wasserstein.py --engine, autoattack_speed.py
("autoattack") and, by their names, networks of sweep.py; what is set up and warmed up before is not sampled. Needs `perf`. --symbols prints what took longest."""

import argparse
import collections
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import autoattack_speed
import peer_speed
import sweep
import torch
import train_speed
import wasserstein
from paired import cpu_name
from peer_speed_attacks import attacks

import namid

KINDS = (  # (kind, of a symbol, of its library); the first that fits
    ("matrix products", r"multiply|weight_product|gemm", r""),
    ("transforms, epilogues", r"namid::engine::|parallel_tiles", r""),
    ("transport plans", r"transport|simplex|oracle|dual_|wasserstein", r"namid|_C"),
    ("LibTorch's convolutions", r"dnnl|jit_|mkldnn", r""),
    ("LibTorch's convolutions", r"^0x", r"JIT|anon|perf-"),
    ("waiting for threads", r"", r"libgomp"),
    ("system", r"", r"kernel"),
    ("elementwise", r"at::|c10::|vectorized", r""),
)
NAMES = list(dict.fromkeys(kind for kind, _, _ in KINDS)) + ["other"]
ROWS = "pgd;cw;ddn;fab-t;standard;trades;mart;namid;transport-pgd;frank-wolfe;wideresnet-28-10;vgg19"


def kind_of(symbol, library):
    for kind, of_symbol, of_library in KINDS:
        if re.search(of_symbol, symbol) and re.search(of_library, library):
            return kind
    return "other"


def attack_row(options, name):
    options = argparse.Namespace(**{**vars(options), "weights": None, "engine": True})
    options.steps = 40 if name == "pgd" else 10
    options.batch = 64 if name == "pgd" else 32
    attack = next((a for a in attacks(options.steps, 100) if a.name.startswith(name)), None)
    if attack is None:
        raise SystemExit(f"where_time_goes: no row {name!r}; there are {ROWS};autoattack and the other attacks")
    model, x, y = peer_speed.build(options)
    attacked = peer_speed.models_of(options, model)["namid"]
    radius = peer_speed.RADII[attack.norm]
    return lambda: attack.run("namid", attacked, x, y, radius, 0)


def step_row(options, name):
    batch = namid.data.load(options.data, part="test", test_limit=64).batch()
    state = train_speed.starting_weights(options.network, batch.x)
    side = dict(train_speed.make_sides(options.network, name, state))["namid"]
    return lambda: side.step(batch.x, batch.y)


def transport_row(options, name):
    batch = namid.data.load(options.data, part="test", test_limit=32).batch()
    model = wasserstein.network(options.network, batch.x)
    attacked = namid.compile(model, (3, 32, 32))
    _, ours, settings = wasserstein.ATTACKS[name]
    return lambda: ours(attacked, batch.x, batch.y, {**settings, "steps": 10})


def network_row(options, name):
    name, _, width = name.partition(" ")
    of = sweep.case(name, 32, options.threads, width=int(width or 0))
    models, x, y = sweep.build(of, options.data)
    return lambda: sweep.gradient(models["engine"], x, y)


def evaluation_row(options):
    """AutoAttack as autoattack_speed.py times it, with a fifth of its steps and queries."""
    if not options.weights:
        raise SystemExit("where_time_goes: autoattack wants --weights FILE")
    options.points, options.steps, options.queries = 64, autoattack_speed.STEPS // 5, autoattack_speed.QUERIES // 5
    return lambda: autoattack_speed.of_namid(options, 0)


def row_of(options, name):
    if name == "autoattack":
        return evaluation_row(options)
    if name in train_speed.GOALS:
        return step_row(options, name)
    if name in wasserstein.ATTACKS:
        return transport_row(options, name)
    if name.split(" ")[0] in {of["model"] for of in sweep.cases()}:
        return network_row(options, name)
    return attack_row(options, name)


def sampled(work, seconds, path):
    """Runs `work` again and again under perf."""
    work()
    command = ["perf", "record", "-q", "-F", "499", "-o", path, "-p", str(os.getpid())]
    recorder = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        work()
    recorder.send_signal(signal.SIGINT)
    recorder.wait()


def shares(path):
    """[(percent, library, symbol)], the largest first."""
    fields = ["--stdio", "--no-children", "-q", "-F", "overhead,dso,symbol", "-t", "|"]
    text = subprocess.run(["perf", "report", "-i", path, *fields], capture_output=True, text=True, check=True).stdout
    found = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|", 2)]
        if len(parts) == 3 and parts[0].endswith("%"):
            found.append((float(parts[0][:-1]), parts[1], re.sub(r"^\[.\] ", "", parts[2])))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="CIFAR-10's folder, binary version")
    parser.add_argument("--rows", default=ROWS, help="divided by ;")
    parser.add_argument("--network", default="resnet18-cifar")
    parser.add_argument("--weights", help="a model file, for the row autoattack")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--symbols", type=int, default=0, help="print this many symbols of each row")
    options = parser.parse_args()
    if not shutil.which("perf"):
        parser.error("needs the program perf (Debian: linux-perf)")
    torch.set_num_threads(options.threads)
    print(f"{cpu_name()}, torch {torch.__version__}, {options.network}; shares in percent\n")
    print("| row | " + " | ".join(NAMES) + " |\n" + "|---" * (len(NAMES) + 1) + "|")
    for name in options.rows.split(";"):
        with tempfile.NamedTemporaryFile(suffix=".perf") as file:
            sampled(row_of(options, name), options.seconds, file.name)
            found = shares(file.name)
        total = collections.Counter()
        for percent, library, symbol in found:
            total[kind_of(symbol, library)] += percent
        print(f"| {name} | " + " | ".join(f"{total[kind]:.0f}" for kind in NAMES) + " |", flush=True)
        for percent, library, symbol in found[: options.symbols]:
            print(f"    {percent:5.1f} {kind_of(symbol, library)}: {library} {symbol[:150]}")


if __name__ == "__main__":
    main()
