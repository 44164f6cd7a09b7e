# SPDX-License-Identifier: Apache-2.0
"""Data sets as tensors, read by the parsers of the program."""

import dataclasses

import torch

from namid import _C
from namid._options import Table, describe


@dataclasses.dataclass(frozen=True)
class Batch:
    x: torch.Tensor  # float32 (N, C, H, W) in [0,1]
    y: torch.Tensor  # int64 (N)
    ids: list  # index of each image in its file


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and labels, whole in memory."""

    name: str
    images: torch.Tensor  # uint8 (N, C, H, W)
    labels: torch.Tensor  # int64 (N)
    ids: list
    num_classes: int
    class_names: list
    augments: bool  # whether training augments it by default

    def __len__(self):
        return len(self.labels)

    @property
    def shape(self):
        """Of one image, (C, H, W)."""
        return tuple(self.images.shape[1:])

    def batch(self, rows=slice(None)):
        """The rows as a batch."""
        chosen = torch.arange(len(self))[rows]
        return Batch(
            self.images[chosen].float() / 255,
            self.labels[chosen],
            [self.ids[row] for row in chosen.tolist()],
        )

    def batches(self, batch_size, *, epoch=None, seed=0, augment=None):
        """One pass: with an epoch, from 1, in the order and with the crops and flips that the
        program's training draws from `seed`; without one, in file order as they are."""
        rows = torch.arange(len(self))
        if epoch is not None:
            rows = torch.tensor(_C.permutation(seed, "train/order", len(self), epoch))
        augment = self.augments and epoch is not None if augment is None else augment
        for part in rows.split(batch_size):
            batch = self.batch(part)
            if augment:
                x = _C.augment(batch.x, batch.ids, seed, epoch or 0)
                batch = dataclasses.replace(batch, x=x)
            yield batch


_table = Table(_C.data_options(), leave_out=("data", "validation"))


def load(name="fashion-mnist-mini", part="train", **keywords):
    return Dataset(**_C.load_data({"data": str(name), **_table.paths(keywords)}, part))


describe(
    load,
    name="load",
    summary="One part of a data set: a built-in name, a file or a folder.",
    lines=[f"{row['name']}: {row['description']}" for row in _C.data_table()],
    positional=(("name", "fashion-mnist-mini"), ("part", "train")),
    table=_table,
    returns=Dataset,
)

__all__ = ["Batch", "Dataset", "load"]
