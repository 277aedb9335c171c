"""The simple methods on one batch of scans: what harmonization must beat."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.harmonization.methods import make_baselines  # noqa: E402
from ctharmony.io.tables import read_table, read_tables, write_table  # noqa: E402
from ctharmony.io.volumes import read_volume, write_volume  # noqa: E402

given, block = snakemake.input, snakemake.params.settings
ingested, out = Path(given.ingested), Path(snakemake.output[0])


def measured(folders):
    """Curves and rows of all batches of a site."""
    places = [Path(folder) for folder in folders]
    curves = read_tables([place / "curves.tsv" for place in places])
    return curves, read_tables([place / "scans.tsv" for place in places])


def rendered_by(peer):
    """A peer's rendering under the target site, as a method like the others."""
    return lambda hu, body, spacing, curves: peer.decode(hu, spacing, snakemake.params.target)


methods = make_baselines(measured(given.source), measured(given.target), block)
if given.peers:
    # torch takes seconds to import, and the simple methods do without it
    from ctharmony.io.models import read_peer

    methods |= {Path(folder).name: rendered_by(read_peer(folder)) for folder in given.peers}
own_curves = read_table(ingested / "curves.tsv")
table = []
for row in read_table(ingested / "scans.tsv").to_dict("records"):
    scan = row["scan"]
    for name in snakemake.params.methods:
        record = {"scan": scan, "method": name, "status": row["status"], "reason": row["reason"]}
        table.append(record)
        if row["status"] == "set_aside":
            continue
        try:
            volume = read_volume(ingested / f"{scan}.nii.gz")
            body = read_volume(ingested / f"{scan}_mask.nii.gz").hu > 0
            alone = own_curves[own_curves["scan"] == scan]
            result = methods[name](volume.hu, body, volume.spacing, alone)
            write_volume(out / name / f"{scan}.nii.gz", result, volume.affine)
        except ValueError as error:
            record |= {"status": "set_aside", "reason": str(error)}
write_table(out / "baselines.tsv", pd.DataFrame(table))
