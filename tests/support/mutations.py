"""Damage done to files, and the bounds that reading them must keep."""

import contextlib
import faulthandler
import os
import resource
import shutil
import sys
import tempfile
import time

from hypothesis import strategies as st

LONGEST_S = 10.0
HUNG_S = 300.0  # of a clock on the wall, on a busy machine
MOST_KIB = 2**20  # growth of this process' memory, and the size of the converter's
# where a byte is changed (mostly in the header), to what, and where the file is cut
CHANGES = st.lists(
    st.tuples(st.floats(0, 1).map(lambda share: share**4), st.integers(0, 255)),
    min_size=1,
    max_size=24,
)
# the same, anywhere in the file
ANYWHERE = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 255)),
    min_size=1,
    max_size=24,
)
CUT = st.one_of(st.just(1.0), st.floats(0, 1))


def mutated(data: bytes, changes, cut) -> bytes:
    """Bytes with single ones changed, cut short."""
    changed = bytearray(data)
    for share, value in changes:
        changed[int(share * (len(changed) - 1))] = value
    return bytes(changed[: int(cut * len(changed))])


@contextlib.contextmanager
def bounded():
    """Fail what takes too long, takes too much memory or leaves something in the temporary folder.

    What hangs for good ends the whole process, with a traceback.
    """
    # peaks never fall, and other tests of this process have left theirs
    who, started = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN), time.process_time()
    memory = [peak_kib(processes) for processes in who]
    faulthandler.dump_traceback_later(HUNG_S, exit=True, file=sys.__stderr__)
    before, own = tempfile.tempdir, tempfile.mkdtemp(prefix="fuzz-")
    tempfile.tempdir = own
    try:
        yield
        assert os.listdir(own) == []
    finally:
        tempfile.tempdir = before
        shutil.rmtree(own)
        faulthandler.cancel_dump_traceback_later()
    assert time.process_time() - started < LONGEST_S
    for processes, before_kib in zip(who, memory, strict=True):
        assert peak_kib(processes) - before_kib < MOST_KIB


def peak_kib(who: int) -> int:
    """Peak memory of this process or its children so far, KiB."""
    return resource.getrusage(who).ru_maxrss
