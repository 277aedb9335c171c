"""Which frequency bands of an image a network probe of the site goes by."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ctharmony.evaluation.cnn_probe import CnnSettings, PatchProbe, PatchSample
from ctharmony.evaluation.explanation import removed_bands
from ctharmony.evaluation.explanation_rows import evidence_frames, mean_by_site


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
    return mean_by_site(parts, method, "site", "network")


def _bands(sample: PatchSample, probe: PatchProbe, how: CnnSettings) -> Iterator[pd.DataFrame]:
    seen = probe.held[sample.owner]
    patches, owner = sample.patches[seen], sample.owner[seen]
    truth = np.searchsorted(np.unique(sample.labels), sample.labels[owner])
    whole = probe(patches)
    spacing = (how.patches.pixel_mm,) * 2
    bands = removed_bands(patches, spacing, how.evidence_edges_per_mm)
    removed = ((name, probe(without)) for name, without in bands)
    places = {"scan": owner, "site": sample.labels[owner]}
    return evidence_frames(whole, removed, truth, places)
