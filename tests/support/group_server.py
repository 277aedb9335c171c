"""Debian's PostgreSQL in a private folder, and the group's MLflow server in front of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from study import environment

LOGIN = {"MLFLOW_TRACKING_USERNAME": "keeper", "MLFLOW_TRACKING_PASSWORD": "only for this test"}


def postgres_programs() -> Path | None:
    """Folder of initdb and postgres, or None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """A database server on a Unix socket in a folder of its own; use it as a context."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.programs = postgres_programs()
        # PostgreSQL refuses to run as root
        self.drop = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.drop = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self.address = f"postgresql://keeper@/postgres?host={self.folder}"

    def __enter__(self) -> "Postgres":
        data = str(self.folder / "data")
        subprocess.run(
            ["setpriv", *self.drop, str(self.programs / "initdb"), "-D", data, "-U", "keeper",
             "--auth=trust", "--no-sync", "-E", "UTF8", "--no-locale"],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder,
        )  # fmt: skip
        command = [
            "setpriv", *self.drop, "--pdeathsig", "INT", str(self.programs / "postgres"),
            "-D", data, "-k", str(self.folder), "-c", "listen_addresses=", "-c", "fsync=off",
        ]  # fmt: skip
        log = (self.folder / "log").open("w")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        while not (self.folder / ".s.PGSQL.5432").exists():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        shutil.rmtree(self.folder)


class GroupServer:
    """`python -m ctharmony.tracking server` on a free port, to be killed and started again."""

    def __init__(self, folder: Path, database: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.database = folder, database
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers."""
        self.log = (self.folder.parent / "server.log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ctharmony.tracking", "server", "--folder", str(self.folder),
             "--port", str(self.port), "--workers", "1"],
            env=environment() | LOGIN | {"MLFLOW_BACKEND_STORE_URI": self.database},
            stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        for _ in range(600):
            if self.status("/health") == 200:
                return
            assert self.process.poll() is None, Path(self.log.name).read_text()[-3000:]
            time.sleep(0.2)
        raise TimeoutError(f"{self.address} never answered")

    def status(self, path: str, host: str | None = None) -> int:
        """The answer's status to a request without a login; 0 where nothing answers."""
        asked = urllib.request.Request(self.address + path, headers={"Host": host} if host else {})
        try:
            return urllib.request.urlopen(asked, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def kill(self) -> None:
        """SIGKILL the server and its workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
