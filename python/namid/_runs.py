# SPDX-License-Identifier: Apache-2.0
"""The commands of the program as functions: the same options, the same run folders."""

import dataclasses
import json
import pathlib
import threading

import torch

from namid import _C, mi, models
from namid._inputs import class_count, native
from namid._options import Table, describe
from namid._scope import frozen_eval


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """A share in [0,1], and its interval where it has one."""

    correct: int
    accuracy: float
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None

    @classmethod
    def of(cls, found):
        return found and cls(**{f.name: found.get(f.name) for f in dataclasses.fields(cls)})


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: its folder, and the "result" of its record."""

    folder: pathlib.Path
    result: dict

    @property
    def record(self):
        """run.json: options, versions, hashes, times."""
        return json.loads((self.folder / "run.json").read_text())


@dataclasses.dataclass(frozen=True)
class TrainRun(Run):
    def model(self):
        """The trained model, in eval mode."""
        return models.load(self.folder)


@dataclasses.dataclass(frozen=True)
class EstimateRun(Run):
    def estimators(self):
        return mi.load_estimators(self.folder)


@dataclasses.dataclass(frozen=True)
class EvaluateRun(Run):
    @property
    def natural(self):
        return Accuracy.of(self.result["natural"])

    @property
    def robust(self):
        """An upper bound: what the suite's attacks left. None where every attack failed."""
        return Accuracy.of(self.result.get("robust"))

    @property
    def attacks(self):
        """One dict per attack: name, attacked, broken, robust, passes, ..., or its error."""
        return self.result["attacks"]

    @property
    def drawn(self):
        """Of a model that draws random numbers: `draws`, and of `natural` and `robust` expected,
        standard_error, voted, always, ever. None without verdict_draws."""
        return self.result.get("drawn")


@dataclasses.dataclass(frozen=True)
class CertifyRun(Run):
    @property
    def natural(self):
        return Accuracy.of(self.result["natural"])

    @property
    def certified(self):
        """A lower bound: no attack whatever within the budget breaks these."""
        return Accuracy.of(self.result["certificates"])


@dataclasses.dataclass(frozen=True)
class MaskingRun(Run):
    @property
    def verdict(self):
        """pass, warn or fail."""
        return self.result["masking"]["verdict"]

    @property
    def checks(self):
        """One dict per check: name, status, and what it measured."""
        return self.result["masking"]["checks"]


_KINDS = {
    "train": TrainRun,
    "estimate": EstimateRun,
    "evaluate": EvaluateRun,
    "certify": CertifyRun,
    "masking": MaskingRun,
}
_OUTPUT = [("out", "runs"), ("name", ""), ("progress", True), ("trust", False)]


def _use(out="runs", name="", progress=True, trust=False):
    main = threading.current_thread() is threading.main_thread()
    return {"out": str(out), "name": name, "progress": progress, "main_thread": main, "trust": trust}


def _split(keywords):
    """(options, output): torch's own thread count unless another is asked for."""
    output = {key: keywords.pop(key) for key, _ in _OUTPUT if key in keywords}
    keywords.setdefault("threads", torch.get_num_threads())
    return keywords, _use(**output)


def _finish(kind, found):
    folder, result = found
    return _KINDS.get(kind, Run)(pathlib.Path(folder), json.loads(result))


def _command(kind, keywords, **fixed):
    options, use = _split(keywords)
    return _finish(kind, _C.run_command(kind, {**fixed, **_tables[kind].paths(options)}, use))


_tables = {
    "train": Table(_C.command_options("train")),
    "estimate": Table(_C.command_options("estimate"), leave_out=("target",)),
    "transfer": Table(_C.command_options("transfer"), leave_out=("surrogates", "targets")),
    **{
        kind: Table(_C.command_options(kind), leave_out=("model",))
        for kind in ("evaluate", "certify", "curve", "masking")
    },
}
_LINES = [
    "out: folder under which the run folder is made; name: of the run; progress: on stderr; trust:",
    "run TorchScript models.",
    "Ctrl-C lets the step in hand finish and be saved; namid.resume(folder) goes on.",
]


def train(**keywords):
    return _command("train", keywords)


def estimate(target, **keywords):
    return _command("estimate", keywords, target=_path_of(target))


def _path_of(model):
    return str(model.folder if isinstance(model, Run) else model)


def evaluate(model, x=None, y=None, **keywords):
    if not isinstance(model, (str, pathlib.Path, Run)):
        options, use = _split(keywords)
        return _finish("evaluate", _in_memory(model, x, y, _tables["evaluate"].paths(options), use))
    if x is not None or y is not None:
        raise ValueError("evaluate: a model of a file goes with data=; load it to give x and y")
    return _command("evaluate", keywords, model=_path_of(model))


def certify(model, **keywords):
    return _command("certify", keywords, model=_path_of(model))


def curve(model, **keywords):
    return _command("curve", keywords, model=_path_of(model))


def masking(model, **keywords):
    return _command("masking", keywords, model=_path_of(model))


def _path_list(models):
    if isinstance(models, dict):
        return [f"{name}={_path_of(model)}" for name, model in models.items()]
    return [_path_of(model) for model in models]


def transfer(surrogates, targets, **keywords):
    lists = {"surrogates": _path_list(surrogates), "targets": _path_list(targets)}
    return _command("transfer", keywords, **lists)


def _eight_bit(x):
    """uint8 images of x, which must hold 8-bit levels: evaluations speak of images."""
    if not isinstance(x, torch.Tensor):
        raise ValueError(f"x: expected a tensor of images, got {type(x).__name__}")
    if x.dtype == torch.uint8:
        return x.cpu().contiguous()
    levels = (x.double() * 255).round()
    if not x.is_floating_point() or not bool(((x.double() * 255 - levels).abs() < 1e-3).all()):
        raise ValueError("x: expected 8-bit images, as uint8 or as levels / 255 in [0, 1]")
    if levels.min() < 0 or levels.max() > 255:
        raise ValueError("x: expected images in [0, 1]; normalisation belongs inside the model")
    return levels.to(torch.uint8).cpu().contiguous()


def _in_memory(model, x, y, given, use):
    if x is None or y is None:
        raise ValueError("evaluate: a model in memory goes with x and y")
    images = _eight_bit(x)
    module = isinstance(model, torch.nn.Module)
    state = [*model.parameters(), *model.buffers()] if module else []
    device = state[0].device if state else x.device
    if isinstance(model, models.Model):
        device = model.device
    with frozen_eval(model):
        classes = class_count(model, images[:1].to(device).float() / 255)
        dataset = {
            "name": "images in memory",
            "images": images,
            "labels": y.cpu(),
            "num_classes": classes,
            "ids": list(range(len(images))),
            "class_names": [str(label) for label in range(classes)],
        }
        name = getattr(model, "name", None) or type(model).__name__
        more = {"state": state, "model_name": name, "device": device}
        return _C.evaluate(native(model), dataset, given, {**use, **more})


def resume(run, *, progress=True, trust=False):
    """Goes on with an interrupted run as if it had not been; `run`: its folder."""
    folder = _path_of(run)
    kind = json.loads((pathlib.Path(folder) / "run.json").read_text())["command"]
    return _finish(kind, _C.resume(folder, _use(progress=progress, trust=trust)))


describe(
    train,
    name="train",
    summary="Trains a built-in model with a defence: `namid train`.",
    lines=[*_LINES, "Returns a TrainRun."],
    positional=(),
    table=_tables["train"],
    more=_OUTPUT,
    returns=TrainRun,
)
describe(
    estimate,
    name="estimate",
    summary="Trains estimators on a frozen target: `namid estimate`.",
    lines=["target: model run or file.", *_LINES, "Returns an EstimateRun."],
    positional=("target",),
    table=_tables["estimate"],
    more=_OUTPUT,
    returns=EstimateRun,
)
describe(
    evaluate,
    name="evaluate",
    summary="Accuracy of a model under a suite of attacks, with a ledger: `namid evaluate`.",
    lines=[
        "model: a run or file with data=, or a module or callable with x and y in memory: images",
        "(uint8, or float levels / 255) and labels.",
        *_LINES,
        "Returns an EvaluateRun.",
    ],
    positional=("model", ("x", None), ("y", None)),
    table=_tables["evaluate"],
    more=_OUTPUT,
    returns=EvaluateRun,
)
for _command_of, _summary, _returned, _returns in (
    (
        certify,
        "Natural and certified accuracy, with a ledger: `namid certify`.",
        "Returns a CertifyRun.",
        CertifyRun,
    ),
    (
        curve,
        "Robust accuracy over epsilon: `namid curve`.",
        'Returns a Run; result["curve"] is the curve.',
        Run,
    ),
    (
        masking,
        "Does a model hide its gradients? `namid masking`.",
        "Returns a MaskingRun, also where a check fails.",
        MaskingRun,
    ),
):
    describe(
        _command_of,
        name=_command_of.__name__,
        summary=_summary,
        lines=["model: model run or file.", *_LINES, _returned],
        positional=("model",),
        table=_tables[_command_of.__name__],
        more=_OUTPUT,
        returns=_returns,
    )
describe(
    transfer,
    name="transfer",
    summary="Images made on surrogates, judged by targets: `namid transfer`.",
    lines=[
        "surrogates, targets: model runs or files, each a list, or a dict of names and models.",
        *_LINES,
        'Returns a Run; result["matrix"] has the cells.',
    ],
    positional=("surrogates", "targets"),
    table=_tables["transfer"],
    more=_OUTPUT,
    returns=Run,
)
