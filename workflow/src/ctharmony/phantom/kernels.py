"""Named reconstruction kernels and the filtering of sinograms."""

from dataclasses import dataclass

import numpy as np
import scipy.fft


@dataclass(frozen=True)
class Kernel:
    """Window on the ramp: (1 + boost (1 - exp(-(f/rise)^2))) exp(-(f/cutoff)^order), f in /mm."""

    cutoff: float
    order: float
    boost: float
    rise: float

    def window(self, frequencies: np.ndarray) -> np.ndarray:
        """Factor on the ramp at frequencies in cycles/mm."""
        edge = 1.0 + self.boost * (1.0 - np.exp(-((frequencies / self.rise) ** 2)))
        return edge * np.exp(-((frequencies / self.cutoff) ** self.order))


# Fitted to published MTF10 and noise spectra of such kernels, and bone over standard to the
# measured ratio of the noise spectra of one scan with B70f and B40f (tests/unit/phantom).
KERNELS = {
    "smooth": Kernel(cutoff=0.31, order=2.0, boost=0.0, rise=0.3),
    "soft": Kernel(cutoff=0.40, order=1.8, boost=0.0, rise=0.3),
    "standard": Kernel(cutoff=0.50, order=1.9, boost=0.0, rise=0.3),
    "detail": Kernel(cutoff=0.70, order=2.0, boost=0.4, rise=0.3),
    "lung": Kernel(cutoff=0.60, order=1.6, boost=2.5, rise=0.55),
    "bone": Kernel(cutoff=0.52, order=1.2, boost=6.0, rise=0.66),
}
UPSAMPLING = 2  # rays per detector element after filtering, so that interpolation blurs little


def get_kernel(name: str) -> Kernel:
    """The named kernel.

    Raises:
        ValueError: no such kernel.
    """
    if name not in KERNELS:
        raise ValueError(f"no reconstruction kernel {name!r}; choose one of {', '.join(KERNELS)}")
    return KERNELS[name]


def filter_sinograms(
    sinograms: np.ndarray, pitch_mm: float, kernel: Kernel, margin: int
) -> np.ndarray:
    """Ramp filter with the kernel's window, sampled `UPSAMPLING` times finer and wider.

    The ramp is the transform of its sampled impulse response, which keeps the mean right (Kak and
    Slaney, Principles of Computerized Tomographic Imaging, eq. 3.61).

    Args:
        sinograms: (slices, views, bins) float32, unit U mm.
        pitch_mm: spacing of bins.
        kernel: the window.
        margin: bins to add on each side, where nothing but air is, so that corners of the image
            beyond the detector are right.

    Returns:
        (slices, views, UPSAMPLING * (bins + 2 margin - 1) + 1) float32, unit U, spacing pitch /
        UPSAMPLING.
    """
    sinograms = np.pad(sinograms, ((0, 0), (0, 0), (margin, margin)))
    bins = sinograms.shape[2]
    length = scipy.fft.next_fast_len(2 * bins, real=True)
    gain = _ramp(length, pitch_mm) * kernel.window(scipy.fft.rfftfreq(length, pitch_mm))
    spectrum = scipy.fft.rfft(sinograms, n=length, axis=2)
    spectrum *= (UPSAMPLING * gain).astype(np.float32)
    fine = scipy.fft.irfft(spectrum, n=UPSAMPLING * length, axis=2, overwrite_x=True)
    return fine[:, :, : UPSAMPLING * (bins - 1) + 1]


def _ramp(length: int, pitch_mm: float) -> np.ndarray:
    places = np.minimum(np.arange(length), length - np.arange(length))
    response = np.zeros(length)
    odd = places % 2 == 1
    response[odd] = -1.0 / (np.pi * places[odd]) ** 2
    response[0] = 0.25
    return scipy.fft.rfft(response).real / pitch_mm
