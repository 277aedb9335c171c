"""Readers of medical images quote header values in their warnings; a log must not hold those."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TALKATIVE = ("pydicom", "nibabel.global")


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings and log lines of pydicom and nibabel; usable as a decorator, too."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
