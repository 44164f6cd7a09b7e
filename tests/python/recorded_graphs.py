# SPDX-License-Identifier: Apache-2.0
"""torch.cuda's graphs on the CPU: a capture records operations, a replay computes them again into
the same tensors. As on a GPU, a capture computes nothing and must not read values, and a replay
overwrites (here with NaN) what autograd kept in other captures of the pool, unless that was still
alive when the replayed graph was captured."""

import contextlib
import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from namid import _graphs


class Stream:
    def __init__(self, device=None):
        self.device = device

    def wait_stream(self, other):
        assert isinstance(other, Stream)


class CUDAGraph:
    def __init__(self):
        self.steps = []  # (function, arguments, keywords, results)
        self.kept = []  # (storage, tensor, weak reference to what autograd holds of it)
        self.spared = set()  # storages of other graphs that lived when this one was captured
        self.pool = None

    def replay(self):
        with torch.no_grad():
            for function, arguments, keywords, results in self.steps:
                again = function(*arguments, **keywords)
                for old, new in zip(_tensors(results), _tensors(again)):
                    if _storage(old) != _storage(new):  # not a view or written in place
                        old.copy_(new)
        for graph in self.pool:
            for storage, tensor, _ in graph.kept if graph is not self else ():
                if storage not in self.spared:
                    _forget(tensor)

    def keep(self, tensor):
        held = _Held(tensor.detach())
        self.kept.append((_storage(tensor), tensor.detach(), weakref.ref(held)))
        return held

    def finish(self, pool):
        new = {}
        for _, arguments, keywords, results in self.steps:
            given = {_storage(tensor) for tensor in _tensors((arguments, keywords))}
            new |= {_storage(t): t for t in _tensors(results) if _storage(t) not in given}
        for tensor in new.values():
            _forget(tensor)
        self.kept = [row for row in self.kept if row[0] in new]
        self.spared = {storage for graph in pool for storage, _, held in graph.kept if held()}
        self.pool = pool
        pool.append(self)


class _Held:
    def __init__(self, tensor):
        self.tensor = tensor


class _Recorder(TorchDispatchMode):
    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing")
        results = function(*arguments, **(keywords or {}))
        self.graph.steps.append((function, arguments, keywords or {}, results))
        return results


def _tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _storage(tensor):
    return tensor.untyped_storage().data_ptr()


def _forget(tensor):
    if tensor.is_floating_point():
        tensor.data.fill_(float("nan"))


def install(monkeypatch):
    """Puts these in the place of torch.cuda's. Returns a list that gets every captured graph."""
    captured = []

    @contextlib.contextmanager
    def graph(cuda_graph, pool, stream):
        assert isinstance(stream, Stream)
        hooks = torch.autograd.graph.saved_tensors_hooks(cuda_graph.keep, lambda held: held.tensor)
        with _Recorder(cuda_graph), hooks:
            yield
        cuda_graph.finish(pool)
        captured.append(cuda_graph)

    monkeypatch.setattr(_graphs, "_DEVICE", "cpu")
    for name, value in {
        "CUDAGraph": CUDAGraph,
        "Stream": Stream,
        "current_stream": Stream,
        "graph": graph,
        "graph_pool_handle": list,
        "stream": lambda stream: contextlib.nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return captured
