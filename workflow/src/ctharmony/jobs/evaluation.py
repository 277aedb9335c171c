"""The work of the rule evaluate: every scan read once and measured, tables joined."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd

from ctharmony.cohort import parse_pair
from ctharmony.evaluation.bound import PairedBound
from ctharmony.evaluation.cases import StudyTables, list_cases
from ctharmony.evaluation.gather import gather
from ctharmony.evaluation.settings import EvaluationSettings
from ctharmony.evaluation.streaming import Measured, measure_case
from ctharmony.harmonization.paired import Pair, fit_paired_wiener
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import read_volume
from ctharmony.sheets import Row


def read_study(
    given: Mapping[str, str | Iterable[str]], manifest: Iterable[Row]
) -> tuple[StudyTables, dict[str, pd.DataFrame]]:
    """Every stage's tables as `gather` joins them.

    Args:
        given: stage -> its folder or batch folders; manifest: rows of all sheets.
    """
    pairs = {str(row["scan"]): pair[1] for row in manifest if (pair := parse_pair(row))}
    stages = {
        name: [Path(folder) for folder in ([found] if isinstance(found, str) else found)]
        for name, found in given.items()
    }
    return gather(stages, read_table, pairs)


def measure_scans(
    files: StudyTables, settings: EvaluationSettings, target: str, threads: int
) -> list[Measured]:
    """What needs an image, of every usable scan in the order of the table.

    Args:
        files: of `read_study`; target: the target site; threads: scans measured at a time.
    """
    cases = list_cases(files)
    bound = PairedBound(
        cases,
        read_volume,
        lambda training: fit_paired_wiener([Pair(*pair) for pair in training]),
        settings.wiener_slices,
        target,
    )
    measure = partial(
        measure_case,
        read=read_volume,
        paired=settings.paired,
        seen=settings.seen,
        derive=bound,
    )
    with ThreadPoolExecutor(threads) as workers:
        return list(workers.map(measure, cases))
