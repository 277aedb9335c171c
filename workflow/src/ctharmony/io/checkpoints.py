"""A training run's checkpoint on disk, the signals that ask it to stop, and its log."""

import logging
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ctharmony.io.files import replaced
from ctharmony.remaining import EpochClock

# Slurm sends the first before a time limit or preemption; a scheduler's cancel is the second
STOP_SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
LOGGED = ("loss", "reconstruction", "spectrum", "rate_biology", "rate_scanner", "invariance")


class CheckpointFolder:
    """Where a run leaves its state; a run that was cut off goes on from there.

    Made, it catches SIGUSR1 and SIGTERM: `should_stop` then says so.
    """

    def __init__(self, folder: str | Path, logger: logging.Logger) -> None:
        self.path, self.logger, self.stopping = Path(folder) / "checkpoint.pt", logger, False
        for name in STOP_SIGNALS:
            signal.signal(name, self._ask_to_stop)

    def load(self, settings: dict[str, Any], seed: int) -> dict[str, Any] | None:
        """The state of an earlier run of the same settings and seed, or None."""
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, weights_only=True, map_location="cpu")
        except Exception as error:  # torch raises many kinds for a damaged file
            self.logger.warning("%s is unreadable (%s): starting anew", self.path, error)
            return None
        if state["settings"] != settings or state["seed"] != seed:
            self.logger.info("%s is of other settings: starting anew", self.path)
            return None
        self.logger.info("going on from step %d", state["progress"]["step"])
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Write a state of tensors and plain containers, whole or not at all."""
        with replaced(self.path) as path:
            torch.save(state, path)
        self.logger.info("checkpoint at step %d", state["progress"]["step"])

    def should_stop(self) -> bool:
        """Whether a signal asked the run to stop."""
        return self.stopping

    def remove(self) -> None:
        """The run is complete."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def _ask_to_stop(self, *_: Any) -> None:
        self.stopping = True


class EpochLog:
    """Logs epochs: which of how many, the time left, and the means of the terms of the loss.

    Args:
        logger: of the rule.
        training: `steps` and `steps_per_epoch` of the training, whose clock starts now.
    """

    def __init__(self, logger: logging.Logger, training: Mapping[str, Any]) -> None:
        self.logger = logger
        self.clock = EpochClock(-(-training["steps"] // training["steps_per_epoch"]))

    def report(self, rows: list[dict[str, Any]]) -> None:
        """Log one epoch's rows (epoch, term, split, value)."""
        values = {row["term"]: row["value"] for row in rows if row["split"] == "train"}
        parts = [f"{name} {values[name]:.4g}" for name in LOGGED if name in values]
        epoch = self.clock.ended(rows[0]["epoch"])
        self.logger.info("%s: %s nats", epoch.told(), ", ".join(parts))
