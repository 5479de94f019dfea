"""A real JupyterHub with its proxy, on this machine alone; ended by the process ids that were started."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from websocket import create_connection

PROXY = "configurable-http-proxy"
PASSWORD = "password-of-the-class"
_TOKEN = uuid.uuid4().hex  # of the service by which the tests ask the hub for things

CONFIGURATION = """
import json
from pathlib import Path

facts = json.loads(Path({facts!r}).read_text())
c = get_config()
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = facts["password"]
c.Authenticator.allow_all = True
c.Authenticator.admin_users = set(facts["admins"])
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = facts["homes"]
c.Spawner.cmd = facts["singleuser"]
c.Spawner.environment = {{"SEGMIND_BASE_URL": facts["url"] + "/services/vidu"}}
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.JupyterHub.bind_url = facts["url"]
c.JupyterHub.hub_bind_url = facts["hub_url"]
c.ConfigurableHTTPProxy.api_url = facts["proxy_api"]
c.ConfigurableHTTPProxy.command = facts["proxy"]
c.JupyterHub.services = [
    {{
        "name": "vidu", "url": facts["service_url"], "command": facts["gateway"], "oauth_no_confirm": True,
    }},
    {{"name": "tests", "api_token": facts["token"]}},
]
c.JupyterHub.load_groups = {{"film": {{"users": facts["film"]}}}}
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service=vidu"]}},
    {{"name": "server", "scopes": ["access:servers!server", "users:activity!user", "access:services!service=vidu"]}},
    {{"name": "vidu-gateway", "scopes": ["read:users", "read:groups"], "services": ["vidu"]}},
    {{"name": "tests", "scopes": ["admin:users", "admin:servers", "access:servers", "tokens"], "services": ["tests"]}},
]
"""


def proxy_program() -> str:
    """The hub's proxy, or a skipped test that says how to get it; where CI is set it has to be there."""
    installed = Path(sys.prefix) / "proxy" / "node_modules" / ".bin" / PROXY
    found = str(installed) if installed.is_file() else shutil.which(PROXY)
    if found and shutil.which("node"):
        return found
    if os.environ.get("CI"):
        raise AssertionError(f"{PROXY} is missing: make proxy installs it with npm")
    pytest.skip(f"{PROXY} is missing: make proxy installs it, where there is npm")


@dataclass(frozen=True)
class Hub:
    """A hub that runs."""

    url: str
    database: Path

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Ask the hub's API as the tests' service."""
        headers = {"Authorization": f"token {_TOKEN}"}
        return requests.request(method, f"{self.url}/hub/api{path}", headers=headers, json=body, timeout=60)

    def start_servers(self, *names: str) -> None:
        """Start the servers of users side by side, and wait until each answers."""
        for name in names:
            assert self.ask("POST", f"/users/{name}/server").status_code in (201, 202)
        for name in names:
            _wait(lambda name=name: self.ask("GET", f"/users/{name}").json()["servers"][""]["ready"], "a user's server")

    def token(self, name: str, *scopes: str) -> str:
        """A new token of a user with these scopes, or with all that they have."""
        answer = self.ask("POST", f"/users/{name}/tokens", {"scopes": list(scopes)} if scopes else {})
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def put(self, name: str, notebook: Path) -> None:
        """Put a notebook into a user's own folder."""
        headers = {"Authorization": f"token {self.token(name)}"}
        body = {"type": "notebook", "content": json.loads(notebook.read_text())}
        where = f"{self.url}/user/{name}/api/contents/{notebook.name}"
        answer = requests.put(where, json=body, headers=headers, timeout=60)
        assert answer.status_code in (200, 201), answer.text

    def run(self, name: str, notebook: Path) -> list[str]:
        """Run a notebook's cells in a user's own server, and return what each printed or raised."""
        headers = {"Authorization": f"token {self.token(name)}"}
        server = f"{self.url}/user/{name}"
        content = json.loads(notebook.read_text())
        self.put(name, notebook)
        kernel = requests.post(f"{server}/api/kernels", json={"name": "python3"}, headers=headers, timeout=60).json()
        where = server.replace("http", "ws", 1) + f"/api/kernels/{kernel['id']}/channels"
        connection = create_connection(where, header=headers, timeout=120)
        with contextlib.closing(connection):
            return [_run_cell(connection, "".join(cell["source"])) for cell in content["cells"]]


def _run_cell(connection: Any, code: str) -> str:
    """Run one cell, and return what it printed and raised."""
    header = {
        "msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "tests", "username": "", "version": "5.3",
    }  # fmt: skip
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    wanted = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps(wanted))
    printed = []
    while True:
        message = json.loads(connection.recv())
        if message["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            printed.append(content["text"])
        elif kind == "error":
            printed.append(f"{content['ename']}: {content['evalue']}")
        elif kind == "status" and content["execution_state"] == "idle":
            return "".join(printed)


@contextmanager
def jupyter_hub(
    folder: Path, gateway: list[str], *, users: list[str], admins: list[str], film: list[str]
) -> Iterator[Hub]:
    """A hub whose service is a gateway, started with these options."""
    program = proxy_program()
    ports = _free_ports(4)
    url, hub_url, proxy_api, service_url = (f"http://127.0.0.1:{port}" for port in ports)
    scripts = Path(sys.executable).parent
    facts = {
        "password": PASSWORD, "admins": admins, "film": film, "token": _TOKEN, "proxy": [program],
        "url": url, "hub_url": hub_url, "proxy_api": proxy_api, "service_url": service_url,
        "homes": str(folder / "homes" / "{username}"),
        "singleuser": [str(scripts / "jupyterhub-singleuser"), "--allow-root"],
        "gateway": [str(scripts / "vidu-nb"), "gateway", "--jupyterhub", *gateway],
    }  # fmt: skip
    (folder / "facts.json").write_text(json.dumps(facts))
    configuration = folder / "jupyterhub_config.py"
    configuration.write_text(CONFIGURATION.format(facts=str(folder / "facts.json")))
    (folder / "homes").mkdir()
    command = [sys.executable, "-m", "jupyterhub", "-f", str(configuration)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SEGMIND_", "VIDU_NB_"))}
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait(lambda: _answers(process, f"{url}/hub/api/"), "the hub")
            _wait(lambda: _answers(process, f"{url}/services/vidu/health"), "the gateway")
            running = Hub(url, folder / "jupyterhub.sqlite")
            assert running.ask("POST", "/users", {"usernames": users}).status_code == 201
            yield running
        finally:
            process.terminate()  # it ends the proxy, the servers and the gateway
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    assert process.poll() is None, "the hub ended by itself: see hub.log"
    return requests.get(url, timeout=5).status_code == 200


def _wait(ready: Callable[[], bool], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if ready():
                return
        time.sleep(0.1)  # between two looks at a bounded wait
    raise AssertionError(f"{what} did not answer within {seconds} s")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each another one."""
    with contextlib.ExitStack() as open_ones:
        sockets = [open_ones.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
