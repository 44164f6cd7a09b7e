# SPDX-License-Identifier: Apache-2.0
"""foolbox.plot, on matplotlib."""

from namid.compat.foolbox.models import raw


def _channels_first(x, data_format):
    if data_format is None:
        first, last = x.shape[1] in (1, 3), x.shape[-1] in (1, 3)
        if first == last:
            raise ValueError("data_format: ambiguous for these images: say which")
        return first
    if data_format not in ("channels_first", "channels_last"):
        raise ValueError(
            f"data_format: expected 'channels_first' or 'channels_last', got '{data_format}'"
        )
    return data_format == "channels_first"


def images(images, *, n=None, data_format=None, bounds=(0, 1), ncols=None, nrows=None,
           figsize=None, scale=1, **kwargs):  # fmt: skip
    """The first n images (all), in one row unless nrows or ncols say otherwise; kwargs are those of
    pyplot.subplots."""
    x = raw(images).detach().cpu()[:n]
    if x.dim() != 4:
        raise ValueError("images: expected four dimensions, (N, C, H, W) or (N, H, W, C)")
    if _channels_first(x, data_format):
        x = x.permute(0, 2, 3, 1)
    try:
        from matplotlib import pyplot
    except ImportError as missing:
        raise ImportError("foolbox.plot needs matplotlib: pip install 'namid[plot]'") from missing
    x = (x - bounds[0]) / (bounds[1] - bounds[0])
    rows = nrows or (-(-len(x) // ncols) if ncols else 1)
    columns = ncols or -(-len(x) // rows)
    size = figsize or (columns * scale, rows * scale)
    _, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, constrained_layout=True,
                              **kwargs)  # fmt: skip
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, x.numpy()):
        axis.imshow(image[:, :, 0] if image.shape[2] == 1 else image)
