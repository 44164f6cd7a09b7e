# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: noise of a given size, and noise that grows."""

import torch

from namid.compat.foolbox.distances import l2, linf
from namid.compat.foolbox.plain import (
    FixedEpsilon,
    OfAnyDistance,
    Smallest,
    by_sample,
    channel_axis_of,
)


def _gaussian(x):
    return torch.randn(x.shape, dtype=x.dtype, device=x.device)


def _uniform(x):
    return torch.rand(x.shape, dtype=x.dtype, device=x.device) * 2 - 1


def _l2_size(noise, x, epsilon, judge):
    return by_sample(epsilon / noise.flatten(1).norm(dim=1), x)


def _linf_size(noise, x, epsilon, judge):
    """By the largest entry, not the largest |entry|, as the library has it; the ball clips."""
    return by_sample(epsilon / noise.flatten(1).amax(1), x)


def clipping_aware_size(noise, x, epsilon, judge):
    """eta with ||clip(x + eta noise) - x||_2 = epsilon, or the largest that moves anything. Entry i
    reaches its bound, of distance r_i, at eta = r_i / |noise_i|; between two such values the squared
    norm is a constant plus eta^2 times the squares of the entries still free (rauber2020)."""
    size = noise.flatten(1).abs().double()
    room = torch.where(noise >= 0, judge.high - x, x - judge.low).flatten(1).double()
    reached, order = (room / size.clamp(min=1e-30)).square().sort(1)
    free = size.square().gather(1, order)
    stuck = room.square().gather(1, order).cumsum(1)  # squared norm of those up to this one
    rest = free.sum(1, keepdim=True) - free.cumsum(1)
    norms = stuck + reached * rest  # squared, at each breakpoint
    target = float(epsilon) ** 2
    enough = norms >= target
    index = torch.where(enough.any(1), enough.int().argmax(1), norms.shape[1] - 1)[:, None]
    at, before = norms.gather(1, index), rest.gather(1, index) + free.gather(1, index)
    eta2 = reached.gather(1, index) - (at - target).clamp(min=0) / before.clamp(min=1e-30)
    eta2 = torch.where(enough.any(1, keepdim=True), eta2, reached[:, -1:])
    return by_sample(eta2.clamp(min=0).sqrt().to(x.dtype), x)


class _Noise(FixedEpsilon):
    def perturb(self, judge, x, epsilon):
        noise = self.sample(x)
        return judge.clip(x + self.size(noise, x, epsilon, judge) * noise)


class _RepeatedNoise(FixedEpsilon):
    """The first of `repeats` draws that is adversarial; else the image itself."""

    def __init__(self, *, repeats=100, check_trivial=True):
        self.repeats, self.check_trivial = repeats, check_trivial

    def perturb(self, judge, x, epsilon):
        result = x.clone()
        found = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        if self.check_trivial:
            found = judge.adversarial(x)
        for _ in range(self.repeats):
            if bool(found.all()):
                break
            noise = self.sample(x)
            drawn = judge.clip(x + self.size(noise, x, epsilon, judge) * noise)
            done = judge.adversarial(drawn)
            result = torch.where(by_sample(done & ~found, x), drawn, result)
            found = found | done
        return result


_SAMPLES = {"Gaussian": _gaussian, "Uniform": _uniform}
_SIZES = {"L2": _l2_size, "L2ClippingAware": clipping_aware_size, "Linf": _linf_size}
__all__ = ["LinearSearchBlendedUniformNoiseAttack", "SaltAndPepperNoiseAttack"]
for _size in _SIZES:
    for _sample in _SAMPLES if _size != "Linf" else ("Uniform",):
        for _base, _times in ((_Noise, ""), (_RepeatedNoise, "Repeated")):
            _name = f"{_size}{_times}Additive{_sample}NoiseAttack"
            globals()[_name] = type(
                _name,
                (_base,),
                {
                    "sample": staticmethod(_SAMPLES[_sample]),
                    "size": staticmethod(_SIZES[_size]),
                    "distance": linf if _size == "Linf" else l2,
                    "__module__": __name__,
                },
            )
            __all__.append(_name)


class SaltAndPepperNoiseAttack(Smallest):
    """A growing share p of pixels becomes the lowest or the highest value; where that succeeds
    nearer to the image than before, p falls back to half and the search goes on."""

    def __init__(self, steps=1000, across_channels=True, channel_axis=None):
        self.steps, self.across_channels = steps, across_channels
        self.channel_axis = channel_axis

    def search(self, judge, x):
        shape = list(x.shape)
        if self.across_channels and x.dim() > 2:
            shape[channel_axis_of(self.channel_axis, x, type(self).__name__)] = 1
        width = judge.high - judge.low
        count = len(x)
        result, wrong = x.clone(), judge.adversarial(x)
        nearest = torch.where(wrong, 0.0, float("inf")).to(x)
        low, high = x.new_zeros(count), x.new_ones(count)
        step = high / self.steps
        p = step
        for done in range(self.steps):
            draw = torch.rand(shape, dtype=x.dtype, device=x.device)
            half = by_sample(p / 2, x)
            noisy = judge.clip(x + width * ((draw >= 1 - half).to(x) - (draw < half).to(x)))
            size = l2(x, noisy)
            better = judge.adversarial(noisy) & (size < nearest)
            result = torch.where(by_sample(better, x), noisy, result)
            nearest = torch.where(better, size, nearest)
            low = torch.where(better, p / 2, low)
            high = torch.where(better, (p * 1.2).clamp(max=1), high)
            step = torch.where(better, (high - low) / (self.steps - done), step)
            p = torch.minimum(torch.where(better | (p == high), low, p) + step, high)
        return result


class LinearSearchBlendedUniformNoiseAttack(OfAnyDistance):
    """The first of steps + 1 blends of the image with noise that is adversarial by itself."""

    def __init__(self, *, distance=None, directions=1000, steps=1000):
        super().__init__(distance=distance)
        if directions <= 0:
            raise ValueError("directions must be larger than 0")
        self.directions, self.steps = directions, steps

    def search(self, judge, x):
        noise, wrong = None, None
        for _ in range(self.directions):
            drawn = torch.rand(x.shape, dtype=x.dtype, device=x.device)
            drawn = drawn * (judge.high - judge.low) + judge.low
            hit = judge.adversarial(drawn)
            noise = drawn if noise is None else torch.where(by_sample(wrong, x), noise, drawn)
            wrong = hit if wrong is None else wrong | hit
            if bool(wrong.all()):
                break
        share = x.new_ones(len(x))
        for epsilon in torch.linspace(0, 1, self.steps + 1).tolist():
            hit = judge.adversarial((1 - epsilon) * x + epsilon * noise)
            share = torch.minimum(torch.where(hit, epsilon, 1.0).to(x), share)
            if bool((share < 1).all()):
                break
        share = by_sample(share, x)
        return judge.clip((1 - share) * x + share * noise)
