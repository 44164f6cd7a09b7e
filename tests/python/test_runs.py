# SPDX-License-Identifier: Apache-2.0
import inspect
import json
import os
import signal
import subprocess

import pytest
import torch
from helpers import images, interrupted_after, linear_model

import namid

SMALL = {
    "model": "small_cnn", "width": 4, "train_limit": 256, "test_limit": 64, "batch_size": 64,
    "lr": 0.05, "epsilon": 0.1, "steps": 2, "progress": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return namid.train(epochs=2, out=tmp_path_factory.mktemp("runs"), **SMALL)


def test_a_training_run_has_a_folder_a_result_and_a_model(trained):
    assert trained.record["status"] == "done" and trained.result["epochs"] == 2
    assert trained.model().weights_sha256() == trained.result["weights_sha256"]
    assert trained.record["options"]["attack"]["epsilon"] == 0.1


def test_the_program_gives_the_same_weights_for_the_same_options(trained, tmp_path):
    program = os.environ["NAMID_PROGRAM"]
    words = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items() if k != "progress"]
    words += ["--epochs=2", f"--threads={torch.get_num_threads()}", f"--out={tmp_path}", "--json"]
    done = subprocess.run([program, "train", *words, "--quiet"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["weights_sha256"] == trained.result["weights_sha256"]


def test_threads_and_handlers_are_left_as_they_were(trained, tmp_path):
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    keywords = {**SMALL, "train_limit": 64, "epochs": 1, "threads": threads + 1}
    namid.train(out=tmp_path, **keywords)
    assert torch.get_num_threads() == threads and signal.getsignal(signal.SIGINT) is handler


def test_a_model_in_memory_gives_the_verdicts_of_its_file(trained, tmp_path):
    keywords = {"epsilon": 0.1, "steps": 3, "out": tmp_path, "progress": False}
    from_file = namid.evaluate(trained, test_limit=32, **keywords)
    test = namid.data.load(part="test", test_limit=32)
    in_memory = namid.evaluate(trained.model(), test.images, test.labels, **keywords)
    assert in_memory.natural == from_file.natural and in_memory.robust == from_file.robust
    assert in_memory.folder != from_file.folder and (in_memory.folder / "ledger.sqlite").exists()


def test_a_module_of_ones_own_is_evaluated_and_left_as_it_was(tmp_path):
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), linear_model(size=64, classes=10)).train()
    pixels, _ = images()
    y = model[1](pixels / 255).argmax(1)
    found = namid.evaluate(
        model, pixels / 255, y, suite="quick", epsilon=0.05, out=tmp_path, progress=False
    )
    assert found.natural.accuracy == 1 and 0 <= found.robust.accuracy < 1
    assert [row["name"] for row in found.attacks] == ["apgd-ce", "apgd-t"]
    assert model.training and all(p.requires_grad for p in model.parameters())


def test_attacks_in_bfloat16_reach_a_module_and_leave_the_verdicts_in_float32(tmp_path):
    linear, seen = linear_model(size=64, classes=10), set()

    def model(x):
        logits = linear(x)
        seen.add(logits.dtype)
        return logits

    pixels, _ = images()
    y = linear(pixels / 255).argmax(1)
    keywords = {"suite": "quick", "epsilon": 0.05, "out": tmp_path, "progress": False}
    plain = namid.evaluate(model, pixels / 255, y, **keywords)
    assert seen == {torch.float32}
    found = namid.evaluate(model, pixels / 255, y, precision="bfloat16", **keywords)
    assert seen == {torch.float32, torch.bfloat16} and not torch.is_autocast_enabled("cpu")
    assert found.record["precision"]["taken"] == "bfloat16"
    assert found.natural == plain.natural and found.result["rescue"]["near"] > 0
    with pytest.raises(ValueError, match="expected one of float32, bfloat16, auto"):
        namid.evaluate(model, pixels / 255, y, precision="half", **keywords)


def test_images_that_are_no_images_are_refused(tmp_path):
    model = linear_model(size=64, classes=10)
    pixels, y = images()
    for bad in (pixels / 255 + 0.001, pixels.float() / 255 * 2, pixels.long()):
        with pytest.raises(ValueError, match="8-bit|\\[0, 1\\]"):
            namid.evaluate(model, bad, y, out=tmp_path)
    with pytest.raises(ValueError, match="x and y"):
        namid.evaluate(model, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_exception_of_the_model_ends_the_run_as_failed(tmp_path):
    linear, calls = linear_model(size=64, classes=10), []

    def model(x):
        calls.append(1)
        if len(calls) > 12:
            raise KeyError("mine")
        return linear(x)

    pixels, y = images()
    with pytest.raises(KeyError, match="mine"):
        namid.evaluate(model, pixels, y, steps=40, out=tmp_path, progress=False)
    (record,) = tmp_path.glob("evaluate/*/run.json")
    assert json.loads(record.read_text())["status"] == "failed"


def test_ctrl_c_saves_a_run_that_resume_ends_with_the_same_weights(tmp_path):
    keywords = {**SMALL, "epochs": 30, "checkpoint_every": 1}
    whole = namid.train(out=tmp_path / "whole", **keywords)

    def has_a_checkpoint():
        return any((tmp_path / "cut").glob("train/*/checkpoints/*"))

    with (
        interrupted_after(0, has_a_checkpoint),
        pytest.raises(KeyboardInterrupt, match="namid.resume"),
    ):
        namid.train(out=tmp_path / "cut", **keywords)
    (folder,) = (tmp_path / "cut").glob("train/*")
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    again = namid.resume(folder, progress=False)
    assert again.result["weights_sha256"] == whole.result["weights_sha256"]
    with pytest.raises(ValueError, match="done"):
        namid.resume(folder)


def test_wrong_options_are_refused_before_a_folder_is_made(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'epochs'"):
        namid.train(epoch=3, out=tmp_path)
    with pytest.raises(ValueError, match="epsilon"):
        namid.train(epsilon=8, out=tmp_path)
    with pytest.raises(RuntimeError, match="no such file"):
        namid.evaluate("nowhere", out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        namid.train(out=tmp_path / "file", **SMALL)


def test_a_loss_that_is_not_finite_is_a_runtime_error():
    model = linear_model()
    x, y = torch.rand(4, 3, 2, 2), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="pgd"):
        namid.attacks.pgd(lambda x: model(x) / 0, x, y)


def test_keywords_are_the_options_of_the_commands():
    parameters = inspect.signature(namid.train).parameters
    assert parameters["epochs"].default == 100 and parameters["defense"].default == "standard"
    assert inspect.signature(namid.evaluate).parameters["compute_batch"].default == 128
    assert "target" in inspect.signature(namid.estimate).parameters


def test_data_come_as_the_program_reads_them():
    data = namid.data.load(train_limit=100)
    assert len(data) == 100 and data.shape == (1, 28, 28) and data.images.dtype == torch.uint8
    passes = [torch.cat([b.y for b in data.batches(32, epoch=e, seed=1)]) for e in (1, 1, 2)]
    assert torch.equal(passes[0], passes[1]) and not torch.equal(passes[1], passes[2])
    batch = next(data.batches(16))
    assert batch.ids == list(range(16)) and torch.equal(batch.x, data.images[:16] / 255)
    moved = next(data.batches(16, augment=True))
    assert moved.x.shape == batch.x.shape and not torch.equal(moved.x, batch.x)
    with pytest.raises(ValueError, match="fashion-mnist-mini"):
        namid.data.load("fashion-mnist-mimi")


def test_a_loop_of_ones_own_takes_the_steps_of_the_program(trained, tmp_path):
    """Same order, attack and objective: the first step's loss is the one in metrics.jsonl."""
    run = namid.train(epochs=1, name="one", out=tmp_path, **SMALL)
    data = namid.data.load(train_limit=256)
    model = namid.models.create("small_cnn", 10, input_shape=data.shape, width=4, seed=0)
    model.channels_last()
    batch = next(data.batches(64, epoch=1, seed=0))
    loss = namid.defenses.standard(epsilon=0.1, steps=2)(
        model, batch.x, batch.y, epoch=1, seed=0, ids=batch.ids
    )
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    first = next(row for row in rows if row["kind"] == "step")
    assert loss.metrics["loss"] == pytest.approx(first["loss"], rel=1e-5)


def test_certificates_lie_below_the_attacks_and_above_nothing(tmp_path):
    net = namid.models.create("mlp", input_shape=(1, 28, 28), num_classes=10, width=16)
    file = tmp_path / "mlp.safetensors"
    net.save(file)
    small = {"test_limit": 48, "out": tmp_path, "progress": False, "epsilon": 1 / 255}
    proven = namid.certify(file, method="crown", **small)
    attacked = namid.evaluate(file, steps=5, **small)
    assert proven.record["command"] == "certify" and proven.natural == attacked.natural
    assert 0 < proven.certified.correct <= attacked.robust.correct
    with pytest.raises(ValueError, match="expected"):
        namid.certify(file, method="best", **small)


def test_checks_for_masked_gradients_and_transfer_give_their_results(trained, tmp_path):
    small = {"epsilon": 0.1, "out": tmp_path, "progress": False}
    checked = namid.masking(
        trained, masking_images=16, masking_queries=20, masking_noise_draws=2, steps=4, **small
    )
    assert checked.verdict in ("pass", "warn", "fail") and len(checked.checks) == 10
    matrix = namid.transfer({"a": trained}, [trained], suite="pgd-2", test_limit=16, **small)
    (cell,) = matrix.result["matrix"]["cells"]
    assert cell["surrogate"] == "a" and all(
        found["correct"] <= cell["natural"]["correct"] for found in cell["robust"].values()
    )


def test_a_curve_falls_with_epsilon(trained, tmp_path):
    small = {"suite": "pgd(steps=2)", "test_limit": 16, "out": tmp_path, "progress": False}
    found = namid.curve(trained, epsilons="0.02,0.1", **small)
    assert found.result["curve"]
