"""CT slices as eight-bit pictures."""

import io

import numpy as np
from matplotlib import colormaps
from PIL import Image

BODY_MARGIN = 8
TELLING, MISLEADING = (230.0, 110.0, 0.0), (0.0, 114.0, 230.0)  # RGB
DENSEST = 0.65  # share of colour over the grey at most


def window(hu: np.ndarray, level: float, width: float) -> np.ndarray:
    """Grey values 0 to 255 of HU between level - width / 2 and level + width / 2 (uint8)."""
    share = (np.nan_to_num(hu, nan=-1024.0) - (level - width / 2)) / width
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def radiological(picture: np.ndarray) -> np.ndarray:
    """A RAS slice (rows to anterior, columns to the right) as read: front up, right at the left."""
    return np.ascontiguousarray(picture[::-1, ::-1])


def body_box(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the body with a margin of 8 pixels; everything where there is none."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return slice(None), slice(None)
    low = np.maximum([rows.min() - BODY_MARGIN, columns.min() - BODY_MARGIN], 0)
    return (
        slice(int(low[0]), int(rows.max()) + BODY_MARGIN + 1),
        slice(int(low[1]), int(columns.max()) + BODY_MARGIN + 1),
    )


def change_colours(change: np.ndarray, limit: float) -> np.ndarray:
    """Blue where a slice became darker, red where brighter, white where unchanged (uint8 RGB).

    Args:
        change: (rows, columns) HU; limit: HU at which the colour is full.
    """
    share = np.clip(np.nan_to_num(change) / limit, -1, 1) / 2 + 0.5
    return (colormaps["RdBu_r"](share)[..., :3] * 255).astype(np.uint8)


def toned(grey: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A grey slice under orange where `share` is above 0 and blue where it is below (uint8 RGB).

    Args:
        grey: (rows, columns) uint8; share: (rows, columns), full colour from 1 and -1 on.
    """
    weight = DENSEST * np.clip(np.abs(np.nan_to_num(share)), 0, 1)[..., None]
    colour = np.where((np.nan_to_num(share) > 0)[..., None], TELLING, MISLEADING)
    return np.rint(grey[..., None] * (1 - weight) + colour * weight).astype(np.uint8)


def encode(picture: np.ndarray, longest: int, quality: int = 0, aspect: float = 1.0) -> bytes:
    """A grey or RGB picture as PNG, or as JPEG when `quality` is given.

    Args:
        picture: (rows, columns) or (rows, columns, 3) uint8.
        longest: a longer side is reduced to this many pixels; nothing is ever enlarged by it.
        quality: JPEG quality 1 to 95, or 0 for PNG.
        aspect: row spacing / column spacing, so that millimetres are square on the screen.
    """
    image = Image.fromarray(picture)
    width, height = image.width, image.height * aspect
    scale = min(1.0, longest / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if quality:
        image.save(buffer, format="JPEG", quality=quality, subsampling=0, optimize=True)
    else:
        image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def reduced(png: bytes, longest: int, quality: int) -> bytes:
    """An encoded picture again as JPEG no longer than `longest` pixels.

    Raises:
        OSError: the bytes are no picture.
    """
    with Image.open(io.BytesIO(png)) as image:
        return encode(np.asarray(image.convert("RGB")), longest, quality)
