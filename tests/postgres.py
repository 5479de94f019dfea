"""A PostgreSQL for tests: on a port and in a folder of its own, run by a user who is not root, gone at the end."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER = "postgres"  # whom Debian's package makes: the server refuses to run as root
_SETTINGS = "-c fsync=off -c max_connections=200"


def programs():
    """Where PostgreSQL's own programs lie, None where it isn't installed."""
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(re.sub(r"\D", "", str(path)) or 0))
    return next((path for path in reversed(found) if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


class Postgres:
    """A server; a context manager."""

    def __init__(self):
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data = self.folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)

    def __enter__(self):
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", USER, "--no-sync")
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {_SETTINGS}"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        """End it at once, whoever is connected."""
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def url(self, name):
        """The URL of a new, empty database."""
        import psycopg

        address = f"{USER}@127.0.0.1:{self.port}"
        with psycopg.connect(f"postgresql://{address}/postgres", autocommit=True) as db:
            db.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://{address}/{name}"

    def run(self, program, *arguments):
        """Run one of its programs as a user who may."""
        command = [str(self.programs / program), *map(str, arguments)]
        who = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **who)
