# SPDX-License-Identifier: Apache-2.0
"""What the caller hands over: images in a type that attacks compute in, and the class count."""

import torch

from namid import _C


def check_images(x):
    """Float32 and float64 batches pass; everything else is refused with what to do instead."""
    if not isinstance(x, torch.Tensor):
        raise ValueError(f"x: expected a float tensor of images in [0, 1], got {type(x).__name__}")
    if not x.is_floating_point():
        raise ValueError(f"x: expected float images in [0, 1], got {x.dtype}; divide by 255?")
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"x: expected float32 images, got {x.dtype}, which cannot tell the 8-bit levels of an "
            "image apart; give x.float(), and cast inside the model"
        )


def check_seed(seed):
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected a number from 0 to 2^64 - 1, got {seed}")


def computed(model, x):
    """(model, x) as attacks take them, in float32. A float64 batch is attacked in float32 through a
    model that is still called in float64; built-in networks compute in float32."""
    if x.dtype == torch.float32 or isinstance(model, _C.Model):
        return model, x.float()
    return lambda batch: model(batch.to(x.dtype)), x.float()


def class_count(model, x):
    """Columns of the logits, by one forward of the first image. Refuses what is no classifier."""
    known = getattr(model, "num_classes", None)
    if isinstance(known, int) and type(model).__module__.startswith("namid."):
        return known
    with torch.no_grad():
        logits = model(x[:1])
    if not isinstance(logits, torch.Tensor) or logits.dim() != 2:
        got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise ValueError(
            f"model: expected logits of shape (N, classes) for a batch of images, got {got}; wrap "
            "the model in a function that picks them out"
        )
    return logits.shape[1]


def native(model):
    """The extension's own object behind a model made by namid.models, else the model itself."""
    return getattr(model, "_native", model)
