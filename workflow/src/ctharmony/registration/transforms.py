"""Affine maps between world spaces (RAS, mm) and their ITK text form (LPS)."""

import numpy as np

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
ITK_HEADER = "#Insight Transform File V1.0"
ITK_AFFINE = "AffineTransform_double_3_3"


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points (n, 3) in mm by a (4, 4) matrix."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def rotation(axis: np.ndarray, degrees: float) -> np.ndarray:
    """Rotation matrix (3, 3) about `axis` (any length but zero), right-handed.

    Source: Rodrigues' formula.
    """
    unit = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -unit[2], unit[1]], [unit[2], 0, -unit[0]], [-unit[1], unit[0], 0]])
    angle = np.deg2rad(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def about(linear: np.ndarray, centre: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(4, 4) matrix of x -> linear (x - centre) + centre + shift; mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = centre + shift - linear @ centre
    return matrix


def distance(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far apart (mm) two (4, 4) maps send each of the points (n, 3): the registration error."""
    return np.linalg.norm(apply(first, points) - apply(second, points), axis=1)


def stretches(matrix: np.ndarray) -> np.ndarray:
    """The three factors by which a (4, 4) map stretches space, largest first (singular values)."""
    return np.linalg.svd(matrix[:3, :3], compute_uv=False)


def rotation_part(matrix: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) closest to the linear part of a (4, 4) map: its polar factor."""
    left, _, right = np.linalg.svd(matrix[:3, :3])
    return left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right


def to_itk(matrix: np.ndarray) -> str:
    """ITK transform file of a (4, 4) RAS map of fixed points to moving points.

    ITK stores points as LPS and, like this map, takes points of the fixed grid to the moving scan,
    so the file can be given to a resampler as it is.
    """
    lps = LPS_FROM_RAS @ matrix @ LPS_FROM_RAS
    numbers = " ".join(repr(float(value)) for value in [*lps[:3, :3].ravel(), *lps[:3, 3]])
    lines = [
        ITK_HEADER,
        "#Transform 0",
        f"Transform: {ITK_AFFINE}",
        f"Parameters: {numbers}",
        "FixedParameters: 0 0 0",
    ]
    return "\n".join(lines) + "\n"


def from_itk(text: str) -> np.ndarray:
    """(4, 4) RAS map of an ITK affine transform file, whatever its centre of rotation.

    Raises:
        ValueError: not one ITK affine transform of three dimensions.
    """
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    kind = fields.get("Transform", "").strip()
    parameters = np.array(fields.get("Parameters", "").split(), dtype=np.float64)
    centre = np.array(fields.get("FixedParameters", "").split(), dtype=np.float64)
    is_affine = kind.startswith(("AffineTransform_", "MatrixOffsetTransformBase_"))
    if not is_affine or parameters.size != 12 or centre.size != 3:
        raise ValueError(
            f"the transform file holds {kind or 'no transform'!r} with {parameters.size} "
            "parameters where an ITK affine transform of 12 is needed"
        )
    lps = about(parameters[:9].reshape(3, 3), centre, parameters[9:])
    return LPS_FROM_RAS @ lps @ LPS_FROM_RAS
