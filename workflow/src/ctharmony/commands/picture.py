"""`picture`: one scan before and after, and where there is one its paired scan, for a slide."""

import argparse
from pathlib import Path

from ctharmony.cohort import StudyError, parse_pair
from ctharmony.commands.looks import make_console
from ctharmony.commands.study import StudyFiles, open_study, take_study

WINDOW_HU = (-1350.0, 150.0)  # lung window: level -600, width 1500
INCHES, DPI = (9.6, 3.1), 110


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    take_study(parser)
    parser.add_argument("--scan", required=True, metavar="SITE/SCAN", help="the scan to show")
    parser.add_argument("--model", help="whose result (default: the first model)")
    parser.add_argument("--output", type=Path, required=True, help="PNG file to write")


def run(given: argparse.Namespace) -> int:
    """Write the picture; 0.

    Raises:
        StudyError: the study does not know the scan, or has not harmonized it.
    """
    study = open_study(given.study)
    site, _, scan = given.scan.partition("/")
    row = _row(study, site, scan)
    model = given.model or next(iter(study.config["models"]))
    panels = {
        f"{site}, as scanned": _place(study, "ingested", site, scan),
        f"{site}, harmonized to {study.config['target']}": _place(
            study, f"harmonized/{model}", site, scan
        ),
    }
    pair = parse_pair(row) or _same_patient(study, row)
    if pair is not None:
        panels[f"the same patient scanned at {pair[0]}"] = _place(study, "ingested", *pair)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_bytes(_draw(panels, panels[f"{site}, as scanned"]))
    make_console().print(f"Written: {given.output}", highlight=False, soft_wrap=True)
    return 0


def _row(study: StudyFiles, site: str, scan: str) -> dict:
    if site in study.cohort.sites:
        for row in study.cohort.sites[site].rows:
            if row["scan"] == scan:
                return row
    raise StudyError(f"the study has no scan {site}/{scan}; see {study.config['sites']}")


def _same_patient(study: StudyFiles, row: dict) -> tuple[str, str] | None:
    """(site, scan) of this patient at the target site, or None."""
    target = study.cohort.sites[study.config["target"]]
    own = [other["scan"] for other in target.rows if other["subject"] == row["subject"]]
    return (target.site, str(own[0])) if own and row["site"] != target.site else None


def _place(study: StudyFiles, stage: str, site: str, scan: str) -> Path:
    found = sorted((study.results / stage / site).glob(f"*/{scan}.nii.gz"))
    if not found:
        raise StudyError(f"{study.results}/{stage} holds no {site}/{scan}; run the study first")
    return found[0]


def _draw(panels: dict[str, Path], first: Path) -> bytes:
    import matplotlib

    from ctharmony.evaluation.figures import STYLE, new_axes, save
    from ctharmony.io.volumes import read_volume
    from ctharmony.quality.shown import chosen_slices

    mask = read_volume(first.with_name(first.name.replace(".nii.gz", "_mask.nii.gz"))).hu
    index = chosen_slices(mask.astype("uint8"), 1)[0]
    near = _lung(mask[index])
    figure, all_axes = new_axes(len(panels), *INCHES)
    with matplotlib.rc_context(STYLE):
        for axes, (title, path) in zip(all_axes, panels.items(), strict=True):
            volume = read_volume(path)
            low, high = WINDOW_HU
            # rows grow to anterior and columns to the right: shown as radiologists look at it
            part = volume.hu[index][near][::-1, ::-1]
            shown = axes.imshow(part, cmap="gray", vmin=low, vmax=high)
            axes.set_title(title)
            axes.set_axis_off()
        figure.colorbar(shown, ax=all_axes, label="HU", shrink=0.85)
    return save(figure, "png", DPI)


def _lung(mask) -> tuple[slice, slice]:
    """The part of a slice (rows, columns) that holds one lung; all of it where there is none."""
    import numpy as np

    middle = mask.shape[1] // 2
    rows, columns = np.nonzero(mask[:, :middle] == 2)
    if not len(rows):
        return slice(None), slice(None)
    margin = mask.shape[0] // 30
    return (
        slice(max(0, rows.min() - margin), rows.max() + margin),
        slice(max(0, columns.min() - margin), columns.max() + margin),
    )
