"""Small chests of ellipses as scanners of known HU curve, blur and noise would show them."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ctharmony.model.scans import ScanData

TISSUES = {"air": -1000.0, "lung": -850.0, "fat": -100.0, "soft": 50.0, "bone": 450.0}


@dataclass(frozen=True)
class Scanner:
    """HU shift of each tissue (air, lung, fat, soft, bone), in-plane blur, noise, pixel."""

    shift: tuple[float, float, float, float, float]
    blur_mm: float
    noise_hu: float
    noise_blur_mm: float
    pixel_mm: float

    def show(self, clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        knots = np.array(list(TISSUES.values()))
        shown = np.interp(clean, knots, knots + np.array(self.shift))
        sigma = (0, self.blur_mm / self.pixel_mm, self.blur_mm / self.pixel_mm)
        shown = gaussian_filter(shown, sigma)
        blur = self.noise_blur_mm / self.pixel_mm
        noise = gaussian_filter(rng.standard_normal(clean.shape), (0, blur, blur))
        return (shown + noise / noise.std() * self.noise_hu).astype(np.float32)


SCANNERS = {
    "north": Scanner((0, 0, 0, 0, 0), 0.6, 12.0, 0.6, 1.0),
    "south": Scanner((0, 5, 10, 12, 80), 0.3, 25.0, 0.3, 1.1),
    "west": Scanner((0, -5, -8, -10, -60), 1.0, 8.0, 1.0, 0.9),
}
QUERY = Scanner((0, 3, 6, 8, 40), 0.4, 18.0, 0.4, 1.0)


def patient(seed: int, pixel_mm: float, field_mm: float, slices: int) -> tuple[np.ndarray, ...]:
    """Noise-free HU and mask (slices, n, n) of a patient; `seed` is the anatomy."""
    rng = np.random.default_rng(seed)
    n = round(field_mm / pixel_mm)
    axis = (np.arange(n) - (n - 1) / 2) * pixel_mm / field_mm
    y, x = np.meshgrid(axis, axis, indexing="ij")
    width, depth, fat = rng.uniform(0.40, 0.46), rng.uniform(0.28, 0.34), rng.uniform(0.03, 0.06)
    lung_hu = rng.uniform(-880, -820)
    hu = np.full((slices, n, n), TISSUES["air"])
    mask = np.zeros(hu.shape, np.uint8)
    for index in range(slices):
        grow = 1.0 + 0.05 * np.sin(index / 3.0 + seed)
        body = _ellipse(x, y, 0, 0, width, depth)
        hu[index][body] = TISSUES["fat"]
        hu[index][_ellipse(x, y, 0, 0, width - fat, depth - fat)] = TISSUES["soft"]
        mask[index][body] = 1
        for side in (-1, 1):
            lung = _ellipse(x, y, side * 0.18, 0, 0.13 * grow, 0.18 * grow)
            hu[index][lung], mask[index][lung] = lung_hu, 2
        hu[index][_ellipse(x, y, 0, 0.2, 0.05, 0.04)] = rng.normal(450, 15)
        _vessels(hu[index], x, y, np.random.default_rng([seed, index // 3]))
    return hu, mask


def _vessels(hu: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> None:
    for _ in range(30):
        side, radius = rng.choice([-1, 1]), rng.uniform(0.004, 0.014)
        place = side * 0.18 + rng.uniform(-0.09, 0.09), rng.uniform(-0.12, 0.12)
        hu[_ellipse(x, y, *place, radius, radius)] = TISSUES["soft"]


def _ellipse(x, y, x0, y0, a, b) -> np.ndarray:
    return ((x - x0) / a) ** 2 + ((y - y0) / b) ** 2 <= 1.0


def scan(site, seed, split="train", scanner=None, field_mm=256.0, slices=6) -> ScanData:
    scanner = scanner or SCANNERS[site]
    clean, mask = patient(seed, scanner.pixel_mm, field_mm, slices)
    shown = scanner.show(clean, np.random.default_rng([seed, len(site), ord(site[0])]))
    spacing = (5.0, scanner.pixel_mm, scanner.pixel_mm)
    return ScanData(np.rint(shown), mask, spacing, site, f"{site}{seed}", f"p{seed}", split)


def study(per_site=6, validation=2, **kwargs) -> list[ScanData]:
    scans, seed = [], 0
    for site in SCANNERS:
        for number in range(per_site + validation):
            split = "train" if number < per_site else "validation"
            scans.append(scan(site, seed, split, **kwargs))
            seed += 1
    return scans
