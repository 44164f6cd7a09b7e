# SPDX-License-Identifier: Apache-2.0
"""Paired benchmark: namid and plain eager PyTorch take turns at the same task in one run.

    paired.py --data CIFAR10_FOLDER [--batch 32] [--threads N] [--train-pairs 15] [--evaluate-pairs 9]

Both sides start from the same weights and see the same images in the same order. Each pair is A then B or
B then A, alternating. Printed: medians, quartiles, the median of the ratios eager / namid with a 95 %
bootstrap interval, passes, losses and accuracies. "met" means that the interval does not lie wholly below 1.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import numpy

HERE = pathlib.Path(__file__).resolve().parent


class Side:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.facts = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: the {self.name} side ended early (exit {self.process.wait()})")
        return json.loads(line)

    def run(self, task):
        self.process.stdin.write(task + "\n")
        self.process.stdin.flush()
        return self.answer()


def median_interval(values, seed=0, resamples=10000):
    draws = numpy.random.default_rng(seed).choice(values, (resamples, len(values)))
    return numpy.quantile(numpy.median(draws, axis=1), [0.025, 0.975])


def measure(task, sides, pairs):
    for side in sides:
        side.run(task)  # warm-up, not counted
    answers = {side.name: [] for side in sides}
    for pair in range(pairs):
        for side in sides if pair % 2 == 0 else sides[::-1]:
            answers[side.name].append(side.run(task))
    return answers


def report(task, answers):
    names = list(answers)
    seconds = {name: [a["seconds"] for a in answers[name]] for name in names}
    ratios = [b / a for a, b in zip(seconds[names[0]], seconds[names[1]])]
    low, high = median_interval(ratios)
    rows = []
    for name in names:
        last = answers[name][-1]
        quartiles = statistics.quantiles(seconds[name], n=4)
        loss = statistics.mean(a["loss"] for a in answers[name])
        accuracy = [a["accuracy"] for a in answers[name] if "accuracy" in a]
        rows.append(
            f"| {task} | {name} | {statistics.median(seconds[name]):.3f} | "
            f"{quartiles[0]:.3f} to {quartiles[2]:.3f} | {last['forwards']} / {last['backwards']} | "
            f"{loss:.3f} | {100 * statistics.mean(accuracy):.1f} |" if accuracy else
            f"| {task} | {name} | {statistics.median(seconds[name]):.3f} | "
            f"{quartiles[0]:.3f} to {quartiles[2]:.3f} | {last['forwards']} / {last['backwards']} | "
            f"{loss:.3f} | |"
        )
    verdict = "met" if high >= 1 else "not met"
    rows.append(
        f"| {task} | **{names[1]} / {names[0]}** | **{statistics.median(ratios):.3f}** | "
        f"95 % interval {low:.3f} to {high:.3f}: {verdict} | | | |"
    )
    return rows


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with CIFAR-10's data_batch_1.bin")
    parser.add_argument("--worker", required=True, help="the namid_bench_worker program")
    parser.add_argument("--program", required=True, help="the namid program, for the initial weights")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--train-pairs", type=int, default=15)
    parser.add_argument("--evaluate-pairs", type=int, default=9)
    options = parser.parse_args()
    if not (pathlib.Path(options.data) / "data_batch_1.bin").exists():
        sys.exit(f"bench: {options.data} holds no data_batch_1.bin (CIFAR-10, binary version)")
    with tempfile.TemporaryDirectory() as folder:
        # Weights after one short epoch of natural training: a network whose gradients are not those
        # of random weights.
        subprocess.run(
            [options.program, "train", "--defense", "natural", "--model", "resnet18", "--data", options.data,
             "--train-limit", "256", "--batch-size", "64", "--epochs", "1", "--lr", "0.01", "--out", folder,
             "--name", "weights", "--quiet"],
            check=True, stdout=subprocess.DEVNULL,
        )
        weights = f"{folder}/train/weights-001/model.safetensors"
        arguments = [weights, options.data, str(options.batch), str(options.threads)]
        sides = [
            Side("namid", [options.worker, *arguments]),
            Side("eager PyTorch", [sys.executable, str(HERE / "eager.py"), *arguments]),
        ]
        print(f"ResNet-18, CIFAR-10, batch {options.batch}, {options.threads} threads, {cpu_name()}, "
              f"namid channels-last: {sides[0].facts['channels_last']}\n")
        print("| task | side | median s | quartiles s | forwards / backwards | mean loss | accuracy % |")
        print("|---|---|---|---|---|---|---|")
        for task, pairs in (("train_step", options.train_pairs), ("evaluate", options.evaluate_pairs)):
            for row in report(task, measure(task, sides, pairs)):
                print(row, flush=True)


if __name__ == "__main__":
    main()
