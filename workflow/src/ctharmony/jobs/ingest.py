"""What ingest takes and measures, from the config."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from ctharmony.io.candidates import Taken
from ctharmony.io.ingest import Intake
from ctharmony.quality.measure import QualitySettings, analyse


def make_intake(
    block: dict[str, Any],
    names: tuple[str, str, str],
    folder: Path,
    logger: logging.Logger,
    uid_key: bytes | None = None,
) -> Intake:
    """The intake of a batch.

    Args:
        block: the config's block `ingest`.
        names: site, batch and role.
        folder: where the outputs go.
        logger: for one line per scan.
        uid_key: see Intake.
    """
    taken = Taken.from_config(block)
    return Intake(
        *names,
        folder=folder,
        limits=taken.limits,
        rule=taken.rule,
        words=taken.words,
        truncated_fraction=block["truncated_fraction"],
        analyse=partial(analyse, how=QualitySettings.from_config(block["quality"])),
        logger=logger,
        uid_key=uid_key,
    )
