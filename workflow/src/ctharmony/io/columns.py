"""Columns of scans.tsv, and what of a manifest may stand in it."""

from ctharmony.io.sidecar import ACQUISITION

IDENTITY = ("site", "batch", "scan", "subject", "split", "role", "status", "reason", "sha256")
GEOMETRY = ("slices", "rows", "columns", "spacing_z_mm", "spacing_y_mm", "spacing_x_mm")
MEASURES = (
    "contrast_nats",
    "entropy_nats",
    "noise_sd_hu",
    "nps_peak_per_mm",
    "nps_mean_per_mm",
    "mtf50_per_mm",
    "mtf10_per_mm",
    "air_mode_hu",
    "lung_mode_hu",
    "fat_mode_hu",
    "soft_tissue_mode_hu",
    "bone_level_hu",
    "air_offset_hu",
    "fat_offset_hu",
    "soft_tissue_offset_hu",
    "body_volume_ml",
    "lung_volume_ml",
    "laa950_percent",
    "perc15_hu",
    "slice_correlation",
    "body_coverage",
    "table_present",
    "truncated_fraction",
)
CURVES = ("scan", "curve", "x", "y")
# columns of the manifest that say where a scan lies, not what it is: they may name the patient
WITHHELD = ("path", "series", "sidecar", "notes")
# columns that ingest fills itself; all others of a manifest are covariates
OWN = (*IDENTITY, *GEOMETRY, *ACQUISITION, *MEASURES, *WITHHELD)
