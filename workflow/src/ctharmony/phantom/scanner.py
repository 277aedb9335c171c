"""What describes a virtual CT scanner and the way a study samples its patients."""

from dataclasses import dataclass, fields
from typing import Any

MAP_BYTES, RAY_BYTES, SLICE_BYTES = 14, 12, 60  # per voxel, per ray of a scan, of one pass
SLICES_PER_PASS = 96
LEAST_MB, LEAST_MINUTES = 2000, 60
MINUTES_PER_UPDATE = 2.5e-10  # of a pixel by a view, all images of a travelling patient


@dataclass(frozen=True)
class Scanner:
    """One site's scanner and protocol, as in `scanners.yaml`.

    Attributes:
        manufacturer, model_name, kernel_label: what the DICOM headers say.
        kernel: reconstruction kernel, one of `kernels.KERNELS`.
        kvp: tube voltage, kV.
        mas: tube charge per rotation for a patient of reference size, mAs.
        filters_mm: metal filters, material -> mm.
        slice_thickness_mm: full width of the slice profile.
        focal_blur_mm: full width at half maximum of focal spot and crosstalk at the isocentre.
        electronic_noise: standard deviation in photons per mm2 of detector at the isocentre.
        bowtie: 0 (none) to 1 (levels out a water cylinder of `bowtie_radius_mm`).
        bowtie_radius_mm: see bowtie.
        scatter: scatter at the detector as a share of the primary times its log attenuation,
            smeared along the detector (`acquisition.SCATTER_REACH_MM`).
        scatter_correction, bone_correction: completeness of the corrections, 0 to 1.
        current_modulation: exponent of tube current with attenuation; 0 is a fixed current.
        hu_offset: calibration error, HU.
        hu_drift: standard deviation of its change from scan to scan, HU.
        ctdi_per_mas: CTDIvol in mGy per mAs, for the headers.
        shift_mm, rotation_degrees: standard deviations of how patients lie.
        table: whether the table is in view.
        tilt_degrees: gantry tilt; positive leans the front of a slice towards the head.
    """

    manufacturer: str
    model_name: str
    kernel_label: str
    kernel: str
    kvp: int
    mas: float
    filters_mm: dict[str, float]
    slice_thickness_mm: float
    focal_blur_mm: float
    electronic_noise: float
    bowtie: float
    bowtie_radius_mm: float
    scatter: float
    scatter_correction: float
    bone_correction: float
    current_modulation: float
    hu_offset: float
    hu_drift: float
    ctdi_per_mas: float
    shift_mm: float
    rotation_degrees: float
    table: bool
    tilt_degrees: float


@dataclass(frozen=True)
class Sampling:
    """Grids of a study: the image, the detector and the patient's maps.

    Attributes:
        matrix: rows and columns of the images.
        field_of_view_mm: their side.
        slices: slices of a scan.
        slab_mm: their spacing times their number.
        views: parallel views over half a turn.
        detector_pitch_mm: spacing of rays.
        object_pixel_mm, object_slice_mm: voxel of the patient's maps in and across slices.
    """

    matrix: int
    field_of_view_mm: float
    slices: int
    slab_mm: float
    views: int
    detector_pitch_mm: float
    object_pixel_mm: float
    object_slice_mm: float

    @property
    def pixel_mm(self) -> float:
        """Side of an image pixel."""
        return self.field_of_view_mm / self.matrix

    @property
    def spacing_mm(self) -> float:
        """Distance of slice centres."""
        return self.slab_mm / self.slices

    @property
    def bins(self) -> int:
        """Detector elements: the field of view's side and a margin, odd so that one is central."""
        return 2 * int(0.51 * self.field_of_view_mm / self.detector_pitch_mm) + 1

    @property
    def margin(self) -> int:
        """Bins from the detector's end to beyond the image's corner."""
        corner = 0.5 * 2**0.5 * self.field_of_view_mm / self.detector_pitch_mm
        return max(0, int(corner) + 2 - (self.bins - 1) // 2)

    @property
    def object_size(self) -> int:
        """Rows and columns of the patient's maps."""
        return 2 * int(0.5 * self.field_of_view_mm / self.object_pixel_mm)

    @property
    def slice_positions_mm(self) -> list[float]:
        """Centres of the slices, superior positive, 0 in the middle of the slab."""
        return [(k - (self.slices - 1) / 2) * self.spacing_mm for k in range(self.slices)]


def parse_scanner(name: str, settings: dict[str, Any]) -> Scanner:
    """Make a Scanner of a block of `scanners.yaml`.

    Raises:
        ValueError: a key is missing or unknown; the message names scanner and key.
    """
    return Scanner(**_checked(Scanner, settings, f"scanner {name!r}"))


def parse_sampling(settings: dict[str, Any]) -> Sampling:
    """Take the grids from the `simulation` block, whose other keys are left alone.

    Raises:
        ValueError: a key is missing; the message names it.
    """
    known = {field.name for field in fields(Sampling)}
    chosen = {key: value for key, value in settings.items() if key in known}
    return Sampling(**_checked(Sampling, chosen, "the simulation settings"))


def job_size(settings: dict[str, Any] | None, scans: int) -> tuple[int, int]:
    """What a job that simulates a batch should ask a cluster for: MB of memory and minutes.

    Somewhat more than was measured for travelling patients (tests/benchmarks/README.md): the
    patient's maps, one scan's path lengths and some copies of the sinograms under work are in
    memory; time goes with views and pixels. None for a study without virtual scans.
    """
    if settings is None:
        return LEAST_MB, LEAST_MINUTES
    sampling = parse_sampling(settings)
    planes = (sampling.slab_mm + 12.0) / sampling.object_slice_mm
    voxels = planes * sampling.object_size**2
    rays = sampling.slices * sampling.views * sampling.bins
    at_work = rays * min(SLICES_PER_PASS / sampling.slices, 1.0)
    mem_mb = 600 + (MAP_BYTES * voxels + RAY_BYTES * rays + SLICE_BYTES * at_work) / 1e6
    minutes = scans * sampling.slices * sampling.views * sampling.matrix**2 * MINUTES_PER_UPDATE
    return max(LEAST_MB, int(round(mem_mb, -2))), max(LEAST_MINUTES, round(minutes))


def _checked(kind: type, settings: dict[str, Any], where: str) -> dict[str, Any]:
    expected = {field.name for field in fields(kind)}
    if missing := sorted(expected - settings.keys()):
        raise ValueError(f"{where} lacks {', '.join(missing)}; add it to scanners.yaml")
    if unknown := sorted(settings.keys() - expected):
        raise ValueError(f"{where} has unknown keys {', '.join(unknown)}; remove or respell them")
    return settings
