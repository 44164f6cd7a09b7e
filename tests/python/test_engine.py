# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from helpers import images

import namid


def small_net(width=16):
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, width, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(width),
        torch.nn.ReLU(),
        torch.nn.Conv2d(width, width, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(width, 10),
    ).eval()


def batch():
    pixels, y = images(n=12)
    return pixels.float() / 255, y


def gradient(model, x, weights):
    leaf = x.clone().requires_grad_()
    logits = model(leaf)
    (found,) = torch.autograd.grad((logits * weights).sum(), leaf)
    return logits.detach(), found


def close(ours, theirs):
    return (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_a_module_is_exported_and_compiled():
    net, (x, y) = small_net(), batch()
    net[1].running_mean.normal_()
    compiled = namid.compile(net, (1, 8, 8))
    assert "winograd 1" in compiled.kernels and compiled.kernels in repr(compiled)
    node = compiled(x.clone().requires_grad_()).grad_fn
    assert node.name() == "NamidInputGradient", "the engine's one node, not the network's own"
    weights = torch.randn(len(x), 10)
    for ours, theirs in zip(gradient(compiled, x, weights), gradient(net, x, weights)):
        assert close(ours, theirs)
    found = namid.attacks.pgd(compiled, x, y, epsilon=0.1, steps=4)
    assert torch.equal(found.success, net(found.adv).argmax(1) != y)


def test_a_built_in_model_is_followed():
    model = namid.models.create("small_cnn", input_shape=(1, 8, 8), width=16).eval()
    compiled, (x, y) = namid.compile(model), batch()
    for parameter in model.parameters():
        parameter.data += 0.1
    model.requires_grad_(False)
    assert close(compiled(x), model(x))
    model.requires_grad_(True)
    compiled.train()
    assert model.training
    loss = namid.defenses.standard(epsilon=0.1, steps=2)(compiled, x, y).loss
    loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_square_ends_by_regions_where_it_ends_by_whole_forwards():
    compiled, (x, y) = namid.compile(small_net(), (1, 8, 8)), batch()
    settings = {"epsilon": 0.1, "queries": 80, "windows": "shared", "seed": 4}
    regions = namid.attacks.square(compiled, x, y, **settings)
    whole = namid.attacks.square(lambda images: compiled(images), x, y, **settings)
    assert torch.equal(regions.adv, whole.adv) and torch.equal(regions.loss, whole.loss)
    assert regions.forwards == whole.forwards


@pytest.mark.parametrize("windows", ["shared", "per_sample"])
def test_shared_windows_are_computed_by_regions(windows):
    """By regions, the weights are those of the start; a whole forward looks at them anew."""
    compiled, (x, _) = namid.compile(small_net(), (1, 8, 8)), batch()
    largest = []

    def loss(x_adv, logits, y):
        largest.append(logits.abs().max().item())
        if len(largest) == 10:
            for parameter in compiled.parameters():
                parameter.data.zero_()
        return -logits.gather(1, y[:, None])[:, 0]

    y = compiled(x).argmax(1)
    namid.attacks.square(compiled, x, y, epsilon=1e-4, queries=30, windows=windows, loss=loss)
    assert (largest[-1] > 0) == (windows == "shared")


def test_what_cannot_be_compiled_is_said():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.Sigmoid())
    with pytest.warns(UserWarning, match="sigmoid"):
        same = namid.compile(net, (1, 8, 8))
    x, _ = batch()
    assert close(same(x), net(x).detach())
    with pytest.raises(ValueError, match="input_shape"):
        namid.compile(net)
    with pytest.raises(ValueError, match="got function"):
        namid.compile(lambda x: x)
