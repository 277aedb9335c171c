"""The work of the rule baseline: the simple methods and the peers on one batch of scans."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.harmonization.methods import Method, Site, make_baselines
from ctharmony.io.tables import read_table, read_tables
from ctharmony.io.volumes import read_volume, write_volume


def fitted_methods(given: Any, block: dict[str, Any], target: str) -> dict[str, Method]:
    """Every method by name, the given peers' among them.

    Args:
        given: batch folders `source` and `target` of the two sites, and folders `peers`.
        block: the config block `harmonization`; target: the target site.
    """
    methods = make_baselines(_measured(given.source), _measured(given.target), block)
    if given.peers:
        # torch takes seconds to import, and the simple methods do without it
        from ctharmony.io.models import read_peer

        methods |= {
            Path(folder).name: _rendered_by(read_peer(folder), target) for folder in given.peers
        }
    return methods


def apply_methods(
    methods: dict[str, Method], names: Sequence[str], ingested: Path, output: Path
) -> pd.DataFrame:
    """Write every scan of a batch as each method leaves it.

    Args:
        methods: as `fitted_methods` gives them; names: those to apply.
        ingested: the batch's folder; output: gets a folder of every method.

    Returns:
        Columns scan, method, status, reason: a row for every scan and method.
    """
    curves, table = read_table(ingested / "curves.tsv"), []
    for row in read_table(ingested / "scans.tsv").to_dict("records"):
        scan, told = row["scan"], {"status": row["status"], "reason": row["reason"]}
        alone = curves[curves["scan"] == scan]
        for name in names:
            record = {"scan": scan, "method": name, **told}
            if row["status"] != "set_aside":
                record |= _applied(methods[name], ingested / scan, alone, output / name)
            table.append(record)
    return pd.DataFrame(table)


def _applied(method: Method, stem: Path, curves: pd.DataFrame, folder: Path) -> dict[str, str]:
    """Write one scan; what its row says otherwise where the method cannot be applied."""
    try:
        volume = read_volume(f"{stem}.nii.gz")
        body = read_volume(f"{stem}_mask.nii.gz").hu > 0
        result = method(volume.hu, body, volume.spacing, curves)
    except ValueError as error:
        return {"status": "set_aside", "reason": str(error)}
    write_volume(folder / f"{stem.name}.nii.gz", result, volume.affine)
    return {}


def _measured(folders: Iterable[str]) -> Site:
    """Curves and rows of all batches of a site."""
    places = [Path(folder) for folder in folders]
    curves = read_tables([place / "curves.tsv" for place in places])
    return curves, read_tables([place / "scans.tsv" for place in places])


def _rendered_by(peer: Any, target: str) -> Method:
    """A peer's rendering under the target site, as a method like the others."""
    return lambda hu, body, spacing, curves: peer.decode(hu, spacing, target)
