"""What every test may use: the repository's root and the folder of real scans."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FIRST = ("real", "workflow", "slurm", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole studies come first, so that at the end no worker is left alone with one of them."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        return (*LONGEST_FIRST, folder).index(folder)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans; the test is skipped, and says so, where it is not named."""
    named = os.environ.get("CTHARMONY_REAL_DATA")
    if not named:
        pytest.skip("CTHARMONY_REAL_DATA names no folder of real scans")
    folder = Path(named).resolve()
    if not (folder / "MANIFEST.tsv").exists():
        pytest.fail(f"CTHARMONY_REAL_DATA is {named}, which holds no MANIFEST.tsv")
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory, worker_id) -> Path:
    """A folder that all workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent
