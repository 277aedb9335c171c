"""Radiomics and image features of a batch, untouched (method none) or harmonized."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from ctharmony.evaluation.feature_row import FeatureSettings, scan_features  # noqa: E402
from ctharmony.io.tables import read_table, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume  # noqa: E402

ingested = Path(snakemake.input.ingested)
harmonized = snakemake.input.get("harmonized", [])
images, name = (Path(harmonized), "harmonized.tsv") if harmonized else (ingested, "scans.tsv")
settings, scans = FeatureSettings.from_dict(snakemake.params.settings), read_table(images / name)

rows = []
for scan in scans.loc[scans["status"] != "set_aside", "scan"]:
    volume = read_volume(images / f"{scan}.nii.gz")
    labels = np.rint(read_volume(ingested / f"{scan}_mask.nii.gz").hu).astype(np.uint8)
    rows.append({"scan": scan, **scan_features(volume.hu, labels, volume.spacing, settings)})
    logger.info("%s: %d features", scan, len(rows[-1]) - 1)

table = pd.DataFrame(rows, columns=None if rows else ["scan"])
write_table(Path(snakemake.output[0]) / "features.tsv", table)
