"""Settings of the shipped configuration, and phantoms of which everything is known."""

import numpy as np
import pytest
import yaml

from ctharmony.quality.measure import QualitySettings


@pytest.fixture(scope="session")
def how(root) -> QualitySettings:
    """The quality settings of config/config.yaml."""
    config = yaml.safe_load((root / "config" / "config.yaml").read_text())
    return QualitySettings.from_config(config["ingest"]["quality"])


@pytest.fixture(scope="session")
def filtered_noise():
    """Periodic Gaussian noise of a wanted two-dimensional NPS, in every slice anew."""

    def make(shape, pixel_mm, nps, seed=0):
        """shape (slices, rows, columns); nps: f in cycles/mm -> HU^2 mm^2."""
        white = np.random.default_rng(seed).normal(size=shape)
        fy = np.fft.fftfreq(shape[1], pixel_mm)[:, None]
        fx = np.fft.rfftfreq(shape[2], pixel_mm)[None]
        gain = np.sqrt(nps(np.hypot(fy, fx))) / pixel_mm
        return np.fft.irfft2(np.fft.rfft2(white) * gain, s=shape[1:])

    return make


@pytest.fixture(scope="session")
def blurred_disc():
    """Slices of a tissue disc in air whose edge is a Gaussian edge of known width."""

    def make(slices, side, pixel_mm, blur_mm, radius_mm=90.0):
        from scipy.stats import norm

        axis = (np.arange(side) - (side - 1) / 2 + 0.23) * pixel_mm
        distance = radius_mm - np.hypot(axis[:, None], axis[None])
        disc = -1000 + 1050 * norm.cdf(distance / blur_mm)
        return np.repeat(disc[None], slices, axis=0), np.repeat(
            (distance > 0)[None], slices, axis=0
        )

    return make


@pytest.fixture(scope="session")
def chest():
    """A 3 mm chest: ellipse of fat and muscle, two lungs, trachea, bowel gas, table; with noise."""
    spacing = (3.0, 1.0, 1.0)
    z, y, x = np.meshgrid(
        np.arange(16), np.arange(256) - 128.0, np.arange(320) - 160.0, indexing="ij"
    )
    hu = np.full(z.shape, -1000.0)
    body = (x / 140) ** 2 + ((y - 10) / 95) ** 2 < 1
    hu[body] = -100
    hu[(x / 125) ** 2 + ((y - 10) / 80) ** 2 < 1] = 50
    lungs = (((np.abs(x) - 65) / 45) ** 2 + ((y - 10) / 65) ** 2 < 1) & (z < 13)
    hu[lungs] = -850
    trachea = (x**2 + (y - 20) ** 2 < 9**2) & (z > 7)
    hu[trachea] = -1000
    gas = (x**2 + (y - 60) ** 2 < 14**2) & (z > 9)
    hu[gas] = -1000
    hu[(np.abs(y + 110) < 3) & (np.abs(x) < 150)] = 300
    hu += np.random.default_rng(5).normal(scale=15, size=hu.shape)
    return {
        "hu": np.clip(np.rint(hu), -1024, 3071).astype(np.int16),
        "spacing": spacing,
        "body": body,
        "lungs": lungs,
        "trachea": trachea,
        "gas": gas,
    }
