"""What the rule traverse leaves of one model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.evaluation.traversals import png, strip, video
from ctharmony.io.models import read_scans
from ctharmony.model.inference import TrainedModel
from ctharmony.model.scans import ScanData, slab
from ctharmony.model.traversal import Step, site_steps, trait_steps, traverse


def scan_to_show(rows: pd.DataFrame, target: str) -> ScanData:
    """The target site's first usable scan.

    Args:
        rows: of `read_usable_rows`; target: the target site.

    Raises:
        ValueError: the site has none.
    """
    own = rows[rows["site"] == target]
    if own.empty:
        raise ValueError(
            f"the target site {target} has no usable scan to show; see why in its scans.tsv"
        )
    return next(read_scans(own.head(1)))


class Traversals:
    """Sweeps of one slice through the latents of a trained model."""

    def __init__(self, model: TrainedModel, shown: ScanData, settings: Mapping[str, Any]) -> None:
        """Choose the slice with most body.

        Args:
            model: trained on the scan's site.
            shown: the scan.
            settings: the config block `traversal`.
        """
        index = int((shown.mask > 0).sum(axis=(1, 2)).argmax())
        rows, columns = np.nonzero(shown.mask[index] > 0)
        box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        self.model, self.shown, self.settings, self.box = model, shown, settings, box
        self.slab = slab(shown.hu, index)
        self.z_s = model.site_prior(shown.site)[0]

    def files(self, rows: pd.DataFrame, latents: pd.DataFrame) -> dict[str, bytes]:
        """Pictures and videos by file name.

        Args:
            rows: usable scans of the reference sites: site, scan, split and the traits.
            latents: site, scan, z_b_0..
        """
        first = self.shown.site
        sites = [first, *(site for site in self.model.sites if site != first)]
        found = self._pictures("z_s_site", site_steps(self.model, sites, self.settings["between"]))
        known = rows[rows["split"] == "train"].merge(latents, on=["site", "scan"])
        biology = known.filter(regex=r"^z_b_\d+$").to_numpy(float)
        for name in self.settings["traits"]:
            own = rows[(rows["site"] == first) & (rows["scan"] == self.shown.scan)]
            values = [
                pd.to_numeric(table.get(name, pd.Series(np.nan, table.index)), errors="coerce")
                for table in (known, own)
            ]
            steps = trait_steps(
                biology,
                values[0].to_numpy(float),
                float(values[1].iloc[0]),
                self.z_s,
                self.settings["steps"],
            )
            found |= self._pictures(f"z_b_{name}", steps)
        return found

    def _pictures(self, name: str, steps: Sequence[Step]) -> dict[str, bytes]:
        if not steps:
            return {}
        images = traverse(self.model, self.slab, self.shown.spacing, self.z_s, steps)
        images = images[(slice(None), *self.box)]
        still = [index for index, step in enumerate(steps) if step.label]
        preset, limit = self.settings["window"], self.settings["change_limit_hu"]
        figure = strip(images[still], [steps[index].label for index in still], preset, limit)
        moving = video(images, preset, self.settings["frame_ms"])
        return {f"{name}.png": png(figure), f"{name}.webp": moving}
