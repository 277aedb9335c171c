"""What the decoder shows as the scanner or a patient's trait changes: strips and videos."""

from pathlib import PurePath

from ctharmony.evaluation.report.blocks import Drawing, data_uri
from ctharmony.evaluation.report.record import ModelRecord

KINDS = {".png": "image/png", ".webp": "image/webp"}
SCANNER = "z_s_site"
READING = {
    True: "z_s from site to site: contrast, sharpness and calibration should change, anatomy not",
    False: "z_b along {trait}: anatomy may change, the scanner's look should not",
}


def traversal_blocks(model: ModelRecord) -> list[Drawing]:
    """Each traversal's strip and video."""
    found = []
    for name, content in model.traversals.items():
        path = PurePath(name)
        if path.suffix not in KINDS:
            continue
        scanner = path.stem == SCANNER
        reading = READING[scanner].format(trait=path.stem.removeprefix("z_b_"))
        moving = path.suffix == ".webp"
        below = "" if moving else " Below is what changed since the first picture."
        caption = f"One slice as the decoder shows it, {reading}.{below}"
        alternative = f"{'Video' if moving else 'Pictures'} of {path.stem}, model {model.name}"
        source = data_uri(content, KINDS[path.suffix])
        found.append(Drawing(source, alternative, caption, wide=not moving))
    return found
