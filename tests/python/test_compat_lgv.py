# SPDX-License-Identifier: Apache-2.0
"""torchattacks' LGV: against the library where it is installed, else against what it promises."""

import inspect
import random

import pytest
import torch

from namid.compat import torchattacks


def case_of():
    """A small network, a shuffling loader and images to attack."""
    torch.manual_seed(3)
    hidden = [torch.nn.Flatten(), torch.nn.Linear(48, 16), torch.nn.ReLU(), torch.nn.Dropout(0.1)]
    model = torch.nn.Sequential(*hidden, torch.nn.Linear(16, 4)).eval()
    x = torch.rand(30, 3, 4, 4)
    model[4].bias.data -= model(x).mean(0)  # all classes occur
    data = torch.utils.data.TensorDataset(x, model(x).argmax(1))
    loader = torch.utils.data.DataLoader(data, batch_size=5, shuffle=True)
    return model, loader, x[:6], model(x[:6]).argmax(1)


def attack_of(library, model, loader, name, **options):
    kind = getattr(library, name)
    return library.LGV(model, loader, epochs=2, attack_class=kind, eps=0.1, alpha=0.02, steps=7,
                       verbose=False, **options)  # fmt: skip


@pytest.mark.parametrize("name", ["BIM", "VMIFGSM"])
@pytest.mark.parametrize("n_grad", [1, 3, -1])
@pytest.mark.parametrize("collected", [False, True])
def test_models_and_images_are_the_librarys_under_the_same_seed(name, n_grad, collected):
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    model, loader, x, y = case_of()
    found = []
    for library in (peer, torchattacks):
        torch.manual_seed(2)
        random.seed(5)
        attack = attack_of(library, model, loader, name, n_grad=n_grad)
        if collected:
            attack.collect_models()
        found.append((attack(x, y), [each.state_dict() for each in attack.list_models]))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=0, atol=1e-6)
    for theirs, ours in zip(*(states for _, states in found), strict=True):
        torch.testing.assert_close(list(ours.values()), list(theirs.values()), rtol=0, atol=1e-6)


def test_the_signature_is_the_librarys():
    peer = pytest.importorskip("torchattacks", reason="torchattacks is not installed")
    ours, theirs = (
        [(p.name, getattr(p.default, "__name__", p.default), p.kind)
         for p in inspect.signature(library.LGV).parameters.values()]
        for library in (torchattacks, peer)
    )  # fmt: skip
    assert ours == theirs


def test_the_example_of_torchattacks(tmp_path, capsys):
    model, trainloader, images, labels = case_of()
    before = [p.clone() for p in model.parameters()]
    attack = torchattacks.LGV(model, trainloader, lr=0.05, epochs=3, nb_models_epoch=4, wd=1e-4,
                              n_grad=1, attack_class=torchattacks.BIM, eps=0.2, alpha=0.02,
                              steps=20, verbose=True)  # fmt: skip
    attack.collect_models()
    attack.save_models(tmp_path / "lgv")
    adv_images = attack(images, labels)
    assert len(list((tmp_path / "lgv").glob("lgv_model_000*.pt"))) == 12
    state = torch.load(tmp_path / "lgv" / "lgv_model_00000.pt")["state_dict"]
    again = torchattacks.LGV(model, None, attack_class=torchattacks.FGSM, n_grad=-1)
    model.load_state_dict(state)
    again.load_models([model])
    assert again(images, labels).shape == images.shape and "FGSM" in capsys.readouterr().out
    assert (adv_images - images).abs().max() <= 0.2 + 1e-6
    assert not model.training and all(p.grad is None for p in model.parameters())
    assert any(not torch.equal(p, q) for p, q in zip(before, model.parameters()))
    loss = torch.nn.functional.cross_entropy
    assert loss(model(adv_images), labels) > loss(model(images), labels) + 0.1


def test_every_targeted_mode_and_normalisation_reach_the_attack():
    model, loader, x, y = case_of()
    attack = torchattacks.LGV(model.requires_grad_(False), loader, epochs=1, n_grad=-1,
                              verbose=False, eps=0.9, alpha=0.05, steps=40)  # fmt: skip

    def classes(adv):
        return attack.base_attack.model.eval()(adv).argmax(1)

    attack.set_mode_targeted_by_function(lambda images, labels: (labels + 1) % 4, quiet=True)
    assert (classes(attack(x, y)) == (y + 1) % 4).float().mean() > 0.8
    attack.set_mode_targeted_by_label(quiet=True)
    assert (classes(attack(x, (y + 2) % 4)) == (y + 2) % 4).float().mean() > 0.8
    attack.set_mode_targeted_least_likely(quiet=True)
    least = attack.base_attack.model(x).argmin(1)
    assert (classes(attack(x, y)) == least).float().mean() > 0.8
    attack.set_mode_targeted_random(quiet=True)
    assert (classes(attack(x, y)) != y).float().mean() > 0.8
    attack.set_mode_default()
    plain = attack(x, y)
    assert (classes(plain) != y).all() and all(not p.requires_grad for p in model.parameters())
    attack.set_normalization_used(mean=[0.5] * 3, std=[0.25] * 3)
    undone = torch.nn.Sequential(Rescale(), attack.base_attack.model)
    attack.base_attack.set_model(undone)
    through = attack.inverse_normalize(attack(attack.normalize(x), y))
    torch.testing.assert_close(through, plain, rtol=0, atol=1e-5)


class Rescale(torch.nn.Module):
    """Undoes the normalisation."""

    def forward(self, x):
        return x * 0.25 + 0.5


def test_a_loader_of_one_batch_still_trains():
    model, _, x, y = case_of()
    attack = torchattacks.LGV(model, [(x, y)], epochs=1, verbose=False)
    attack.collect_models()
    first, last = (list(attack.list_models[i].parameters()) for i in (0, -1))
    assert len(attack.list_models) == 4 and not torch.equal(first[0], last[0])


def test_wrong_options_are_named():
    model, loader, *_ = case_of()
    for make, word in (
        (lambda: torchattacks.LGV(model, loader, lr=1), "LGV: lr: expected a non-negative float"),
        (lambda: torchattacks.LGV(model, loader, epochs=-1), "LGV: epochs: expected at least 0"),
        (lambda: torchattacks.LGV(model, loader, nb_models_epoch=0), "LGV: nb_models_epoch"),
        (lambda: torchattacks.LGV(model, loader, n_grad=0), "LGV: n_grad: expected at least 1"),
        (lambda: torchattacks.LGV(model, loader, attack_class=dict), "LGV: attack_class"),
        (lambda: torchattacks.LGV(lambda x: x, loader), "LGV: model: expected a torch.nn.Module"),
        (lambda: torchattacks.LGV(model, loader).load_models(model), "expected a list of models"),
    ):
        with pytest.raises(ValueError, match=word):
            make()
    with pytest.raises(RuntimeError, match="collect_models"):
        torchattacks.LGV(model, loader).save_models("nowhere")
