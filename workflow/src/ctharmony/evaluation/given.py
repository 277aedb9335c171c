"""What an evaluation starts from."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class StudyInput:
    """What an evaluation is given besides images.

    Attributes:
        scans: usable scans: scan, site, subject, and what ingest measured.
        truth: scan, travelling and true factors; empty where nothing is simulated.
        before, after: scan and one column per feature, untouched and harmonized by the model.
        latents: scan, z_s_0.., z_b_0..; may be empty.
        history: epoch, term, split, value, unit of the training; may be empty.
        target: site that the scans are harmonized to.
    """

    scans: pd.DataFrame
    truth: pd.DataFrame
    before: pd.DataFrame
    after: pd.DataFrame
    latents: pd.DataFrame
    history: pd.DataFrame
    target: str
