"""One virtual patient on every virtual scanner, in a lung and a soft-tissue window, as a PNG.

    python tests/benchmarks/phantom_montage.py montage.png [FOLDER_OF_A_REAL_DICOM_SERIES]

With a folder, the middle slice of that series stands beside the virtual ones: to be looked at,
never to be committed.
"""

import sys
from pathlib import Path

import numpy as np
import pydicom
import yaml
from PIL import Image, ImageDraw, ImageFont

from ctharmony.phantom.cohort import Study

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = ((-600.0, 1500.0), (40.0, 400.0))  # level and width, HU
TILE, CROP_MM, COLUMNS, CAPTION = 300, 280.0, 5, 34
FINE = {"matrix": 512, "slices": 2, "slab_mm": 20.0, "views": 720, "detector_pitch_mm": 0.5,
        "object_pixel_mm": 0.5}  # fmt: skip


def virtual_slices(subject: str) -> list[tuple[np.ndarray, float, str]]:
    """(HU with the front on top, pixel in mm, caption) of a patient on each scanner."""
    settings = yaml.safe_load((ROOT / "config/config.yaml").read_text())["simulation"] | FINE
    scanners = yaml.safe_load((ROOT / settings["scanners"]).read_text())["scanners"]
    shown = []
    for name, scanner in scanners.items():
        site = {"site": name, "role": "query", "scanner": name}
        study = Study(site, scanner, scanner, settings, 1)
        data = study.scan({"scan": f"{name}-montage", "subject": subject}).datasets[1]
        shown.append((data.pixel_array - 1024.0, study.sampling.pixel_mm, caption(name, scanner)))
    return shown


def caption(name: str, scanner: dict) -> str:
    """Scanner and protocol in two lines."""
    first = f"{name}: {scanner['kernel']} ({scanner['kernel_label']})"
    thickness = f"{scanner['slice_thickness_mm']:g} mm"
    return f"{first}\n{scanner['kvp']} kV, {scanner['mas']:g} mAs, {thickness}"


def real_slice(folder: Path) -> tuple[np.ndarray, float, str]:
    """The middle slice of a series."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    slices.sort(key=lambda data: float(data.ImagePositionPatient[2]))
    data = slices[len(slices) // 2]
    hu = data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept)
    label = f"real: {data.ConvolutionKernel}\n{data.KVP} kV, {data.SliceThickness} mm"
    return hu, float(data.PixelSpacing[0]), label


def tile(hu: np.ndarray, pixel_mm: float, window: tuple[float, float]) -> Image.Image:
    """The central CROP_MM of a slice as grey values."""
    level, width = window
    grey = np.clip(255.0 * ((hu - level) / width + 0.5), 0, 255).astype(np.uint8)
    half = CROP_MM / pixel_mm / 2
    middle = hu.shape[0] / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    return Image.fromarray(grey).resize((TILE, TILE), Image.Resampling.BICUBIC, box=box)


def montage(shown: list[tuple[np.ndarray, float, str]]) -> Image.Image:
    """Captions, lung windows and soft-tissue windows of all slices, COLUMNS side by side."""
    rows = -(-len(shown) // COLUMNS)
    band = CAPTION + len(WINDOWS) * TILE
    page = Image.new("L", (COLUMNS * TILE, rows * band), 0)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for index, (hu, pixel_mm, label) in enumerate(shown):
        left, top = index % COLUMNS * TILE, index // COLUMNS * band
        draw.multiline_text((left + 4, top + 2), label, fill=255, font=font, spacing=1)
        for number, window in enumerate(WINDOWS):
            page.paste(tile(hu, pixel_mm, window), (left, top + CAPTION + number * TILE))
    return page


def main(arguments: list[str]) -> None:
    """Draw and save."""
    shown = virtual_slices("montage-03")
    if len(arguments) > 1:
        shown = [*shown[:4], real_slice(Path(arguments[1]))]
    montage(shown).save(arguments[0], optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
