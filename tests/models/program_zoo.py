# SPDX-License-Identifier: Apache-2.0
"""Exports a zoo of networks and what PyTorch computes for them: program_zoo.py FOLDER.

Writes, per network, NAME.pt2 (torch.export, open batch size) and NAME.safetensors with, for each batch of
1, 3 and 8 images, "x.N", "direction.N", "logits.N" and "gradient.N": the gradient of the sum of logits times
direction. Networks are written here in plain PyTorch, with random seeded weights and BatchNorm statistics
that are not those of a fresh network. Names that begin with "refused-" are exported in forms that must not
be accepted.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

BATCHES = (1, 3, 8)


def conv_bn(i, o, stride=1, kernel=3, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o))


class Basic(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.a, self.b = conv_bn(i, o, stride), conv_bn(o, o)
        self.short = conv_bn(i, o, stride, 1) if i != o or stride != 1 else nn.Identity()

    def forward(self, x):
        return F.relu(self.b(F.relu(self.a(x))) + self.short(x))


class Bottleneck(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.layers = nn.Sequential(conv_bn(i, o // 4, 1, 1), nn.ReLU(inplace=True), conv_bn(o // 4, o // 4, 2),
                                    nn.ReLU(inplace=True), conv_bn(o // 4, o, 1, 1))
        self.short = conv_bn(i, o, 2, 1)

    def forward(self, x):
        out = self.layers(x)
        out += self.short(x)
        return F.relu_(out)


class PreAct(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.short = nn.Conv2d(i, o, 1, stride, bias=False)

    def forward(self, x):
        out = F.relu(self.bn1(x))
        return self.conv2(F.relu(self.bn2(self.conv1(out)))) + self.short(out)


class Wide(nn.Module):
    """A WideResNet that normalises by itself and ends with a view, as published code often does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.49, 0.48, 0.45]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.25, 0.24, 0.26]).view(1, 3, 1, 1), persistent=False)
        self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.blocks = nn.Sequential(PreAct(16, 32, 1), nn.Dropout(0.3), PreAct(32, 32, 2))
        self.bn, self.linear, self.channels = nn.BatchNorm2d(32), nn.Linear(32, 10), 32

    def forward(self, x):
        out = F.relu(self.bn(self.blocks(self.conv((x - self.mean) / self.std))))
        out = F.avg_pool2d(out, 16)
        return self.linear(out.view(-1, self.channels))


class MobileBlock(nn.Module):
    """Inverted residual with depthwise convolution and squeeze-and-excitation."""

    def __init__(self, i):
        super().__init__()
        self.grow, self.deep, self.shrink = conv_bn(i, 4 * i, 1, 1), conv_bn(4 * i, 4 * i, groups=4 * i), conv_bn(4 * i, i, 1, 1)
        self.down, self.up = nn.Conv2d(4 * i, i, 1), nn.Conv2d(i, 4 * i, 1)

    def forward(self, x):
        out = F.hardswish(self.deep(F.relu6(self.grow(x))))
        scale = F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(out, 1)))))
        return x + self.shrink(out * scale)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(8 + 6 * i) for i in range(4))
        self.convs = nn.ModuleList(nn.Conv2d(8 + 6 * i, 6, 3, padding=1) for i in range(4))
        self.stem, self.linear = nn.Conv2d(3, 8, 3, 2, 1), nn.Linear(32, 10)

    def forward(self, x):
        features = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs):
            features.append(conv(F.relu(norm(torch.cat(features, 1)))))
        return self.linear(torch.cat(features, 1).mean([2, 3]))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width))


class ViT(nn.Module):
    def __init__(self, width=32, depth=2):
        super().__init__()
        self.patches, self.positions = nn.Conv2d(3, width, 8, 8), nn.Parameter(0.1 * torch.randn(1, 17, width))
        self.token, self.head = nn.Parameter(torch.randn(1, 1, width)), nn.Linear(width, 10)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.LayerNorm(width), Attention(width, 4), nn.LayerNorm(width),
                           nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))])
            for _ in range(depth))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.size(0), -1, -1), x], 1) + self.positions
        for norm1, attention, norm2, mlp in self.blocks:
            x = x + attention(norm1(x))
            x = x + mlp(norm2(x))
        return self.head(x[:, 0])


class Encoder(nn.Module):
    """torch's own transformer layers, pooled over the sequence."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 48, dropout=0.1, activation="gelu", batch_first=True)
        self.patches, self.encoder = nn.Conv2d(3, 32, 8, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 24, 4, 4), nn.Conv2d(24, 24, 7, padding=3, groups=24)
        self.norm, self.a, self.b = nn.LayerNorm(24, 1e-6), nn.Linear(24, 96), nn.Linear(96, 24)
        self.scale, self.head = nn.Parameter(torch.rand(24)), nn.Linear(24, 10)

    def forward(self, x):
        x = self.stem(x)
        out = self.norm(self.deep(x).permute(0, 2, 3, 1))
        x = x + (self.scale * self.b(F.gelu(self.a(out), approximate="tanh"))).permute(0, 3, 1, 2)
        return self.head(x.mean((-2, -1)))


class Pools(nn.Module):
    """Every pooling, resizing and padding, lists, constants made in forward, arithmetic on the batch size."""

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 12, 3, padding="same", padding_mode="reflect"), nn.Linear(24, 10)

    def forward(self, x):
        red, green, blue = x.chunk(3, 1)
        x = torch.cat([blue, green, red], 1) - torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)
        x = self.conv(x)
        a, b = torch.split(x, [4, 8], 1)
        a = F.interpolate(F.max_pool2d(a, 3, 2, 1), scale_factor=2, mode="bilinear", align_corners=False)
        b = F.interpolate(F.avg_pool2d(b, 2, ceil_mode=True, count_include_pad=False), size=(32, 32))
        x = F.pad(torch.cat([a, b], 1), (1, 0, 1, 0))[:, :, 1:, :-1]
        x = torch.stack([F.adaptive_max_pool2d(x, 4).amax((2, 3)), F.lp_pool2d(x.abs() + 0.1, 2, 4).mean((2, 3))], 1)
        return self.linear(x.reshape(2 * x.shape[0] // 2, -1))


class Norms(nn.Module):
    """GroupNorm, InstanceNorm, LayerNorm over channels, SiLU, PReLU, Softplus and others."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 12, 3, 2, 1), nn.Conv2d(12, 12, 3, 2, 1, groups=3)])
        self.group, self.instance, self.prelu = nn.GroupNorm(3, 12), nn.InstanceNorm2d(12, affine=True), nn.PReLU(12)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = F.silu(self.group(self.convs[0](x)))
        x = self.prelu(self.instance(self.convs[1](x)))
        x = F.softplus(x) + F.elu(x) - F.leaky_relu(x, 0.1) * torch.tanh(x) + F.mish(x)
        return F.log_softmax(self.head(F.layer_norm(x.mean((2, 3)), (12,))), 1)


def networks():
    yield "resnet", nn.Sequential(conv_bn(3, 16), nn.ReLU(), Basic(16, 16, 1), Basic(16, 32, 2), nn.AdaptiveAvgPool2d(1),
                                  nn.Flatten(), nn.Linear(32, 10))
    yield "bottleneck", nn.Sequential(conv_bn(3, 16), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), Bottleneck(16, 32),
                                      nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(1), nn.Linear(32, 10))
    yield "preact", nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), PreAct(16, 16, 1), PreAct(16, 24, 2), nn.BatchNorm2d(24),
                                  nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))
    yield "wideresnet", Wide()
    yield "vgg", nn.Sequential(conv_bn(3, 16), nn.ReLU(True), nn.MaxPool2d(2, 2), conv_bn(16, 24), nn.ReLU(True),
                               nn.MaxPool2d(2, 2), nn.Flatten(), nn.Linear(24 * 64, 32), nn.ReLU(True), nn.Dropout(),
                               nn.Linear(32, 10))
    yield "mobilenet", nn.Sequential(conv_bn(3, 8, 2), nn.Hardswish(), MobileBlock(8), MobileBlock(8),
                                     nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    yield "densenet", Dense()
    yield "vit", ViT()
    yield "encoder", Encoder()
    yield "convnext", ConvNeXt()
    yield "mlp", nn.Sequential(nn.Flatten(), nn.Linear(3072, 40), nn.Tanh(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 10))
    yield "pools", Pools()
    yield "norms", Norms()
    yield "transposed", nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.SELU(), nn.ConvTranspose2d(8, 6, 2, 2), nn.Sigmoid(),
                                      nn.PixelUnshuffle(2), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(24, 10))


class Chance(nn.Module):
    def forward(self, x):
        return (x + torch.randn_like(x)).flatten(1)[:, :10]


class Sorted(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x).flatten(1)[:, :10]


class Two(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10], x


def randomise(model):
    """Weights of a trained size and statistics that are not 0 and 1."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.6, 1.4)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)


def export(model, path, batch=2, dynamic=True, decompose=False, dtype=torch.float32):
    batch_size = ({0: torch.export.Dim("batch")},) if dynamic else None
    example = torch.rand(batch, 3, 32, 32, dtype=dtype)
    program = torch.export.export(model, (example,), dynamic_shapes=batch_size)
    torch.export.save(program.run_decompositions() if decompose else program, str(path))


def expected(model, generator):
    tensors = {}
    for batch in BATCHES:
        x = torch.rand(batch, 3, 32, 32, generator=generator).requires_grad_()
        logits = model(x)
        direction = torch.randn(logits.shape, generator=generator)
        (gradient,) = torch.autograd.grad((logits * direction).sum(), x)
        tensors |= {f"x.{batch}": x.detach(), f"direction.{batch}": direction, f"logits.{batch}": logits.detach(),
                    f"gradient.{batch}": gradient}
    return tensors


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(20)
    generator = torch.Generator().manual_seed(21)
    for name, model in networks():
        randomise(model)
        model.eval()
        save_file(expected(model, generator), folder / f"{name}.safetensors")
        export(model, folder / f"{name}.pt2")
        if name in ("resnet", "encoder"):  # in core ATen operators too
            save_file(expected(model, generator), folder / f"{name}-core.safetensors")
            export(model, folder / f"{name}-core.pt2", decompose=True)
        if name == "mlp":
            export(model.double(), folder / "double.pt2", dtype=torch.float64)
    small = nn.Sequential(conv_bn(3, 4, 4), nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    export(small.train(), folder / "refused-batchnorm.pt2")
    export(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(3072, 10)).train(), folder / "refused-dropout.pt2")
    export(small.eval(), folder / "refused-batch.pt2", batch=1, dynamic=False)
    export(Chance(), folder / "refused-random.pt2")
    export(Sorted(), folder / "refused-operator.pt2")
    export(Two(), folder / "refused-outputs.pt2")
    torch.jit.trace(small, torch.rand(1, 3, 32, 32)).save(str(folder / "script.pt"))
    torch.save(small.state_dict(), folder / "weights.pth")


main()
