"""Pins against known advisories, for machines from which no advisory database can be asked.

`advisories.tsv` is kept by hand: package, first version without the fault, advisory, what it is.
"""

import re

import pandas as pd
from packaging.version import Version


def pins(root) -> dict[str, Version]:
    lines = (root / "constraints.txt").read_text().splitlines()
    stated = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): Version(version) for name, version in stated}


def test_no_pin_is_older_than_the_mend_of_a_known_fault(root):
    listed = pd.read_csv(root / "tests" / "unit" / "advisories.tsv", sep="\t", dtype=str)
    pinned = pins(root)
    assert len(listed) > 30
    assert set(listed.package) <= set(pinned)
    old = listed[[pinned[row.package] < Version(row.fixed_in) for row in listed.itertuples()]]
    assert old.to_dict("records") == []
