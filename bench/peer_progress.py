# SPDX-License-Identifier: Apache-2.0
"""What is there of a row that is not finished, so that a long row can be killed and goes on."""

import os
import random
import time

import numpy
import torch

EVERY = 60  # seconds between two writes


def generators():
    """The states of the generators that the libraries draw from."""
    return {
        "random": random.getstate(),
        "numpy": numpy.random.get_state(),
        "torch": torch.get_rng_state(),
    }


def restore(states):
    random.setstate(states["random"])
    numpy.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])


class Progress:
    """The batches of images that an attack has returned, kept in the file `path` and read back from
    it: with the generators' states behind the last one, so that a run that goes on returns what it
    would have returned at once. `about`: what else must be the same for that; a file that says
    otherwise is passed over. Without a path nothing is kept."""

    def __init__(self, path=None, about=None, every=None):
        self.path, self.about = path, about
        self.every = EVERY if every is None else every
        self.batches, self.seconds = [], 0.0
        self.written = time.perf_counter()
        if path is not None and path.exists():
            kept = torch.load(path, weights_only=False)
            if kept["about"] == about:
                self.batches, self.seconds = kept["batches"], kept["seconds"]
                self.states = kept["states"]

    def go_on(self):
        """The number of batches that are there; sets the generators."""
        if self.batches:
            restore(self.states)
        return len(self.batches)

    def add(self, images, seconds):
        self.batches.append(images)
        self.seconds += seconds
        if self.path is not None and time.perf_counter() - self.written >= self.every:
            self.write()

    def write(self):
        kept = {"about": self.about, "batches": self.batches, "seconds": self.seconds}
        new = self.path.with_name(self.path.name + ".new")
        torch.save({**kept, "states": generators()}, new)
        os.replace(new, self.path)
        self.written = time.perf_counter()

    def remove(self):
        """Once the row is written."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
