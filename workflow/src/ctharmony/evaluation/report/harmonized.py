"""Section on what harmonization did to the images."""

import numpy as np

from ctharmony.evaluation.report.blocks import (
    Comparison,
    Section,
    Text,
    View,
    data_uri,
    table,
)
from ctharmony.evaluation.report.pictures import (
    body_box,
    change_colours,
    encode,
    radiological,
    window,
)
from ctharmony.evaluation.report.record import Example, ReportSettings, StudyRecord


def harmonization_section(study: StudyRecord, settings: ReportSettings) -> Section:
    """What the images look like before and after, and by how much they changed."""
    section = Section("harmonization", "Before and after",
        "What harmonization did to the images, slice by slice: move the divider, choose a window, "
        "look at the change.")  # fmt: skip
    for example in study.examples:
        section.blocks.append(_comparison(example, settings))
    if not study.examples:
        section.blocks.append(Text("No harmonized scan could be shown.", "note"))
    for model in study.models:
        if len(model.harmonized):
            labels = {n: n.replace("_hu", " (HU)").replace("_", " ") for n in model.harmonized}
            caption = (
                "How far every scan was changed. Scans of the target site stay as they are, unless "
                "the middle of the reference sites is aimed at."
            )
            title = f"Change by scan, model {model.name}"
            section.blocks.append(table(title, caption, model.harmonized, labels, model.harmonized))
    return section


def _comparison(example: Example, settings: ReportSettings) -> Comparison:
    rows, columns = body_box(example.mask)
    cut = (radiological(p[rows, columns]) for p in (example.before, example.after, example.mask))
    before, after, mask = cut
    aspect = example.spacing[0] / example.spacing[1]

    def grey(hu: np.ndarray, name: str) -> str:
        shade = window(hu, settings.windows[name]["level"], settings.windows[name]["width"])
        jpeg = encode(shade, settings.picture_pixels, settings.jpeg_quality, aspect)
        return data_uri(jpeg, "image/jpeg")

    views = [View(n.replace("_", " "), grey(before, n), grey(after, n)) for n in settings.windows]
    change = change_colours(np.where(mask > 0, after - before, 0), settings.change_limit_hu)
    return Comparison(
        title=f"{example.site}: {example.scan}, slice {example.position} of {example.slices}",
        views=views,
        change=data_uri(encode(change, settings.picture_pixels, 0, aspect), "image/png"),
        caption=_caption(after - before, mask > 0, example.model, settings),
        width=before.shape[1],
        height=round(before.shape[0] * aspect),
    )


def _caption(change: np.ndarray, body: np.ndarray, model: str, settings: ReportSettings) -> str:
    moved = np.abs(change[body]) if body.any() else np.zeros(1)
    presets = ", ".join(
        f"{name.replace('_', ' ')} {preset['level']:g}/{preset['width']:g}"
        for name, preset in settings.windows.items()
    )
    return (
        f"Left of the divider as scanned, right of it harmonized (model {model}). The body of this "
        f"slice changed by {moved.mean():.1f} HU on average, {np.percentile(moved, 99):.0f} HU at "
        f"the 99th percentile. Change map: red became brighter, blue darker, full colour at "
        f"{settings.change_limit_hu:g} HU. Windows, level/width in HU: {presets}. The patient's "
        "right is at the left."
    )
