"""The shapes of a virtual chest, from a patient's factors.

Patient coordinates in mm: x to the patient's right, y to anterior, z to superior; the origin lies
in the middle of the chest at the height of the lower pulmonary veins, so left is negative x.
Sizes follow adult anatomy of a slim build; everything that varies comes from the factors or from
the subject's own stream.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.fft

from ctharmony.phantom import skeleton, vessels
from ctharmony.phantom.population import Factors
from ctharmony.phantom.streams import stream
from ctharmony.phantom.tissues import LABELS, make_tissues
from ctharmony.phantom.torso import (
    TAPER_MM,
    Torso,
    heart_solids,
    make_torso,
    table_solids,
    wall_solids,
)

TILE_MM = 0.7
TILE_SHAPE = (48, 96, 96)
TEXTURE_MM = 1.0  # correlation length of parenchyma
TEXTURE_DENSITY = 0.018  # its standard deviation, g/cm3
HOLE_DENSITY = 0.004  # emphysematous holes, g/cm3 (-996 HU)


class Lung(NamedTuple):
    """Lung parenchyma: the cavity's superellipse less the mediastinum; mm and g/cm3."""

    cavity_x: float
    cavity_y: float
    taper: float
    gap: float
    bulge: float
    bulge_y: float
    bulge_mm: float
    shift_x: float
    shift_y: float
    shift_z: float
    density: float
    texture: float
    hole_density: float
    hole_fraction: float
    tile_mm: float
    label: int
    hole_label: int


@dataclass(frozen=True)
class Anatomy:
    """A patient ready to be put on a grid, in drawing order.

    Attributes:
        solids: (n, 11) float64 as of `torso`.
        lung_after: how many solids are drawn before the lung.
        lung: the parenchyma.
        spine: (4, 4) float64: y, half axes and height of vertebrae; disc, shell, inside.
        trees: (n, 12) float64 capsules of lung vessels and airways, drawn before the heart.
        capsules: (n, 12) float64 drawn last: two ends (x, y, z), two radii in mm, water, bone and
            iodine in g/cm3 and the label.
        texture: (z, y, x) float32 tile of unit variance, voxel TILE_MM.
        holes: (z, y, x) float32 tile, uniform in 0..1; values under the emphysema fraction are
            holes.
        table: (n, 11) float64 solids of the table the patient lies on, in scanner coordinates.
    """

    solids: np.ndarray
    lung_after: int
    lung: Lung
    trees: np.ndarray
    spine: np.ndarray
    capsules: np.ndarray
    texture: np.ndarray
    holes: np.ndarray
    table: np.ndarray

    @property
    def has_iodine(self) -> bool:
        """Whether contrast medium was given."""
        return bool(self.solids[:, 9].any() or self.capsules[:, 10].any())


def make_anatomy(factors: Factors, seed: int, subject: str, contrast_mg_ml: float) -> Anatomy:
    """The patient's shapes and textures.

    Args:
        factors: the patient's biology.
        seed: the study's seed.
        subject: names the patient's streams.
        contrast_mg_ml: iodine in blood of heart, aorta and lung vessels, mg/ml; 0 without
            contrast.
    """
    tissues = make_tissues(factors, contrast_mg_ml)
    random = stream(seed, "anatomy", subject)
    torso = make_torso(factors, random)
    wall, heart = wall_solids(torso, tissues), heart_solids(torso, tissues)
    trees = vessels.lung_trees(torso, tissues, random)
    capsules = [
        *vessels.mediastinum(torso, tissues),
        *vessels.nodules(torso, tissues, factors, random),
        *skeleton.bones(torso, tissues),
        *vessels.calcifications(torso, tissues, factors, random),
    ]
    return Anatomy(
        solids=np.array(wall + heart),
        lung_after=len(wall),
        lung=_lung(torso, factors, random),
        trees=np.array(trees),
        spine=np.array(skeleton.vertebrae(torso, tissues)),
        capsules=np.array(capsules),
        texture=_field(random, TEXTURE_MM),
        holes=_holes(random, factors.hole_mm),
        table=np.array(table_solids(torso)),
    )


def _lung(torso: Torso, factors: Factors, random: np.random.Generator) -> Lung:
    return Lung(
        *torso.cavity,
        TAPER_MM,
        *vessels.MEDIASTINUM,
        *(400.0 + random.uniform(0.0, 90.0, 3)),
        density=1.0 + factors.lung_density_hu / 1000.0,
        texture=TEXTURE_DENSITY,
        hole_density=HOLE_DENSITY,
        hole_fraction=factors.emphysema_fraction,
        tile_mm=TILE_MM,
        label=LABELS["lung"],
        hole_label=LABELS["hole"],
    )


def _field(random: np.random.Generator, length_mm: float) -> np.ndarray:
    """Periodic Gaussian field of unit variance, Gaussian correlation of the given length."""
    white = random.standard_normal(TILE_SHAPE, dtype=np.float32)
    spectrum = scipy.fft.rfftn(white)
    for axis, size in enumerate(TILE_SHAPE):
        frequency = scipy.fft.rfftfreq(size) if axis == 2 else scipy.fft.fftfreq(size)
        decay = np.exp(-((np.pi * frequency * length_mm / TILE_MM) ** 2))
        spectrum *= decay.reshape([-1 if k == axis else 1 for k in range(3)]).astype(np.float32)
    field = scipy.fft.irfftn(spectrum, s=TILE_SHAPE)
    return (field / field.std()).astype(np.float32)


def _holes(random: np.random.Generator, hole_mm: float) -> np.ndarray:
    field = _field(random, hole_mm)
    ranks = np.empty(field.size, np.float32)
    ranks[np.argsort(field, axis=None, kind="stable")] = np.arange(field.size) / field.size
    return ranks.reshape(TILE_SHAPE)
