"""Slices that are tilted or unevenly spaced, moved onto a straight and even grid."""

import numpy as np
from scipy import ndimage

from ctharmony.io.dicom_series import Stack

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def gaps(stack: Stack) -> np.ndarray:
    """(n - 1,) distances between neighbouring slices along their normal, mm."""
    return np.diff(stack.depths)


def offsets(stack: Stack) -> np.ndarray:
    """(n, 2) how far each slice's first pixel lies from where a straight stack has it.

    In mm along the column index and the row index; a tilted gantry moves the second.
    """
    away = stack.positions - stack.positions[0]
    return np.stack([away @ stack.row, away @ stack.column], axis=1)


def in_plane_drift(stack: Stack) -> float:
    """Largest distance of a slice from the straight stack, mm."""
    return float(np.linalg.norm(offsets(stack), axis=1).max())


def straightened(
    hu: np.ndarray, stack: Stack
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[str, ...]]:
    """Resample tilted or uneven slices onto a straight, even grid of the same orientation.

    Slices are shifted in their plane by linear interpolation (which blurs by less than a pixel),
    and interpolated linearly between neighbours where gaps differ.

    Args:
        hu: (slices, rows, columns) HU in the stack's order; filled with its minimum outside.
        stack: their geometry.

    Returns:
        ((columns, rows, slices) HU, (4, 4) affine to RAS), and notes in words.
    """
    notes = []
    origin = stack.positions[0]
    moved = offsets(stack)
    if np.linalg.norm(moved, axis=1).max() >= 0.5 * stack.spacing.min():
        slope = np.polyfit(stack.depths, moved[:, 1], 1)[0]
        tilt = abs(np.degrees(np.arctan(slope)))
        notes.append(f"a gantry tilt of {tilt:.1f} degrees straightened")
        # around the middle, on a larger picture: nothing is pushed out
        middle = (moved.min(axis=0) + moved.max(axis=0)) / 2
        hu, grown = _shifted(hu, (moved - middle)[:, ::-1] / stack.spacing)
        middle = middle - (grown * stack.spacing)[::-1]
        origin = origin + stack.row * middle[0] + stack.column * middle[1]
    steps = gaps(stack)
    step = (stack.depths[-1] - stack.depths[0]) / (len(stack.depths) - 1)
    if np.abs(steps / step - 1).max() > 1e-3:
        notes.append(
            f"slice gaps of {steps.min():.2f} to {steps.max():.2f} mm resampled to {step:.2f} mm"
        )
        hu = _evened(hu, stack.depths, step)
    affine = np.eye(4)
    affine[:3, 0] = stack.row * stack.spacing[1]
    affine[:3, 1] = stack.column * stack.spacing[0]
    affine[:3, 2] = stack.normal * step
    affine[:3, 3] = origin
    return (hu.T, LPS_TO_RAS @ affine), tuple(notes)


def _shifted(hu: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each slice moved by (rows, columns) pixels, and by how much every side has grown."""
    lowest = float(hu.min())
    grown = np.ceil(np.abs(pixels).max(axis=0)).astype(int)
    moved = np.empty((len(hu), *(np.array(hu.shape[1:]) + 2 * grown)), dtype=hu.dtype)
    for part, move, target in zip(hu, pixels, moved, strict=True):
        wider = np.pad(part, [(side, side) for side in grown], constant_values=lowest)
        ndimage.shift(wider, move, output=target, order=1, mode="constant", cval=lowest)
    return moved, grown


def _evened(hu: np.ndarray, depths: np.ndarray, step: float) -> np.ndarray:
    wanted = depths[0] + step * np.arange(len(depths))
    after = np.clip(np.searchsorted(depths, wanted), 1, len(depths) - 1)
    share = (wanted - depths[after - 1]) / (depths[after] - depths[after - 1])
    share = np.clip(share, 0, 1).astype(np.float32)
    evened = np.empty_like(hu)
    # slice by slice: two or three copies of a long series do not fit beside it
    for target, above, part in zip(evened, after, share, strict=True):
        target[:] = hu[above - 1] * (1 - part) + hu[above] * part
    return evened
