"""A real Slurm on loopback, or a reason why there is none."""

import pytest

from slurm_cluster import SlurmCluster, missing_programs


def _cluster(accounting: bool):
    missing = missing_programs(accounting)
    if missing:
        pytest.skip(f"the Slurm tests need {', '.join(missing)}; .ci/run lists Debian's packages")
    return SlurmCluster(accounting)


@pytest.fixture(scope="module")
def cluster():
    """A running cluster that keeps accounts, as most sites have it."""
    with _cluster(accounting=True) as running:
        yield running


@pytest.fixture(scope="module")
def plain_cluster():
    """A running cluster without accounting: no sacct."""
    with _cluster(accounting=False) as running:
        yield running
