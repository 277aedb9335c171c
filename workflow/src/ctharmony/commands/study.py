"""A study as its files describe it: configuration, checked, and cohort."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import ctharmony
from ctharmony.cohort import Cohort, StudyError, load_cohort
from ctharmony.settings import check_settings, merge

ROOT = Path(ctharmony.__file__).resolve().parents[3]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
BASE = Path("config/config.yaml")


@dataclass(frozen=True)
class StudyFiles:
    """A study that keeps its schema.

    Attributes:
        overlay: the study's own config file, or None for config/config.yaml alone.
        config: the whole configuration.
        cohort: its sites and scans.
    """

    overlay: Path | None
    config: dict[str, Any]
    cohort: Cohort

    @property
    def results(self) -> Path:
        """Folder that everything is written to."""
        return Path(self.config["results"])

    def options(self) -> list[str]:
        """How Snakemake is told of the study."""
        return [] if self.overlay is None else ["--configfile", str(self.overlay)]


def take_study(parser: argparse.ArgumentParser) -> None:
    """The argument that names a study."""
    parser.add_argument(
        "study",
        nargs="?",
        type=Path,
        help="the study's folder or config file (default: the study of config/config.yaml)",
    )


def base_config() -> dict[str, Any]:
    """config/config.yaml of the folder that the command is run in.

    Raises:
        StudyError: there is none.
    """
    if not BASE.is_file():
        raise StudyError(f"there is no {BASE} here; change to the folder of the ctharmony clone")
    return read_config(BASE)


def read_config(path: Path) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        StudyError: the file is missing or is none; the message says where.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StudyError(f"{path} does not exist; correct the name of the study") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise StudyError(f"{path} holds no keys; write it as `key: value` lines")
    return content


def open_study(named: Path | None) -> StudyFiles:
    """Read and check a study.

    Args:
        named: its folder or config file; None: the study of config/config.yaml.

    Raises:
        StudyError: a fault in config or sheets, as one sentence.
    """
    config, overlay = base_config(), None
    if named is not None and named.resolve() != BASE.resolve():
        overlay = named / "config.yaml" if named.is_dir() else named
        config = merge(config, read_config(overlay))
    check_settings(config, SCHEMA)
    cohort = load_cohort(config["sites"], config["batch_size"], config["split"])
    return StudyFiles(overlay, config, cohort)
