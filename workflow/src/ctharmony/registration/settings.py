"""What a study may set about registration, checked once."""

from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class RegistrationSettings:
    """Values of the config's `registration` block; lengths in mm, angles in degrees.

    Attributes:
        measure: mutual_information or normalized_mutual_information.
        motion: rigid, or affine (rigid first, then affine).
        levels_mm: voxel size of each pyramid level, coarse to fine.
        points: samples drawn at each level.
        bins: histogram bins at each level.
        linear_share: share of the intensity scale that is linear; the rest is rank-equalised.
        iterations: most Levenberg-Marquardt steps at each level.
        rotation_degrees: size of the rotations among the starting positions.
        shift_step_mm: step between the starting positions along the body.
        kept_starts: starting positions refined at the coarsest level.
        detail_information: share of the fixed entropy explained from which edges are trusted: below
            (a T1 and a CT, two patients) the last two levels are sampled evenly.
        orientation_search: never, doubtful (when less than doubtful_information is explained) or
            always: all 24 turns of the axes are tried beside the header's.
        doubtful_information: see orientation_search.
        minimum_coverage: share of the template's body a scan must show not to be flagged.
        minimum_information: lowest share of the fixed entropy explained that is not a failure.
        maximum_stretch: largest stretch or shrinkage factor that is not a failure.
    """

    measure: str
    motion: str
    levels_mm: tuple[float, ...]
    points: tuple[int, ...]
    bins: tuple[int, ...]
    linear_share: float
    iterations: tuple[int, ...]
    rotation_degrees: float
    shift_step_mm: float
    kept_starts: int
    detail_information: float
    orientation_search: str
    doubtful_information: float
    minimum_coverage: float
    minimum_information: float
    maximum_stretch: float

    def __post_init__(self) -> None:
        lengths = {len(self.levels_mm), len(self.points), len(self.bins), len(self.iterations)}
        if lengths != {len(self.levels_mm)} or not self.levels_mm:
            raise ValueError(
                "registration: levels_mm, points, bins and iterations need one entry per level; "
                "give all four lists the same length"
            )

    def at(self, levels_mm: tuple[float, ...]) -> "RegistrationSettings":
        """The settings with other pyramid levels, for what needs the pooled scans alone."""
        alike = (1,) * len(levels_mm)
        return replace(self, levels_mm=levels_mm, points=alike, bins=alike, iterations=alike)

    @classmethod
    def from_config(cls, block: dict[str, Any]) -> "RegistrationSettings":
        """Take this class's values from the config block; keys of other classes are passed over.

        Raises:
            ValueError: a value is missing; the message names it.
        """
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in block]
        if missing:
            raise ValueError(f"registration: {', '.join(missing)} missing from the config block")
        values = {name: block[name] for name in names}
        lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list | tuple)}
        return cls(**(values | lists))
