"""Which frequency bands of an image a network probe of the site goes by."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ctharmony.evaluation.cnn_probe import CnnSettings, PatchProbe, PatchSample
from ctharmony.evaluation.explanation import band_evidence, gain, without_band
from ctharmony.evaluation.explanation_rows import COLUMNS


def patch_evidence_table(
    method: str, sample: PatchSample, probes: Sequence[PatchProbe], how: CnnSettings
) -> pd.DataFrame:
    """Mean evidence of every band of the patches, by site: over patches, then over scans.

    Each patch is explained by the probe that never saw its subject. `gain_nats` is how much of
    the evidence points to the true site.

    Args:
        method: whose images the patches are of; sample, probes: of `train_probes`.
        how: names the bands.
    """
    parts = [part for probe in probes for part in _bands(sample, probe, how)]
    kinds = ["method", "site", "evidence"]
    found = pd.concat(parts, ignore_index=True).assign(method=method)
    by_scan = found.groupby([*kinds, "scan"], sort=False, as_index=False).mean()
    table = by_scan.groupby(kinds, sort=False, as_index=False).agg(
        kl_nats=("kl_nats", "mean"), gain_nats=("gain_nats", "mean"), n=("scan", "size")
    )
    return table[list(COLUMNS)]


def _bands(sample: PatchSample, probe: PatchProbe, how: CnnSettings) -> Iterator[pd.DataFrame]:
    seen = probe.held[sample.owner]
    patches, owner = sample.patches[seen], sample.owner[seen]
    truth = np.searchsorted(np.unique(sample.labels), sample.labels[owner])
    spacing = (how.patches.pixel_mm,) * 2
    moved = band_evidence(probe, patches, spacing, how.evidence_edges_per_mm)
    for values, (low, high) in zip(moved, pairwise(how.evidence_edges_per_mm), strict=True):
        toward = gain(probe, patches, without_band(patches, spacing, low, high), truth)
        content = {"scan": owner, "site": sample.labels[owner]}
        content["evidence"] = f"patch_{low:g}_to_{high:g}_per_mm"
        yield pd.DataFrame(content | {"kl_nats": values, "gain_nats": toward})
