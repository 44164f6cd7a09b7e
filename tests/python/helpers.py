# SPDX-License-Identifier: Apache-2.0
"""Small models and batches that several test files use."""

import contextlib
import os
import signal
import threading

import torch


def linear_model(seed=0, classes=3, size=12):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, classes))


def batch(n=8, classes=3, shape=(3, 2, 2)):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n, *shape, generator=generator), torch.randint(
        0, classes, (n,), generator=generator
    )


def images(n=16, shape=(1, 8, 8), classes=10):
    """8-bit images with labels."""
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (n, *shape), dtype=torch.uint8, generator=generator)
    return pixels, torch.randint(0, classes, (n,), generator=generator)


@contextlib.contextmanager
def interrupted_after(seconds, condition=lambda: True):
    """Ctrl-C reaches the process after some time, as soon as the condition holds, also where it was
    started with it ignored."""
    over = threading.Event()

    def interrupt():
        over.wait(seconds)
        while not over.is_set() and not condition():
            over.wait(0.005)
        if not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
