# SPDX-License-Identifier: Apache-2.0
"""CUDA graphs for attacks: forward and input gradient of a model, captured once, then replayed.

By torch.cuda.graph and not by make_graphed_callables, which hands out memory that the next replay
overwrites (pytorch/pytorch#181723), can give wrong gradients without a word where two forwards or
two backwards follow each other, replaces a module's forward, and captures on one device alone."""

import torch

from namid import models
from namid._inputs import class_count

_DEVICE = "cuda"  # tests record on the CPU
_WARM_UPS = 3  # forwards before a capture, as in PyTorch: libraries initialise and choose kernels


def graphed(model, batch, input_shape=None):
    """`model` with its forwards and input gradients as CUDA graphs, for attacks on a GPU that waits
    for kernel launches (docs/python.md). Never run on a GPU. A GraphedModel.

    model: a model of namid.models, or a torch.nn.Module; on a CUDA device, in eval mode, without
    parameters that require gradients. It draws no random numbers and computes each row by itself.
    batch: images of the largest graph. The smallest of batch, batch / 2, batch / 4, ... that holds
    what is given serves it, captured when first needed, filled up with the last image; larger
    batches go in pieces, of which all but the last take a second forward for their gradient.
    input_shape: of one image, (C, H, W), for a torch.nn.Module.

    ValueError for what does not fit, at once or in a later call; RuntimeError, at a capture, for a
    model that does what graphs cannot hold, such as reading a value on the CPU."""
    return GraphedModel(model, batch, input_shape)


class GraphedModel:
    """What `namid.graphed` makes of a model: float images (N, *input_shape) on its device to logits
    (N, num_classes), once differentiable by the images; for one thread at a time. Weights changed
    in place are followed, after weights that moved (`to`) it captures anew; parameters and layers
    put in the place of others are not seen. Under autocast the model itself answers."""

    def __init__(self, model, batch, input_shape=None):
        if not isinstance(model, (models.Model, torch.nn.Module)):
            raise ValueError(
                "model: expected a model of namid.models or a torch.nn.Module, "
                f"got {type(model).__name__}"
            )
        if not isinstance(batch, int) or batch < 1:
            raise ValueError(f"batch: expected a number of images >= 1, got {batch!r}")
        self.batch = batch
        self.input_shape = _shape(model, input_shape)
        self._model = model
        self._modules, self._tensors, self._places = [], [], None
        self._follow()
        self.num_classes = self._count_classes()

    def __call__(self, x):
        self._follow()
        self._check_images(x)
        if len(x) == 0 or torch.is_autocast_enabled(self.device.type):
            return self._model(x)
        if isinstance(self._model, models.Model):
            x = x.float()  # as attacks call it
        if len(x) > self.batch:
            return torch.cat([self._replay(piece) for piece in x.split(self.batch)])
        return self._replay(x)

    def _follow(self):
        """Checks the model as it is now; forgets the graphs of weights that have moved since."""
        if [tensor.data_ptr() for tensor in self._tensors] != self._places:
            self._modules, self._tensors = _modules(self._model), _tensors(self._model)
            _check_model(self._modules, self._tensors)
            self._places = [tensor.data_ptr() for tensor in self._tensors]
            self.device = self._tensors[0].device
            self._graphs, self._memory = {}, _Memory(self.device)
        _check_model(self._modules, self._tensors)

    def _count_classes(self):
        dtypes = (tensor.dtype for tensor in self._tensors if tensor.is_floating_point())
        image = torch.zeros(1, *self.input_shape, dtype=next(dtypes, None), device=self.device)
        try:
            return class_count(self._model, image)
        except RuntimeError as error:
            raise ValueError(
                f"input_shape: the model takes no images of shape {self.input_shape}: {error}"
            ) from error

    def _check_images(self, x):
        if not isinstance(x, torch.Tensor):
            got = type(x).__name__
        elif x.shape[1:] != self.input_shape or x.device != self.device:
            got = f"{tuple(x.shape)} on {x.device}"
        elif not x.is_floating_point():
            got = str(x.dtype)
        else:
            return
        wanted = ", ".join(map(str, ("N", *self.input_shape)))
        raise ValueError(f"x: expected float images ({wanted}) on {self.device}, got {got}")

    def _replay(self, x):
        size = self.batch
        while size > 1 and (size + 1) // 2 >= len(x):
            size = (size + 1) // 2
        key = (size, x.dtype)
        if key not in self._graphs:
            with torch.inference_mode(False), torch.enable_grad():
                images = torch.zeros(size, *self.input_shape, dtype=x.dtype, device=self.device)
                self._graphs[key] = _Graph(self._model, images, self._memory)
        return _Replay.apply(x, self._graphs[key])


class _Memory:
    """What the graphs of a model share: the stream of their captures, which libraries keep
    workspaces for, and a pool, where a forward overwrites what others kept for the gradient."""

    def __init__(self, device):
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()
        self.owner = None  # mark of the last forward


class _Graph:
    """Logits and input gradient of a batch of one size; replays read and write the same tensors."""

    def __init__(self, call, images, memory):
        self._images, self.memory = images, memory
        leaf = images.detach().requires_grad_()  # the same memory
        memory.stream.wait_stream(torch.cuda.current_stream(images.device))
        with torch.cuda.stream(memory.stream):
            for _ in range(_WARM_UPS):
                logits = call(leaf)
                if not logits.requires_grad:
                    raise ValueError(
                        "model: its logits have no gradient by the images, which a graph needs; "
                        "attack the model itself"
                    )
                self._from = torch.zeros_like(logits)
                torch.autograd.grad(logits, leaf, self._from)
            self._forward, logits = self._capture(lambda: call(leaf))
            # Retained: a backward that freed what the forward kept would overwrite it, and attacks
            # that want the gradients of several logits go back more than once.
            self._backward, (self._gradient,) = self._capture(
                lambda: torch.autograd.grad(logits, leaf, self._from, retain_graph=True)
            )
        self._logits = logits.detach()

    def _capture(self, work):
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.memory.pool, stream=self.memory.stream):
                return graph, work()
        except RuntimeError as error:
            raise RuntimeError(
                "namid.graphed: the model does what CUDA graphs cannot hold, such as reading a "
                f"value on the CPU; attack the model itself: {error}"
            ) from error

    def forward(self, x, mark):
        self._images[: len(x)].copy_(x)
        self._images[len(x) :].copy_(x[-1:])
        self._forward.replay()
        self.memory.owner = mark
        return self._logits[: len(x)].clone()

    def backward(self, gradient):
        """By the images, of the last forward."""
        self._from[: len(gradient)].copy_(gradient)
        self._from[len(gradient) :].zero_()
        self._backward.replay()
        return self._gradient[: len(gradient)].clone()


class _Replay(torch.autograd.Function):
    """A graph as a node of autograd's."""

    @staticmethod
    def forward(ctx, x, graph):
        ctx.save_for_backward(x)
        ctx.graph, ctx.mark = graph, object()
        return graph.forward(x, ctx.mark)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        if ctx.graph.memory.owner is not ctx.mark:  # what was kept for this gradient is overwritten
            ctx.graph.forward(*ctx.saved_tensors, ctx.mark)
        return ctx.graph.backward(gradient), None


def _shape(model, given):
    """The shape of one image."""
    if isinstance(model, torch.nn.Module):
        if given is None:
            raise ValueError("input_shape: a torch.nn.Module needs that of one image, (C, H, W)")
        return tuple(given)
    if given is not None and tuple(given) != model.input_shape:
        raise ValueError(f"input_shape: expected the model's, {model.input_shape}, got {given}")
    return model.input_shape


def _modules(model):
    """What has a mode."""
    return [*model.modules()] if isinstance(model, torch.nn.Module) else [model]


def _tensors(model):
    """Parameters and buffers; of a program out of a file its state, which is never trained here."""
    try:
        return [*model.parameters(), *model.buffers()]
    except ValueError:
        return [*model.state_dict().values()]


def _check_model(modules, tensors):
    devices = {tensor.device for tensor in tensors}
    if len(devices) != 1 or devices.pop().type != _DEVICE:
        got = ", ".join(sorted({str(tensor.device) for tensor in tensors})) or "no tensors"
        raise ValueError(
            f"model: CUDA graphs are of weights on one CUDA device, got {got}; model.to('cuda')"
        )
    if any(module.training for module in modules):
        raise ValueError("model: CUDA graphs are of eval mode, got train mode; model.eval()")
    if any(tensor.requires_grad for tensor in tensors):
        raise ValueError(
            "model: CUDA graphs give gradients by the images alone, got parameters that require "
            "them too; model.requires_grad_(False)"
        )
