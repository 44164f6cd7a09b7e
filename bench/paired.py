# SPDX-License-Identifier: Apache-2.0
"""What paired timings share."""

import ctypes
import multiprocessing
import pathlib
import platform

import numpy


def median_interval(values, seed=0, resamples=10000):
    draws = numpy.random.default_rng(seed).choice(values, (resamples, len(values)))
    return numpy.quantile(numpy.median(draws, axis=1), [0.025, 0.975])


def resident(name):
    """VmRSS or VmHWM of this process, MiB."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"no {name} in /proc/self/status")


def forget_peak():
    """From now on VmHWM is the peak since now; the resident size now, MiB."""
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def from_process(method, target, *arguments):
    """What `target(*arguments, pipe)` sends from a process of its own, started by "fork" or "spawn".
    EOFError where it ends without."""
    context = multiprocessing.get_context(method)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*arguments, there))
    process.start()
    there.close()
    try:
        return here.recv()
    finally:
        process.join()


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
