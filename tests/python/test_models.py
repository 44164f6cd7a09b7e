# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest
import torch
from helpers import batch

import namid


@pytest.mark.parametrize("row", namid.models.table(), ids=lambda row: row["name"])
def test_every_built_in_network_can_be_made_and_called(row):
    name = row["name"].replace("D-W", "10-1")
    layers = {"layers": '[[layer]]\ntype="flatten"\n[[layer]]\ntype="linear"\n'}
    keywords = layers if name == "sequential" else {}
    if "net" in name or "vgg" in name or "cnn" in name:
        keywords["width"] = 4
    model = namid.models.create(name, num_classes=5, seed=1, **keywords).eval()
    logits = model(torch.rand(2, 3, 32, 32))
    assert logits.shape == (2, 5) and torch.isfinite(logits).all()
    assert sum(p.numel() for p in model.parameters()) > 0


def test_equal_seeds_give_equal_weights_and_leave_torch_alone():
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, two = (namid.models.create("small_cnn", seed=3) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.weights_sha256() == two.weights_sha256()
    assert one.weights_sha256() != namid.models.create("small_cnn", seed=4).weights_sha256()


def test_parameters_are_shared_with_torch_so_that_its_optimiser_trains_them():
    model = namid.models.create("mlp", 3, input_shape=(3, 2, 2), width=16)
    x, _ = batch(32)
    y = x.flatten(1)[:, :3].argmax(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_gradients_with_respect_to_images_equal_finite_differences():
    model = namid.models.create("mlp", 3, input_shape=(3, 2, 2), width=8).eval()
    x = batch(1)[0].requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[0, 0], x)
    step = torch.zeros_like(x)
    step[0, 1, 0, 1] = 1e-2
    with torch.no_grad():
        difference = (model(x + step) - model(x - step))[0, 0] / 2e-2
    torch.testing.assert_close(gradient[0, 1, 0, 1], difference, rtol=1e-2, atol=1e-4)


def test_state_dict_has_the_names_of_parameters_and_buffers_and_goes_back():
    model = namid.models.create("small_cnn", seed=0, width=4)
    state = model.state_dict()
    names = {name for name, _ in model.named_parameters()} | {
        name for name, _ in model.named_buffers()
    }
    assert set(state) == names and any("running_mean" in name for name in names)
    other = namid.models.create("small_cnn", seed=1, width=4)
    other.load_state_dict(state)
    assert other.weights_sha256() == model.weights_sha256()
    first = next(iter(state))
    with torch.no_grad():
        state[first].zero_()
    assert torch.equal(dict(model.named_parameters())[first], torch.zeros_like(state[first]))


def test_a_state_that_does_not_fit_names_the_entry_and_copies_nothing():
    model = namid.models.create("small_cnn", seed=0, width=4)
    before = model.weights_sha256()
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    dropped = list(state)[-1]
    del state[dropped]
    with pytest.raises(RuntimeError, match=dropped.replace(".", "[.]")):
        model.load_state_dict(state)
    assert model.weights_sha256() == before


def test_train_and_eval_switch_batch_norm():
    model = namid.models.create("small_cnn", seed=0, width=4)
    x = torch.rand(4, 3, 32, 32)
    assert model.training
    buffers = dict(model.named_buffers())
    before = {name: tensor.clone() for name, tensor in buffers.items()}
    model.eval()(x)
    assert all(torch.equal(buffers[name], before[name]) for name in buffers)
    model.train()(x)
    assert not all(torch.equal(buffers[name], before[name]) for name in buffers)


def test_an_attack_leaves_modes_flags_and_gradients_of_a_built_in_network():
    model = namid.models.create("small_cnn", 3, input_shape=(3, 8, 8), width=4).train()
    frozen = next(model.parameters()).requires_grad_(False)
    x, y = batch(4, shape=(3, 8, 8))
    namid.attacks.pgd(model, x, y, steps=2)
    with pytest.raises(ValueError):
        namid.attacks.pgd(model, x, y, steps=0)
    assert model.training
    flags = [p.requires_grad for p in model.parameters()]
    assert not frozen.requires_grad and sum(flags) == len(flags) - 1
    assert all(p.grad is None for p in model.parameters())


def test_save_and_load_and_clone_give_the_same_logits(tmp_path):
    model = namid.models.create(
        "preactresnet18", 4, width=4, mean=[0.5] * 3, std=[0.25] * 3, seed=2
    ).eval()
    x = torch.rand(2, 3, 32, 32)
    model.save(tmp_path / "model.safetensors")
    for other in (
        namid.models.load(tmp_path),
        namid.models.load(tmp_path / "model.safetensors"),
        model.clone(),
    ):
        assert torch.equal(other(x), model(x)) and other.mean == (0.5,) * 3
    with torch.no_grad():
        next(other.parameters()).zero_()
    assert not torch.equal(other(x), model(x))


def test_internal_layers_are_there_where_the_network_has_them():
    model = namid.models.create("resnet18-cifar", width=4).eval()
    assert model.has_layer("internal") and model(torch.rand(1, 3, 32, 32), "internal").dim() == 4
    with pytest.raises(ValueError, match="layer"):
        namid.models.create("mlp")(torch.rand(1, 3, 32, 32), "internal")


def test_unknown_names_and_options_say_which_was_meant():
    with pytest.raises(ValueError, match="did you mean 'resnet18'"):
        namid.models.create("resnet81")
    with pytest.raises(ValueError, match="did you mean 'width'"):
        namid.models.create("resnet18", widht=3)
    assert inspect.signature(namid.models.create).parameters["num_classes"].default == 10
