"""Cases of the registration benchmark: two scans, the map between them, and where it is judged.

Suites:
    ct: a chest and the same chest carried off by a known map, fresh noise.
    multimodal: the same with one side's contrast bent non-monotonely, chest and head by turns; the
        head is the MNI T1 that nilearn ships against a CT made of its tissue maps.
    magnetic: a virtual head's T1, shaded and noisy, and its CT drawn at the known map, so that no
        interpolation stands between the two.
    capture: turns up to 60 degrees, headers off by up to 200 mm, scans that show a stretch only.
    real: a scan in two versions (two kernels, or more noise and another header) onto another
        patient; the error is the distance between the two answers.
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from registration_peers import as_image
from scipy import ndimage

from ctharmony.io.volumes import read_volume
from ctharmony.phantom.head import magnetic_image, make_head, render_head
from ctharmony.registration.resampling import Grid, isotropic_grid, resample
from ctharmony.registration.transforms import about, apply, rotation
from ellipsoids import organs, scan

NOISE_HU = 20.0
SUITES = {"ct": 3.0, "multimodal": 3.0, "capture": 5.0, "real": 4.0, "head": 1.0, "magnetic": 1.0}
Scan = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A registration whose answer is known.

    Attributes:
        fixed, moving: (HU (z, y, x), affine (4, 4)).
        truth: (4, 4) RAS map of fixed to moving points; for a repeat, of the second answer's
            moving space to the first's.
        points: (n, 3) mm in the body, where the error is taken.
        again: the second version of the moving scan; None where the truth is known.
    """

    fixed: Scan
    moving: Scan
    truth: np.ndarray
    points: np.ndarray
    again: Scan | None = None


def make_case(suite: str, number: int) -> Case:
    """The case of a suite; the same numbers give the same case."""
    makers = {
        "multimodal": multimodal,
        "capture": capture,
        "real": repeat,
        "head": head,
        "magnetic": magnetic,
    }
    return makers.get(suite, plain)(number, SUITES[suite])


def plain(number: int, step: float) -> Case:
    """A chest, real or drawn, and itself moved."""
    hu, affine = chests(step)[number % len(chests(step))]
    return carried(hu, hu, affine, number)


def multimodal(number: int, step: float) -> Case:
    """By turns a chest with a bent contrast and the T1 with its CT."""
    if number % 2:
        return head(number, step)
    hu, affine = chests(step)[number // 2 % len(chests(step))]
    bent = -hu if number % 4 else 600 * np.cos(hu / 300) + 0.2 * hu
    return carried(hu, bent.astype(np.float32), affine, number)


def head(number: int, step: float) -> Case:
    """The MNI T1 as fixed scan, a CT of its tissue maps as moving one."""
    t1, ct, affine = mni(step)
    return carried(t1, ct, affine, number)


def magnetic(number: int, step: float) -> Case:
    """A virtual head's T1 and its CT."""
    random = np.random.default_rng(2000 + number)
    subject = make_head(1, f"head-{number:02d}")
    shape = tuple(round(length / step) for length in (200, 230, 180))
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = -step * (np.array(shape[::-1]) - 1) / 2
    truth = known_map(number)
    still = render_head(subject, affine, shape)
    t1 = 1000 * magnetic_image(still.t1, noise=0.03, shading=0.2, random=random)
    moved = render_head(subject, np.linalg.inv(truth) @ affine, shape).hu
    moved += random.normal(0, NOISE_HU, shape).astype(np.float32)
    return Case((t1, affine), (moved, affine), truth, body_points(still.hu, affine))


def capture(number: int, step: float) -> Case:
    """A chest turned by 20 to 60 degrees and off by 60 to 200 mm, or a stretch of it."""
    volumes = chests(step)
    hu, affine = volumes[number % len(volumes)]
    random = np.random.default_rng(500 + number)
    share = 1.0 if number % 2 else random.uniform(0.32, 0.7)
    height = hu.shape[0]
    first = int(random.uniform(0, 1) * (1 - share) * height)
    direction = random.normal(size=3)
    shift = direction / np.linalg.norm(direction) * random.uniform(60, 200)
    angle = random.uniform(20, 60) if number % 2 else random.uniform(0, 10)
    truth = about(rotation(random.normal(size=3), angle), np.zeros(3), shift)
    centred = affine.copy()
    centred[:3, 3] += shift
    centred[2, 3] += first * step
    shape = (max(4, int(share * height)), *hu.shape[1:])
    return moved_onto(hu, hu, affine, truth, Grid(shape, centred), 1000 + number)


def repeat(number: int, step: float) -> Case:
    """One real scan twice onto another patient: two kernels, or two noises and headers."""
    scans = real_scans(step)
    random = np.random.default_rng(700 + number)
    pair = number % 10
    if pair < 3:
        fixed = scans[("ge", "philips", "b10")[pair]]
        one, two = scans["b40"], scans["b70"]
    else:
        names = ("ge", "philips", "b10", "b40")
        one = scans[names[pair % 4]]
        fixed = scans[names[(pair + 1 + pair // 4) % 4]]
        noisy = one[0] + random.normal(0, NOISE_HU, one[0].shape).astype(np.float32)
        two = noisy, one[1]
    header = about(rotation(random.normal(size=3), 3.0), np.zeros(3), random.uniform(-4, 4, 3))
    return Case(fixed, one, header, body_points(*fixed), (two[0], header @ two[1]))


def carried(seen: np.ndarray, other: np.ndarray, affine: np.ndarray, number: int) -> Case:
    """`seen` fixed, `other` moved by the case's known map."""
    truth = known_map(number)
    return moved_onto(seen, other, affine, truth, Grid(other.shape, affine), 1000 + number)


def moved_onto(
    seen: np.ndarray,
    other: np.ndarray,
    affine: np.ndarray,
    truth: np.ndarray,
    grid: Grid,
    seed: int,
) -> Case:
    """The moving scan is `other` on `grid`, carried by `truth`, with fresh noise."""
    air = float(np.median(other[:, 0, 0]))
    moved = resample(other, affine, np.linalg.inv(truth), grid, 3, air)
    moved += np.random.default_rng(seed).normal(0, NOISE_HU, moved.shape).astype(np.float32)
    return Case((seen, affine), (moved, grid.affine), truth, body_points(seen, affine))


def known_map(number: int) -> np.ndarray:
    """Rigid up to 15 degrees and 20 mm, every second one stretched within 10 % as well."""
    random = np.random.default_rng(number)
    linear = rotation(random.normal(size=3), random.uniform(3, 15))
    if number % 2:
        linear = linear @ np.diag(random.uniform(0.9, 1.1, 3))
    return about(linear, np.zeros(3), random.uniform(-1, 1, 3) * 20 / np.sqrt(3))


def body_points(hu: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Every so many of the body's voxels, mm."""
    level = -300 if hu.min() < -500 else 0.2 * hu.max()
    voxels = np.argwhere(hu > level)
    voxels = voxels[:: max(1, len(voxels) // 3000), ::-1]
    return apply(affine, voxels.astype(np.float64))


@cache
def chests(step: float) -> list[Scan]:
    """Drawn chests, and real ones where CTHARMONY_REAL_DATA is set."""
    drawn = [scan(organs(s), (step,) * 3, shape_of(step), seed=s) for s in (1, 2)]
    found = [(image.hu, image.affine) for image in drawn]
    if os.environ.get("CTHARMONY_REAL_DATA"):
        found += [real_scans(step)["ge"], real_scans(step)["b10"]]
    return found


def shape_of(step: float) -> tuple[int, int, int]:
    """A chest of 252 x 252 x 348 mm."""
    return tuple(round(length / step) for length in (252, 252, 348))


@cache
def real_scans(step: float) -> dict[str, Scan]:
    """Real chests on cubic voxels about the origin."""
    folder = Path(os.environ["CTHARMONY_REAL_DATA"])
    names = {"ge": "lidc_0001", "philips": "lidc_0314", "b10": "acrin_flt"}
    found = {}
    for key, name in names.items():
        volume = read_volume(next(folder.glob(f"nifti/{name}*.nii.gz")))
        found[key] = cubic(volume.hu, volume.affine, step)
    for key, name in {"b40": "lungdx_A0002_B40f", "b70": "lungdx_A0002_B70f"}.items():
        found[key] = cubic(*series(folder / "dicom" / name), step)
    return found


def series(folder: Path) -> Scan:
    """The scan of a DICOM folder with axes along the patient's."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = as_image(reader.Execute())
    return image.hu, image.affine


def cubic(hu: np.ndarray, affine: np.ndarray, step: float) -> Scan:
    """A scan on cubic voxels, its box centred on the origin."""
    grid = isotropic_grid(hu.shape, affine, step)
    volume = np.maximum(resample(hu, affine, np.eye(4), grid, 1), -1024)
    centred = grid.affine.copy()
    centred[:3, 3] = -step * (np.array(grid.shape[::-1]) - 1) / 2
    return volume, centred


@cache
def mni(step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T1, CT, affine): grey and white matter, fluid and a rim of bone as a CT shows them."""
    from nilearn import datasets

    images = [
        getattr(datasets, f"load_mni152_{name}")(resolution=round(step))
        for name in ("template", "gm_template", "wm_template")
    ]
    t1, grey, white = (np.asarray(i.dataobj, np.float32).T.copy() for i in images)
    head_mask = t1 > 0.05 * t1.max()
    ct = np.where(head_mask, 12 + 26 * grey + 16 * white, -1000).astype(np.float32)
    # as thick inside as outside on every side, or the bone itself would lie off the T1
    reach = max(1, round(3 / step))
    grown = ndimage.binary_dilation(head_mask, iterations=reach)
    rim = grown & ~ndimage.binary_erosion(head_mask, iterations=reach)
    ct[rim] = 700
    return t1 * (1000 / t1.max()), ct, np.asarray(images[0].affine)
