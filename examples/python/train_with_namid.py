# SPDX-License-Identifier: Apache-2.0
"""NAMID from Python, in its three stages: train a target adversarially, train estimators on it,
train the defended model in a loop of one's own; then evaluate both.

    python train_with_namid.py [--epochs 3] [--images 1024] [--out runs]

The images are those of Fashion-MNIST that ship with namid. With so few of them and so little
training, the figures show that the pieces work together, not what the defence can do."""

import argparse

import torch

import namid

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--images", type=int, default=1024)
parser.add_argument("--out", default="runs")
arguments = parser.parse_args()

attack = {"norm": "linf", "epsilon": 0.1}
common = {"out": arguments.out, "progress": False, "batch_size": 128, "epochs": arguments.epochs}
common["train_limit"] = arguments.images

# Stages 1 and 2: runs with folders of their own, as `namid train` and `namid estimate` make them.
target = namid.train(
    defense="standard", model="small_cnn", width=16, lr=0.05, steps=5, **attack, **common
)
estimators = namid.estimate(target, units=64, steps=5, **attack, **common).estimators()

# Stage 3, in a loop of one's own: order, crops and attacks are drawn as the program draws them.
data = namid.data.load(train_limit=arguments.images)
model = namid.models.create("small_cnn", data.num_classes, input_shape=data.shape, width=16)
objective = namid.defenses.namid(estimators=estimators, mi_warmup=1, steps=5, **attack)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=2e-4)
for epoch in range(1, arguments.epochs + 1):
    for batch in data.batches(128, epoch=epoch):
        found = objective(model, batch.x, batch.y, epoch=epoch, ids=batch.ids)
        optimizer.zero_grad()
        found.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in sorted(found.metrics.items()))
    print(f"epoch {epoch}: {numbers}")
model.eval()

# The same images, the same attack, once for a run's file and once for the model in memory.
test = namid.data.load(part="test", test_limit=200)
settings = {"steps": 10, "out": arguments.out, "progress": False, **attack}
for name, defended in {"standard": target.model(), "namid": model}.items():
    run = namid.evaluate(defended, test.images, test.labels, **settings)
    robust = run.robust
    print(
        f"{name}: natural {run.natural.accuracy:.1%}, robust at most {robust.accuracy:.1%} "
        f"[{robust.lower:.1%}, {robust.upper:.1%}] under PGD-10; {run.folder}"
    )
