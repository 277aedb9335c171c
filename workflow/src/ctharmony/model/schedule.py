"""Which scans are fitted, which parameters move how fast, and when."""

import math
from collections.abc import Sequence

from ctharmony.model.optimiser import Optimiser, parameter_groups
from ctharmony.model.scans import ScanData
from ctharmony.model.settings import Settings
from ctharmony.model.vae import FactorisedVAE

# relative to the learning rate: the scanner's few weights see one pooled vector per scan, and an
# orthogonalised step is small in most directions
SCANNER_RATE = 4.0
ORTHOGONAL_RATE = 4.0
LONGEST_RISE = 30  # steps
LAST_RATE = 0.1


def make_optimiser(model: FactorisedVAE, rate: float) -> Optimiser:
    """The optimiser of all parameters."""
    fast = [*model.scanner.parameters(), *model.head.parameters(), *model.priors.parameters()]
    chosen = {id(parameter) for parameter in fast}
    slow = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    rates = (ORTHOGONAL_RATE * rate, rate, SCANNER_RATE * rate)
    return Optimiser(parameter_groups(slow, fast, rates))


def split_scans(scans: Sequence[ScanData]) -> tuple[list[ScanData], list[ScanData]]:
    """Scans to fit and scans to watch (validation subjects of the fitted sites).

    Raises:
        ValueError: a test scan is among them, or no training scan is.
    """
    tested = [scan.scan for scan in scans if scan.split == "test"]
    if tested:
        raise ValueError(f"test scans must not be trained on: {', '.join(tested[:5])}")
    fitted = [scan for scan in scans if scan.split == "train"]
    if not fitted:
        raise ValueError("no scan of split train; mark some subjects as train in the manifests")
    sites = {scan.site for scan in fitted}
    return fitted, [s for s in scans if s.split == "validation" and s.site in sites]


def rate_factor(step: int, settings: Settings) -> float:
    """Learning rate factor of a step: a short linear rise, then half a cosine to a tenth."""
    steps = settings.training.steps
    rise = max(1, min(LONGEST_RISE, steps // 10))
    if step < rise:
        return (step + 1) / rise
    fall = (step - rise) / max(1, steps - rise)
    return LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + math.cos(math.pi * fall))
