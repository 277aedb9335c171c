"""What ended a job is told in one sentence with the mend."""

import errno

import pytest

from ctharmony.job import explain


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.ENOSPC, "No space", "results/a.nii.gz"),
            "results/a.nii.gz: the disk is full",
        ),
        (OSError(errno.EROFS, "ro", "results"), "results: the disk is read-only"),
        (PermissionError(errno.EACCES, "no", "results/x"), "results/x: writing is not allowed"),
        (MemoryError(), "the job ran out of memory; give it more"),
        (RuntimeError("CUDA error: out of memory"), "the job ran out of memory"),
        (ValueError("a.tsv is no table;\n mend it"), "a.tsv is no table; mend it"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_errors_become_sentences(error, words):
    said = explain(error)
    assert said.startswith(words) and "\n" not in said
