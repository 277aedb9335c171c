"""A place to run commands in."""

import pytest

from archive import working_folder, write_archive
from ctharmony.commands import main


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The folder that commands run in: the clone's config and an archive of two sites."""
    working_folder(tmp_path)
    write_archive(tmp_path / "archive", ("north", "south"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def say(capsys):
    """Run a command; its exit code, what it printed, and what it complained of."""

    def run(*arguments):
        code = main([str(part) for part in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run
