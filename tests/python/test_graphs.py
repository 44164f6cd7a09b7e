# SPDX-License-Identifier: Apache-2.0
"""namid.graphed without a GPU: what it does around the captures, on graphs that are recorded."""

import importlib.util
import inspect
import pathlib
import tempfile

import pytest
import recorded_graphs
import torch
from helpers import images, linear_model

import namid
import namid.export

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "gpu_check.py"
SHAPE = (1, 8, 8)


@pytest.fixture
def captured(monkeypatch):
    return recorded_graphs.install(monkeypatch)


def net():
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(inplace=True),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 10),
    )


def frozen(model):
    return model.eval().requires_grad_(False)


def built_in():
    return namid.models.create("small_cnn", input_shape=SHAPE, width=4, mean=[0.4], std=[0.3])


def batch(rows=12):
    pixels, y = images(n=rows)
    return pixels.float() / 255, y


def leaves(*sizes):
    return [part.clone().requires_grad_() for part in batch(sum(sizes))[0].split(sizes)]


def close(ours, theirs):
    return torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def gradient(logits, leaf, **keywords):
    return torch.autograd.grad((logits * logits).sum(), leaf, **keywords)[0]


def program():
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "net.pt2"
        namid.export.export(net().eval(), file, SHAPE)
        return namid.models.load(file)


@pytest.mark.parametrize("make", [net, built_in, program])
def test_logits_and_gradients_of_any_batch_are_the_models(captured, make):
    model = make() if make is program else frozen(make())  # whose flags Python does not see
    graphs = namid.graphed(model, 12, SHAPE)
    assert graphs.num_classes == 10 and graphs.input_shape == SHAPE and not captured
    for leaf in leaves(12, 1, 7, 5, 13, 40):
        ours, theirs = graphs(leaf), model(leaf)
        assert ours.shape == theirs.shape and close(ours, theirs)
        assert close(gradient(ours, leaf), gradient(theirs, leaf))


def test_a_graph_is_captured_when_its_size_is_first_needed(captured):
    graphs = namid.graphed(frozen(net()), 12, SHAPE)
    for rows, pairs in ((12, 1), (7, 1), (6, 2), (4, 2), (30, 2), (3, 3), (1, 4), (2, 5), (12, 5)):
        graphs(batch(rows)[0])
        assert len(captured) == 2 * pairs, rows
    assert len({id(graph.pool) for graph in captured}) == 1


def test_nothing_that_was_returned_is_overwritten(captured):
    model = frozen(net())
    graphs = namid.graphed(model, 8, SHAPE)
    inputs = leaves(8, 8, 3, 20, 5)
    found = [graphs(leaf) for leaf in inputs]
    wanted = [model(leaf) for leaf in inputs]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [1, 1, 4, 4]):
        for i in order:
            ours = gradient(found[i], inputs[i], retain_graph=True)
            assert close(ours, gradient(wanted[i], inputs[i], retain_graph=True))
    assert all(close(ours, theirs) for ours, theirs in zip(found, wanted))
    (found[0] * found[0]).sum().backward()
    (found[1] * found[1]).sum().backward()
    for leaf, logits in zip(inputs[:2], wanted):
        assert close(leaf.grad, gradient(logits, leaf))


def test_several_gradients_of_one_forward_take_one_replay_of_it(captured):
    model = frozen(net())
    graphs, (leaf,) = namid.graphed(model, 8, SHAPE), leaves(8)
    ours, theirs = graphs(leaf), model(leaf)
    captured[0].replay = None  # the forward
    for column in range(3):
        pair = [torch.autograd.grad(each[:, column].sum(), leaf, retain_graph=True)[0]
                for each in (ours, theirs)]  # fmt: skip
        assert close(*pair)


def test_the_second_derivative_is_refused(captured):
    (leaf,) = leaves(4)
    graphs = namid.graphed(frozen(net()), 4, SHAPE)
    first = gradient(graphs(leaf), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_every_attack_takes_graphs_and_finds_what_it_finds_on_the_model(captured):
    model, (x, y) = frozen(linear_model(classes=10, size=64)), batch(6)
    y = model(x).argmax(1)
    graphs = namid.graphed(model, 6, SHAPE)
    small = {"steps": 3, "queries": 20, "searches": 1, "draws": 4}
    for attack in namid.attacks.table():
        function = getattr(namid.attacks, attack.name.replace("-", "_"))
        known = inspect.signature(function).parameters
        keywords = {key: value for key, value in small.items() if key in known}
        keywords.update(norm=attack.norms[0], epsilon=0.1)
        ours, theirs = (function(each, x, y, **keywords) for each in (graphs, model))
        assert torch.equal(ours.success, model(ours.adv).argmax(1) != y), attack.name
        assert torch.equal(ours.success, theirs.success), attack.name


def test_pgd_through_graphs_is_pgd_bit_for_bit(captured):
    model, (x, y) = frozen(built_in()), batch()
    graphs = namid.graphed(model, len(x))
    ours, theirs = (namid.attacks.pgd(m, x, y, epsilon=0.1, steps=4) for m in (graphs, model))
    assert torch.equal(ours.adv, theirs.adv) and len(captured) == 2
    found = namid.attacks.pgd(model, x, y, epsilon=0.1, steps=4, surrogate=graphs)
    assert torch.equal(found.adv, theirs.adv)


def test_weights_are_followed_where_they_are_and_where_they_go(captured):
    x, _ = batch(4)
    for model in (frozen(net()), frozen(built_in())):
        graphs = namid.graphed(model, 4, SHAPE)
        graphs(x)
        count = len(captured)
        with torch.no_grad():
            for tensor in model.parameters():
                tensor += 0.1
        assert close(graphs(x), model(x)) and len(captured) == count
        for tensor in model.parameters():
            tensor.data = tensor.data * 1.5
        assert close(graphs(x), model(x)) and len(captured) == count + 2


class Joined(torch.nn.Linear):
    """Rows that know the brightest pixel of the batch, in the type of the images: shows padding."""

    def forward(self, x):
        return super().forward(x.flatten(1).to(self.weight.dtype)).to(x.dtype) + x.amax()


def test_padding_is_of_the_batch_itself_and_gets_no_gradient(captured):
    model = frozen(Joined(64, 10))
    graphs = namid.graphed(model, 6, SHAPE)
    dark = batch(4)[0] * 0.5
    dark[0, 0, 0, 0] = 0.6  # the only brightest one
    for x in (batch(6)[0], dark, dark.double()):
        leaf = x.requires_grad_()
        ours, theirs = graphs(leaf), model(leaf)
        assert ours.dtype == leaf.dtype and close(ours, theirs)
        assert close(gradient(ours, leaf), gradient(theirs, leaf))
    assert len(captured) == 4


def test_float64_is_taken_as_the_model_takes_it(captured):
    model, (x, y) = frozen(net()).double(), batch(4)
    graphs = namid.graphed(model, 4, SHAPE)
    assert torch.equal(graphs(x.double()), model(x.double()))
    for model, graphs in ((model, graphs), (built_in(), namid.graphed(frozen(built_in()), 4))):
        pair = [namid.attacks.pgd(each, x.double(), y, steps=2) for each in (graphs, model)]
        assert torch.equal(pair[0].adv, pair[1].adv) and pair[0].adv.dtype == torch.float64


def test_graphs_serve_in_every_grad_mode(captured):
    model, (x, _) = frozen(net()), batch(5)
    for scope in (torch.no_grad, torch.inference_mode):
        with scope():
            graphs = namid.graphed(model, 4, SHAPE)
            assert close(graphs(x), model(x)) and not graphs(x).requires_grad
        (leaf,) = leaves(3)
        assert close(gradient(graphs(leaf), leaf), gradient(model(leaf), leaf))
    assert graphs(x[:0]).shape == (0, 10)
    count = len(captured)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(graphs(x), model(x)) and graphs(x).dtype == torch.bfloat16
    assert len(captured) == count


@pytest.mark.parametrize(
    ("make", "batch_size", "shape", "words"),
    [
        (lambda: frozen(net()), 8, None, "input_shape: a torch.nn.Module"),
        (lambda: frozen(net()), 8, (3, 8, 8), "input_shape: the model takes no images"),
        (lambda: frozen(built_in()), 8, (3, 8, 8), r"input_shape: expected .*\(1, 8, 8\)"),
        (lambda: net().requires_grad_(False), 8, SHAPE, r"train mode; model\.eval\(\)"),
        (lambda: net().eval(), 8, SHAPE, r"model\.requires_grad_\(False\)"),
        (lambda: built_in().eval(), 8, SHAPE, r"model\.requires_grad_\(False\)"),
        (lambda: torch.nn.Flatten().eval(), 8, SHAPE, "got no tensors"),
        (lambda: frozen(net()[:1].append(net()[5].to("meta"))), 8, SHAPE, "device, got cpu, meta"),
        (lambda: frozen(net()[:3]), 8, SHAPE, "model: expected logits"),
        (lambda: frozen(net()), 0, SHAPE, "batch: expected .* >= 1, got 0"),
        (lambda: frozen(net()), 8.0, SHAPE, "batch: expected .* got 8.0"),
        (lambda: lambda x: x, 8, SHAPE, "model: expected .* got function"),
    ],
)
def test_what_cannot_be_graphed_is_said(captured, make, batch_size, shape, words):
    with pytest.raises(ValueError, match=words):
        namid.graphed(make(), batch_size, shape)


def test_a_model_on_the_cpu_is_refused():
    for model in (frozen(net()), frozen(built_in())):
        with pytest.raises(ValueError, match=r"CUDA device, got cpu; model\.to\('cuda'\)"):
            namid.graphed(model, 8, SHAPE)


def test_images_that_do_not_fit_and_a_model_that_no_longer_does_are_refused(captured):
    model, (x, _) = net(), batch(4)
    graphs = namid.graphed(frozen(model), 4, SHAPE)
    for wrong, words in (
        (x[:, :, :4], r"\(N, 1, 8, 8\) on cpu, got \(4, 1, 4, 8\)"),
        (x[0], r"got \(1, 8, 8\)"),
        (x.to("meta"), "on meta"),
        (x.byte(), "got torch.uint8"),
        (x.numpy(), "got ndarray"),
    ):
        with pytest.raises(ValueError, match=words):
            graphs(wrong)
    model[1].train()
    with pytest.raises(ValueError, match="train mode"):
        graphs(x)
    model.eval()[0].weight.requires_grad_(True)
    with pytest.raises(ValueError, match="parameters that require"):
        graphs(x)


class Peeking(torch.nn.Module):
    """Reads a value, which a graph cannot."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(x.flatten(1)) * max(1.0, x.detach().max().item())


class Cut(Peeking):
    def forward(self, x):
        return self.linear(x.flatten(1)).detach()


def test_a_model_that_no_graph_can_hold_is_named_at_its_capture(captured):
    x, _ = batch(4)
    with pytest.raises(RuntimeError, match="attack the model itself: operation not permitted"):
        namid.graphed(frozen(Peeking()), 4, SHAPE)(x)
    with pytest.raises(ValueError, match="no gradient by the images"):
        namid.graphed(frozen(Cut()), 4, SHAPE)(x)


def gpu_check():
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_gpu_check_compares_graphs_with_the_model(captured):
    rows = list(gpu_check().graph_rows("cpu", "small_cnn"))
    assert len(rows) == 3 and all(same for _, _, same in rows), rows
    assert "batch 16" in rows[0][0] and "cosine 1.0000" in rows[0][1]


def test_the_gpu_check_says_that_the_cpu_has_no_graphs(monkeypatch, capsys):
    module = gpu_check()
    monkeypatch.setattr(module, "rows", lambda device, quick: [])
    monkeypatch.setattr("sys.argv", ["gpu_check.py", "--device", "cpu", "--quick"])
    assert module.main() == 0
    assert "CUDA graphs: left out, the CPU has none" in capsys.readouterr().out
