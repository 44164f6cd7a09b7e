# SPDX-License-Identifier: Apache-2.0
"""Files that namid writes, read by independent packages, and the other way round."""

import json
import os
import subprocess

import numpy
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

PROGRAM = os.environ["NAMID_PROGRAM"]
TINY = "--model small_cnn --width 4 --train-limit 64 --batch-size 32 --lr 0.05 --epochs 2 --steps 2"
FLAGS = f"{TINY} --epsilon 0.1 --threads 1 --quiet --validation 16 --name a"


def run(arguments, expect=0):
    done = subprocess.run([PROGRAM, *arguments.split()], capture_output=True, text=True)
    assert done.returncode == expect, done.stderr
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    run(f"train {FLAGS} --out {out}")
    return out / "train" / "a-001"


def test_tensorboard_reads_the_events(trained):
    events = EventAccumulator(str(trained))
    events.Reload()
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["kind"] == "step"]
    tags = [tag for tag in events.Tags()["scalars"] if tag.endswith("loss") and "step" in tag]
    assert tags, events.Tags()
    read = [event.value for event in events.Scalars(tags[0])]
    numpy.testing.assert_allclose(read, losses, rtol=1e-6)


def test_metrics_csv_has_the_same_numbers(trained):
    import csv

    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    with open(trained / "metrics.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    for row, line in zip(rows, table):
        for key, value in row.items():
            if isinstance(value, float):
                assert float(line[key]) == value


def test_safetensors_package_reads_the_weights(trained):
    weights = load_file(trained / "model.safetensors")
    assert {"conv1.weight", "bn1.running_mean", "fc2.bias"} <= set(weights)
    assert weights["bn1.num_batches_tracked"].dtype == torch.int64
    with safe_open(trained / "model.safetensors", "pt") as file:
        assert "namid.crc32c" in file.metadata()


def test_weights_rewritten_by_the_package_are_read_and_a_flipped_bit_is_not(trained, tmp_path):
    path = trained / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    copy = tmp_path / "copy.safetensors"
    save_file(load_file(path), copy, metadata)
    evaluate = "--epsilon 0.1 --steps 2 --test-limit 20 --threads 1 --json --quiet --out"
    ours = json.loads(run(f"evaluate {path} {evaluate} {tmp_path}").stdout)
    theirs = json.loads(run(f"evaluate {copy} {evaluate} {tmp_path}").stdout)
    assert ours["natural"] == theirs["natural"] and ours["robust"] == theirs["robust"]
    data = bytearray(copy.read_bytes())
    data[-5] ^= 1
    copy.write_bytes(data)
    refused = run(f"evaluate {copy} {evaluate} {tmp_path}", expect=3)
    assert "copy.safetensors" in refused.stderr


def test_numpy_pairs_are_read_as_the_reference_lays_them_out(tmp_path):
    generator = numpy.random.default_rng(0)
    for part, n in (("train", 64), ("test", 20)):
        images = generator.integers(0, 256, (n, 32, 32, 3), numpy.uint8)
        numpy.save(tmp_path / f"{part}_images.npy", images)
        numpy.save(tmp_path / f"{part}_labels.npy", generator.integers(0, 10, n))
    out = tmp_path / "runs"
    run(f"train {TINY} --epsilon 0.1 --threads 1 --quiet --data {tmp_path} --out {out} --name a")
    record = json.loads((out / "train" / "a-001" / "run.json").read_text())
    assert record["data"]["shape"] == [3, 32, 32]
    numpy.save(tmp_path / "train_images.npy", numpy.array([{}], dtype=object))
    refused = run(f"train {TINY} --quiet --data {tmp_path} --out {out}", expect=3)
    assert "train_images.npy" in refused.stderr and "object" in refused.stderr
