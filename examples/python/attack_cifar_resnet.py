# SPDX-License-Identifier: Apache-2.0
"""Attacks a ResNet-18 for CIFAR-10 with PGD and APGD, and reads the result.

    python attack_cifar_resnet.py --weights resnet18.safetensors --data cifar-10-batches-bin

Without --weights the network is untrained, without --data the images are noise: it then only shows
how the pieces fit. Any torch.nn.Module or function from images in [0, 1] to logits can take the
place of `model`."""

import argparse

import torch

import namid

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--weights", help="safetensors file with PyTorch's names")
parser.add_argument("--data", help="CIFAR-10, unpacked")
parser.add_argument("--images", type=int, default=16)
parser.add_argument("--width", type=int, default=0, help="channels of the first stage; 0: 64")
arguments = parser.parse_args()

model = namid.models.create(
    "resnet18-cifar",
    num_classes=10,
    width=arguments.width,
    mean=[0.4914, 0.4822, 0.4465],
    std=[0.2470, 0.2435, 0.2616],
).eval()
if arguments.weights:
    model.load_weights(arguments.weights)

if arguments.data:
    batch = namid.data.load(arguments.data, part="test", test_limit=arguments.images).batch()
    x, y = batch.x, batch.y
else:
    x = torch.rand(arguments.images, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = model(x).argmax(1)  # what it says of noise is right by definition

right = model(x).argmax(1) == y
print(f"natural accuracy {right.float().mean():.1%} of {len(x)} images")

budget = {"norm": "linf", "epsilon": 8 / 255}
for name, result in {
    "PGD-10": namid.attacks.pgd(model, x, y, steps=10, **budget),
    "APGD-CE-10": namid.attacks.apgd_ce(model, x, y, steps=10, **budget),
}.items():
    survived = right & ~result.success
    print(
        f"{name}: robust accuracy at most {survived.float().mean():.1%}, "
        f"largest perturbation {result.norms['linf'].max() * 255:.2f}/255, "
        f"{result.forwards} forward and {result.backwards} backward passes"
    )
