# SPDX-License-Identifier: Apache-2.0
"""What the three interfaces share."""

import torch


def absent(library, name):
    """A class that exists under its name and says, when it is made, that its attack does not."""

    def refuse(self, *args, **kwargs):
        raise NotImplementedError(
            f"{library}.{name}: namid does not have this attack; namid.attacks.table() lists those "
            "it has"
        )

    return type(name, (), {"__init__": refuse, "__doc__": f"{name}: not in namid.", "absent": True})


def refuse(given, what):
    """For an argument that the other library takes and namid does not."""
    if given:
        raise NotImplementedError(f"{what}: namid does not have this; leave it at its default")


# The radius of a search for the smallest perturbation that no ball is to bound.
UNBOUNDED = 1e6


def fresh_seed():
    """A seed from torch's generator: torch.manual_seed decides, and repeated calls differ."""
    return int(torch.randint(2**62, ()))


def device_of(model, x):
    """Where a model's parameters are; where x is, if it has none."""
    parameters = getattr(model, "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    return x.device if first is None else first.device


def at_least(owner, least, **options):
    """Refuses options below `least`."""
    for name, value in options.items():
        if not value >= least:
            raise ValueError(f"{owner}: {name}: expected at least {least}, got {value}")


def by_sample(values, x):
    """(N) as (N, 1, ...), to go with a batch like x."""
    return values.reshape(-1, *[1] * (x.dim() - 1))


def margin(logits, classes):
    """The classes' own logits less the largest of the others."""
    own = logits.gather(1, classes[:, None])
    return own[:, 0] - logits.scatter(1, classes[:, None], float("-inf")).amax(1)
