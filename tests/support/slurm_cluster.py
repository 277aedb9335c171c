"""A real Slurm of two nodes on this machine: loopback only, everything in one private folder.

No system service, no file outside the folder: munge has its own key and socket, MariaDB its own
data and socket, and the programs find their configuration by SLURM_CONF.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from slurm_configuration import ACCOUNTING, COMMON, DATABASE, NODES
from study import environment

PROGRAMS = ("setpriv", "munged", "slurmctld", "slurmd", "sbatch", "squeue")
ACCOUNTING_PROGRAMS = ("slurmdbd", "sacctmgr", "mariadbd", "mariadb-install-db")
PATIENCE_SECONDS = 120
QUICK_POLLS = Path(__file__).with_name("quick_polls")
# several databases at once use up the kernel's slots for asynchronous writing
NO_AIO = "--innodb-use-native-aio=0"


def missing_programs(accounting: bool) -> list[str]:
    """What is not installed of the programs that a cluster needs."""
    needed = PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ())
    return [name for name in needed if shutil.which(name, path=_search_path()) is None]


class SlurmCluster:
    """Two nodes of four CPUs (the second with one counted GPU) and the partitions main, spare
    (preempted by urgent) and urgent. Use it as a context.

    Args:
        accounting: whether slurmdbd and MariaDB keep accounts (sacct) too.
        kill_wait: seconds between SIGTERM and SIGKILL when a job is ended.

    Attributes:
        environment: what a program needs in its environment to use this cluster.
    """

    def __init__(self, accounting: bool, kill_wait: int = 20) -> None:
        self.accounting = accounting
        # not pytest's folder: the path of a Unix socket may have 107 characters
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o711)  # munge's socket must be within reach of every user
        self.processes: list[subprocess.Popen] = []
        ports = _free_ports(4)
        self.places = {
            "folder": self.folder, "user": _user(), "kill_wait": kill_wait,
            "host": socket.gethostname().split(".")[0],
            "port": ports[0], "first": ports[1], "second": ports[2], "database_port": ports[3],
        }  # fmt: skip
        self.environment = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": os.pathsep.join([str(self.folder / "bin"), environment()["PATH"]]),
            "PYTHONPATH": os.pathsep.join([str(QUICK_POLLS), os.environ.get("PYTHONPATH", "")]),
        }
        self.database = str(self.folder / "database.sock")
        self.own = {**os.environ, **self.environment, "MYSQL_UNIX_PORT": self.database}
        self.own["PATH"] = _search_path()

    def __enter__(self) -> "SlurmCluster":
        try:
            self._write_configuration()
            self._start_munge()
            if self.accounting:
                self._start_database()
            self._start_nodes()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def call(self, *command: str) -> str:
        """Output of one of Slurm's commands on this cluster; it must succeed."""
        done = subprocess.run(
            command, env=self.own, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout.strip()

    def wait_for(self, what: str, true: Callable[[], bool], seconds: float = PATIENCE_SECONDS):
        """Poll until `true`; the end of the daemons' logs is shown where it never is."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                logs = [p.read_text(errors="replace")[-1500:] for p in self.folder.glob("*.log")]
                raise TimeoutError(f"{what} never came\n" + "\n---\n".join(logs))
            time.sleep(0.2)

    def stop(self) -> None:
        """End the daemons, the youngest first, and remove the folder."""
        if self.processes and self._works("scontrol", "ping"):
            self._works("scancel", "--user", _user())
            time.sleep(1)
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_configuration(self) -> None:
        texts = [COMMON, ACCOUNTING if self.accounting else "", NODES]
        (self.folder / "slurm.conf").write_text("".join(texts).format(**self.places))
        (self.folder / "gres.conf").write_text("NodeName=n2 Name=gpu Count=1 File=/dev/null\n")
        secret = self.folder / "slurmdbd.conf"
        secret.touch(mode=0o600)
        secret.write_text(DATABASE.format(**self.places))
        for name in ("munge", "state", "spool-n1", "spool-n2"):
            (self.folder / name).mkdir(mode=0o711)
        self._wrap_srun()

    def _wrap_srun(self) -> None:
        """Jobs of Snakemake's plugin call `srun` with an environment that lost SLURM_CONF."""
        wrapper = self.folder / "bin" / "srun"
        wrapper.parent.mkdir(mode=0o711)
        program = shutil.which("srun", path=_search_path())
        wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {program} "$@"\n')
        wrapper.chmod(0o755)

    def _start_munge(self) -> None:
        place = self.folder / "munge"
        key = place / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        names = {"socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={place / name}" for option, name in names.items()]
        self._start("munged", "--foreground", "--force", f"--key-file={key}", *options)
        self.wait_for("munge", (place / "socket").exists)

    def _start_database(self) -> None:
        where = f"--datadir={self.folder / 'database'}"
        log = (self.folder / "database-install.log").open("w")
        done = subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--user={_user()}", where,
             "--auth-root-authentication-method=socket", "--skip-test-db", NO_AIO],
            env=self.own, stdout=log, stderr=log,
        )  # fmt: skip
        assert done.returncode == 0, Path(log.name).read_text()
        self._start(
            "mariadbd", "--no-defaults", NO_AIO, f"--user={_user()}", where,
            f"--socket={self.database}",
            "--skip-networking", "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
        )  # fmt: skip
        client = ("mariadb", "--no-defaults", f"--socket={self.database}", "-e")
        self.wait_for("MariaDB", lambda: self._works(*client, "select 1"))
        self.call(
            *client,
            "create database slurm_accounts; create user slurm@localhost identified by 'slurm';"
            "grant all on slurm_accounts.* to slurm@localhost",
        )
        self._start("slurmdbd", "-D")
        self.wait_for("slurmdbd", lambda: self._works("sacctmgr", "-n", "show", "cluster"))
        self.call("sacctmgr", "-i", "add", "cluster", "loopback")
        self.call("sacctmgr", "-i", "add", "account", "lab", "Organization=test")
        self.call("sacctmgr", "-i", "add", "user", _user(), "account=lab", "defaultaccount=lab")

    def _start_nodes(self) -> None:
        self._start("slurmctld", "-D")
        self.wait_for("slurmctld", lambda: self._works("scontrol", "ping"))
        for name in ("n1", "n2"):
            self._start("slurmd", "-D", "-N", name)
        self.wait_for("both nodes", lambda: self._idle() == 2)

    def _idle(self) -> int:
        return self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split().count("idle")

    def _start(self, *command: str) -> None:
        # a test that is killed leaves no daemon behind
        command = ("setpriv", "--pdeathsig", "TERM", *command)
        with (self.folder / f"{command[3]}-{len(self.processes)}.log").open("w") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    env=self.own,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def _works(self, *command: str) -> bool:
        done = subprocess.run(command, env=self.own, capture_output=True, timeout=60)
        return done.returncode == 0


def _search_path() -> str:
    """Debian keeps daemons in folders that an ordinary user's PATH lacks."""
    return os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _free_ports(count: int) -> Sequence[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
