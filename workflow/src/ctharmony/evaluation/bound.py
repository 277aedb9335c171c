"""The paired filter beside the methods: fitted on other patients' pairs, never on the scan itself.

Where a site has pairs of one patient only, the filter is fitted on every second slice of that
patient; it is an upper bound, not a competitor.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ctharmony.evaluation.cases import UNTOUCHED, Case
from ctharmony.evaluation.streaming import Read, Scan

METHOD = "paired_wiener"

# (source, target, body, spacing) of one patient on two scanners
Quadruple = tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, float, float]]
Filter = Callable[[np.ndarray, tuple[float, float, float]], np.ndarray]
Fit = Callable[[Sequence[Quadruple]], Filter]


class PairedBound:
    """Makes the `paired_wiener` version of a scan that has a truth; a `streaming.Derive`.

    Args:
        cases: all cases of the study.
        read: reads a path.
        fit: pairs -> filter (HU, spacing) -> HU.
        slices: slices of every training pair that the fit sees, evenly spaced.
        target: the target site, which needs no filter.
    """

    def __init__(
        self, cases: Sequence[Case], read: Read, fit: Fit, slices: int, target: str
    ) -> None:
        self._pairs = [case for case in cases if case.has_truth and case.site != target]
        self._read, self._fit, self._slices = read, fit, slices

    def __call__(self, case: Case, scan: Scan) -> Mapping[str, np.ndarray]:
        """The filtered scan by method name, or nothing where no pair is left to fit on."""
        own = [one for one in self._pairs if one.site == case.site]
        others = [one for one in own if one.subject != case.subject]
        if case not in own:
            return {}
        training = [self._pair(one, self._slices) for one in others] or [self._halved(case)]
        return {METHOD: self._fit(training)(scan.hu, scan.spacing)}

    def _pair(self, case: Case, slices: int | None) -> Quadruple:
        source = self._read(case.images[UNTOUCHED])
        target = self._read(str(case.target)).hu
        body = self._read(case.mask).hu > 0
        count = len(source.hu) if slices is None else min(slices, len(source.hu))
        chosen = np.unique(np.linspace(0, len(source.hu) - 1, count).round().astype(int))
        return source.hu[chosen], target[chosen], body[chosen], source.spacing

    def _halved(self, case: Case) -> Quadruple:
        source, target, body, spacing = self._pair(case, None)
        return source[::2], target[::2], body[::2], spacing
