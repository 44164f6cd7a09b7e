# SPDX-License-Identifier: Apache-2.0
"""foolbox's interface: steps along gradients that namid's PGD does not take. Draws come from torch's
generator in the library's order."""

import torch
from torch.nn import functional

from namid.compat.foolbox.distances import l1, l2, linf
from namid.compat.foolbox.plain import FixedEpsilon, by_sample

_DISTANCES = {"L1": l1, "L2": l2, "Linf": linf}
_ORDERS = {"L1": 1, "L2": 2}


def _unit(tensor, norm):
    """The sign for L-infinity, else the tensor divided by each sample's norm; 0 stays 0."""
    if norm == "Linf":
        return tensor.sign()
    size = tensor.flatten(1).norm(_ORDERS[norm], dim=1).clamp(min=1e-12)
    return tensor / by_sample(size, tensor)


def onto_l1_ball(delta, radius):
    """The nearest point of each row's L1 ball: |entries| less one threshold, those below it 0."""
    size = delta.flatten(1).abs()
    falling = size.sort(1, descending=True).values
    count = torch.arange(1, size.shape[1] + 1, device=delta.device)
    over = (falling.cumsum(1) - radius[:, None]) / count
    last = (falling > over).sum(1, keepdim=True).clamp(min=1) - 1
    threshold = over.gather(1, last).clamp(min=0)
    return delta.sign() * (size - threshold).clamp(min=0).reshape(delta.shape)


class Descent(FixedEpsilon):
    """Steps of the `stepper`'s choice along `direction(gradient)`, in the ball, then in the bounds."""

    norm = "Linf"

    def __init__(self, *, rel_stepsize, abs_stepsize, steps, random_start):
        self.rel_stepsize, self.abs_stepsize = rel_stepsize, abs_stepsize
        self.steps, self.random_start = steps, random_start

    @property
    def distance(self):
        return _DISTANCES[self.norm]

    def direction(self, gradient, at, judge):
        return _unit(gradient, self.norm)

    def project(self, adv, x, epsilon):
        return self.distance.clip_perturbation(x, adv, epsilon)

    def perturb(self, judge, x, epsilon):
        length = self.rel_stepsize * epsilon if self.abs_stepsize is None else self.abs_stepsize
        stepper = self.stepper(x, length)
        adv = judge.clip(x + epsilon * self._start(x)) if self.random_start else x
        sign = -1.0 if judge.targeted else 1.0
        for _ in range(self.steps):
            at = adv.detach().requires_grad_(True)
            with torch.enable_grad():
                cost = functional.cross_entropy(
                    judge.model.logits(at), judge.classes, reduction="sum"
                )
            gradient = torch.autograd.grad(cost, at)[0]
            adv = adv + sign * stepper(self.direction(gradient, at.detach(), judge))
            adv = judge.clip(self.project(adv, x, epsilon))
        return adv.clone() if adv is x else adv

    def stepper(self, x, length):
        return lambda direction: length * direction

    def _start(self, x):
        """Uniform in the unit ball, drawn as in the library: L1 by sorted spacings, L2 as the first
        entries of a point on a sphere of two more dimensions."""
        count, size = x.flatten(1).shape
        options = {"dtype": x.dtype, "device": x.device}
        if self.norm == "Linf":
            return torch.rand(x.shape, **options) * 2 - 1
        if self.norm == "L2":
            point = torch.randn(count, size + 2, **options)
            return (point / point.norm(dim=1, keepdim=True))[:, :size].reshape(x.shape)
        sorted_ = torch.rand(count, size, **options).sort(1).values
        spacings = sorted_.diff(dim=1, prepend=sorted_.new_zeros(count, 1))
        return ((torch.rand(count, size, **options) * 2 - 1).sign() * spacings).reshape(x.shape)


class SparseL1DescentAttack(Descent):
    """Sign steps on the entries whose |gradient| is in the top share 1 - quantile, among those that the
    bounds let move (tramer2019adversarial)."""

    norm = "L1"

    def __init__(self, *, quantile=0.99, rel_stepsize=0.2, abs_stepsize=None, steps=10,
                 random_start=False):  # fmt: skip
        if not 0 <= quantile <= 1:
            raise ValueError(f"quantile needs to be between 0 and 1, got {quantile}")
        super().__init__(rel_stepsize=rel_stepsize, abs_stepsize=abs_stepsize, steps=steps,
                         random_start=random_start)  # fmt: skip
        self.quantile = quantile

    def direction(self, gradient, at, judge):
        way = -gradient if judge.targeted else gradient
        fixed = ((at == judge.low) & (way < 0)) | ((at == judge.high) & (way > 0))
        gradient = gradient.masked_fill(fixed, 0)
        size = gradient.abs()
        least = by_sample(size.flatten(1).quantile(self.quantile, dim=1), size)
        return _unit(torch.where(size >= least, gradient.sign(), 0), "L1")

    def project(self, adv, x, epsilon):
        return x + onto_l1_ball(adv - x, x.new_full((len(x),), epsilon))


class _Momentum(Descent):
    """Directions (signs for L-infinity, else gradients of norm 1) are summed, and the sum is made a
    direction again."""

    def __init__(self, *, momentum=1.0, rel_stepsize=0.2, abs_stepsize=None, steps=10,
                 random_start=False):  # fmt: skip
        super().__init__(rel_stepsize=rel_stepsize, abs_stepsize=abs_stepsize, steps=steps,
                         random_start=random_start)  # fmt: skip
        self.momentum = momentum

    def stepper(self, x, length):
        total = torch.zeros_like(x)

        def step(direction):
            nonlocal total
            total = self.momentum * total + direction
            return length * _unit(total, self.norm)

        return step


class _Adam(Descent):
    def stepper(self, x, length):
        mean, square, count = torch.zeros_like(x), torch.zeros_like(x), 0
        beta1, beta2 = self.adam_beta1, self.adam_beta2

        def step(direction):
            nonlocal mean, square, count
            count += 1
            mean = beta1 * mean + (1 - beta1) * direction
            square = beta2 * square + (1 - beta2) * direction**2
            unbiased = mean / (1 - beta1**count)
            return length * unbiased / ((square / (1 - beta2**count)).sqrt() + self.adam_epsilon)

        return step


def _adam(name, norm, rel_stepsize, steps, random_start):
    def make(
        self,
        *,
        rel_stepsize=rel_stepsize,
        abs_stepsize=None,
        steps=steps,
        random_start=random_start,
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
    ):
        Descent.__init__(self, rel_stepsize=rel_stepsize, abs_stepsize=abs_stepsize, steps=steps,
                         random_start=random_start)  # fmt: skip
        self.adam_beta1, self.adam_beta2 = adam_beta1, adam_beta2
        self.adam_epsilon = adam_epsilon

    return type(name, (_Adam,), {"__init__": make, "norm": norm, "__module__": __name__})


class VirtualAdversarialAttack(FixedEpsilon):
    """The direction in which KL(h(x) || h(x + d)) grows fastest, by `steps` power iterations on its
    gradient at distance xi."""

    takes_targets = False

    def __init__(self, steps, xi=1e-6):
        self.steps, self.xi = steps, xi

    def perturb(self, judge, x, epsilon):
        clean = judge.logits(x).log_softmax(1)
        way = torch.randn(x.shape, dtype=x.dtype, device=x.device)
        for _ in range(self.steps):
            at = (self.xi * _unit_or_fail(way)).requires_grad_(True)
            with torch.enable_grad():
                moved = judge.model.logits(x + at).log_softmax(1)
                cost = functional.kl_div(moved, clean, log_target=True, reduction="sum")
            way = (judge.high - judge.low) * torch.autograd.grad(cost, at)[0]
        return judge.clip(x + epsilon * _unit_or_fail(way))


def _unit_or_fail(way):
    size = way.flatten(1).norm(dim=1)
    if bool((size < 1e-38).any()):
        raise RuntimeError("VirtualAdversarialAttack: the gradient vanished; is xi too small?")
    return way / by_sample(size, way)


__all__ = ["SparseL1DescentAttack", "VirtualAdversarialAttack"]
for _norm in _DISTANCES:
    _name = _norm + "MomentumIterativeFastGradientMethod"
    globals()[_name] = type(_name, (_Momentum,), {"norm": _norm, "__module__": __name__})
    __all__.append(_name)
    for _kind, _rel, _steps, _random in (
        ("AdamProjectedGradientDescentAttack", 0.025, 50, True),
        ("AdamBasicIterativeAttack", 0.2, 10, False),
    ):
        globals()[_norm + _kind] = _adam(_norm + _kind, _norm, _rel, _steps, _random)
        __all__.append(_norm + _kind)
