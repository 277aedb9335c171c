"""Pictures of a traversal: a strip for print, and a short video."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ctharmony.evaluation.report.pictures import change_colours, radiological, window

WIDTH_INCH, DPI = 2.0, 120


def strip(
    images: np.ndarray, labels: Sequence[str], preset: dict[str, float], limit: float
) -> Figure:
    """Steps side by side, and under each what changed since the first.

    Args:
        images: (steps, rows, columns) HU on a RAS grid; labels: of the steps.
        preset: level and width of the window, HU.
        limit: change at which the colour is full, HU.
    """
    height = WIDTH_INCH * images.shape[1] / images.shape[2]
    figure = Figure((WIDTH_INCH * len(images), 2 * height + 0.6), layout="constrained")
    axes = figure.subplots(2, len(images), squeeze=False)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        above, below = axes[:, index]
        above.imshow(radiological(window(image, **preset)), cmap="gray", vmin=0, vmax=255)
        above.set_title(label, fontsize=9)
        below.imshow(radiological(change_colours(image - images[0], limit)))
    for axis in axes.flat:
        axis.set_axis_off()
    below = axes[1, 0]
    below.set_title(f"change, blue -{limit:g} to red +{limit:g} HU", fontsize=7, loc="left")
    return figure


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def video(images: np.ndarray, preset: dict[str, float], frame_ms: int) -> bytes:
    """Steps one after the other without end, as animated WebP.

    Args:
        images: (steps, rows, columns) HU on a RAS grid; preset: window; frame_ms: of each step.
    """
    frames = [Image.fromarray(radiological(window(image, **preset))) for image in images]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "webp", save_all=True, append_images=frames[1:], duration=frame_ms, loop=0
    )
    return buffer.getvalue()
