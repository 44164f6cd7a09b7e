# SPDX-License-Identifier: Apache-2.0
"""python -m namid.export, and what the command line does with its files."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import namid
import namid.export
import pytest
import torch
from torch import nn

PROGRAM = os.environ["NAMID_PROGRAM"]
ON_FASHION = ["--test-limit", "20", "--quiet", "--json", "--threads", "1"]


class Small(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv, self.bn, self.linear = nn.Conv2d(1, width, 5, 4), nn.BatchNorm2d(width), nn.Linear(36 * width, 10)

    def forward(self, x):
        return self.linear(torch.relu(self.bn(self.conv(x))).flatten(1))


class Batchy(nn.Module):
    """Not a function of one image: an image's logits depend on its neighbours."""

    def forward(self, x):
        return (x - x.mean(0)).flatten(1)[:, :10] if x.shape[0] > 2 else x.flatten(1)[:, :10]


class Drifting(Small):
    """Gives other logits each time it is called."""

    calls = 0

    def forward(self, x):
        Drifting.calls += 1
        return super().forward(x) + Drifting.calls


def small(seed=0):
    torch.manual_seed(seed)
    model = Small()
    nn.init.normal_(model.bn.running_mean, std=0.1)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def exported(folder):
    """(model in train mode, its file)"""
    model = small()
    namid.export.export(model, folder / "small.pt2", (1, 28, 28))
    return model, folder / "small.pt2"


def run(*words, cwd=None):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, cwd=cwd)


def test_export_leaves_the_model_as_it_was_and_notes_what_was_compared(exported):
    model, file = exported
    assert model.training and model.bn.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    with zipfile.ZipFile(file) as archive:
        note = json.loads(archive.read("small/extra/namid.json"))
        assert archive.getinfo("small/data/sample_inputs/model.pt").file_size == 0  # no pickle
    assert [row["batch"] for row in note["compared"]] == [1, 3, 8]
    assert all(row["logits"] <= 1e-5 and row["gradient"] <= 1e-5 for row in note["compared"])
    assert note["classes"] == 10 and note["input"] == [1, 28, 28]


def test_pgd_on_the_program_and_on_the_model_are_equal(exported):
    model, file = exported
    program = namid.export.load(file)
    assert (program.name, program.num_classes, program.input_shape) == ("small", 10, [1, 28, 28])
    x, y = torch.rand(8, 1, 28, 28), torch.arange(8)
    ours = namid.attacks.pgd(program, x, y, epsilon=0.2, steps=10, seed=3)
    theirs = namid.attacks.pgd(model, x, y, epsilon=0.2, steps=10, seed=3)
    assert torch.equal(ours.adv, theirs.adv) and torch.equal(ours.success, theirs.success)


def test_programs_can_be_loaded_by_torch_again(exported):
    model, file = exported
    x = torch.rand(5, 1, 28, 28)
    again = torch.export.load(file).module()
    assert torch.equal(again(x), model.eval()(x))
    model.train()


def test_normalisation_goes_inside(folder):
    model = small().eval()
    namid.export.export(model, folder / "normalised.pt2", (1, 28, 28), mean=[0.3], std=[0.5])
    x = torch.rand(3, 1, 28, 28)
    assert torch.allclose(namid.export.load(folder / "normalised.pt2")(x), model((x - 0.3) / 0.5), atol=1e-6)


@pytest.mark.parametrize("model", [Drifting(), Batchy()])
def test_a_model_that_is_no_function_of_its_images_is_not_written(folder, model):
    with pytest.raises(RuntimeError):
        namid.export.export(model, folder / "never.pt2", (1, 28, 28))
    assert not (folder / "never.pt2").exists() and not list(folder.glob(".never*"))


@pytest.mark.parametrize("wrong", [dict(path="net.zip"), dict(model=lambda x: x), dict(mean=[0.1])])
def test_wrong_arguments_are_value_errors(folder, wrong):
    arguments = dict(model=small(), path="net.pt2", input_shape=(1, 28, 28)) | wrong
    with pytest.raises(ValueError):
        namid.export.export(**arguments)


def test_the_command_line_takes_modules_files_and_weights(folder, capsys, monkeypatch):
    (folder / "my_nets.py").write_text(pathlib.Path(__file__).read_text())
    model = small(1)
    torch.save({"epoch": 3, "state_dict": {"module." + k: v for k, v in model.state_dict().items()}}, folder / "w.pth")
    words = [f"{folder}/my_nets.py:Small", "--input", "1,28,28", "-o", f"{folder}/line.pt2"]
    assert namid.export.main([*words, "--weights", f"{folder}/w.pth"]) == 0
    assert "largest difference" in capsys.readouterr().out
    x = torch.rand(2, 1, 28, 28)
    assert torch.equal(namid.export.load(folder / "line.pt2")(x), model.eval()(x))
    assert namid.export.main([*words, "--weights", f"{folder}/w.pth", "--kwargs", '{"width": 5}']) == 3
    assert "size mismatch" in capsys.readouterr().err
    assert namid.export.main([*words, "--weights", f"{folder}/w.pth", "--key", "ema"]) == 3
    assert "no 'ema', only epoch, state_dict" in capsys.readouterr().err
    assert namid.export.main([f"{folder}/my_nets.py:Nothing", *words[1:]]) == 2
    assert "has no Nothing" in capsys.readouterr().err


def test_without_the_converter_onnx_is_refused_and_the_packages_are_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    (folder / "net.onnx").write_bytes(b"\x08\x08\x3a\x00")
    assert namid.export.main([f"{folder}/net.onnx", "-o", f"{folder}/onnx.pt2"]) == 2
    assert "onnx2torch==1.5.15" in capsys.readouterr().err


@pytest.mark.skipif(not all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnx2torch")),
                    reason="the packages onnx, onnxruntime and onnx2torch are not installed")
def test_onnx_models_are_converted_and_compared(folder):
    import onnx
    from onnx import helper, numpy_helper

    weight = torch.randn(10, 64)
    nodes = [helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Relu", ["p"], ["r"]), helper.make_node("Flatten", ["r"], ["f"]),
             helper.make_node("Gemm", ["f", "w"], ["y"], transB=1)]
    value = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value("x", ["N", 1, 16, 16])], [value("y", ["N", 10])],
                              [numpy_helper.from_array(weight.numpy(), "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "g.onnx")
    assert namid.export.main([f"{folder}/g.onnx", "-o", f"{folder}/g.pt2"]) == 0
    x = torch.rand(3, 1, 16, 16)
    expected = torch.max_pool2d(x, 2).flatten(1) @ weight.T
    assert torch.allclose(namid.export.load(folder / "g.pt2")(x), expected, atol=1e-5)


def test_every_command_that_takes_a_model_takes_a_program(exported, folder):
    file = exported[1]
    evaluated = run("evaluate", file, *ON_FASHION, "--epsilon", "0.1", "--attack-steps", "3", "--out", folder)
    assert evaluated.returncode == 0, evaluated.stderr
    result = json.loads(evaluated.stdout)
    assert result["n"] == 20
    attacked = run("attack", file, *ON_FASHION, "--epsilon", "0.1", "--steps", "3", "--out", folder)
    assert attacked.returncode == 0, attacked.stderr
    made = pathlib.Path(json.loads(attacked.stdout)["run"]) / "adversarial.npz"
    verified = run("verify", made, file, "--json", "--quiet")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["model"] == "same"
    estimated = run("estimate", file, "--quiet", "--json", "--out", folder, "--epochs", "1", "--units", "8",
                    "--train-limit", "32", "--batch-size", "16", "--epsilon", "0.1", "--attack-steps", "1")
    assert estimated.returncode == 0, estimated.stderr
    scored = run("mi", file, *ON_FASHION, "--estimators", json.loads(estimated.stdout)["run"], "--attacks", "pgd-1",
                 "--epsilon", "0.1", "--batch-size", "10", "--out", folder)
    assert scored.returncode == 0, scored.stderr
    trained = run("train", "--init", file, "--defense", "natural", "--train-limit", "32", "--epochs", "1", "--out", folder)
    assert trained.returncode == 2 and "train mode is gone" in trained.stderr


def test_torchscript_needs_trust_and_gives_notice(folder):
    model = small().eval()
    torch.jit.trace(model, torch.rand(1, 1, 28, 28)).save(str(folder / "script.pt"))
    words = ["evaluate", folder / "script.pt", *ON_FASHION, "--epsilon", "0.1", "--attack-steps", "3", "--out", folder]
    refused = run(*words)
    assert refused.returncode == 2 and "--trust" in refused.stderr and "program" in refused.stderr
    allowed = run(*words, "--trust")
    assert allowed.returncode == 0 and "TorchScript" in allowed.stderr, allowed.stderr
    config = pathlib.Path(json.loads(allowed.stdout)["run"]) / "config.toml"
    assert "trust" not in config.read_text()  # a run folder of others must not run programs
    namid.export.export(model, folder / "same.pt2", (1, 28, 28))
    program = run("evaluate", folder / "same.pt2", *words[2:])
    assert json.loads(program.stdout)["robust"] == json.loads(allowed.stdout)["robust"]


def test_files_that_are_no_programs_are_told_what_to_do(folder):
    torch.save(small().state_dict(), folder / "weights.pth")
    refused = run("evaluate", folder / "weights.pth", "--out", folder)
    assert refused.returncode == 3 and "python -m namid.export" in refused.stderr
    (folder / "cut.pt2").write_bytes((folder / "small.pt2").read_bytes()[:5000])
    refused = run("evaluate", folder / "cut.pt2", "--out", folder)
    assert refused.returncode == 3 and "cut.pt2" in refused.stderr


# Networks of others on MNIST, with what their authors published.
class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
        self.linear1, self.linear2 = nn.Linear(3136, 200), nn.Linear(200, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = torch.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.linear2(torch.relu(self.linear1(x.view(x.size(0), -1))))


def convex():
    return nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten(),
                         nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10))


@pytest.mark.skipif("NAMID_TEST_DATA" not in os.environ, reason="NAMID_TEST_DATA is not set")
@pytest.mark.parametrize("file, make, right", [("lenet5_advtrained.pt", Lenet, 9864),
                                               ("convex_mnist.pth", convex, 9820)])
def test_published_models_reach_their_accuracy_and_equal_pgd_both_ways(folder, file, make, right):
    data = pathlib.Path(os.environ["NAMID_TEST_DATA"])
    images, labels = namid_mnist(data / "mnist")
    model = make()
    model.load_state_dict(namid.export.read_weights(data / "models" / file))
    namid.export.export(model, folder / "known.pt2", (1, 28, 28))
    program = namid.export.load(folder / "known.pt2")
    for classifier in (program, model.eval()):
        with torch.no_grad():
            predicted = torch.cat([classifier(part).argmax(1) for part in images.split(500)])
        assert (predicted == labels).sum() == right
    few = images[:100], labels[:100]
    ours = namid.attacks.pgd(program, *few, epsilon=0.3, steps=10, seed=1)
    theirs = namid.attacks.pgd(model, *few, epsilon=0.3, steps=10, seed=1)
    assert torch.equal(ours.adv, theirs.adv) and torch.equal(ours.success, theirs.success)


def namid_mnist(folder):
    """Test images in [0,1] and labels, out of the IDX files."""
    import gzip

    def read(name, offset):
        path = next(folder.glob(f"{name}*"))
        content = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
        return torch.frombuffer(bytearray(content[offset:]), dtype=torch.uint8)

    images = read("t10k-images", 16).view(-1, 1, 28, 28)
    return images.float() / 255, read("t10k-labels", 8).long()
