"""The token that a JupyterHub gives a user's server: sent to services of that hub, and to nobody else."""

from __future__ import annotations

import pytest

import vidu_nb as vidu
from vidu_nb.net.credentials import hub_token

TOKEN = "0123456789abcdef0123456789abcdef"
#: As a hub's spawner sets it where it has one host, and an address of its own inside.
INSIDE = {"JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api", "JUPYTERHUB_BASE_URL": "/", "JUPYTERHUB_HOST": ""}
PUBLIC = INSIDE | {"JUPYTERHUB_HOST": "https://hub.example.edu"}
BELOW = INSIDE | {"JUPYTERHUB_BASE_URL": "/jupyter/", "JUPYTERHUB_PUBLIC_HUB_URL": "https://example.edu/jupyter/hub/"}


@pytest.fixture
def hub(monkeypatch):
    for name in (*BELOW, "JUPYTERHUB_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def set_all(environment, token=TOKEN):
        for name, value in (environment | {"JUPYTERHUB_API_TOKEN": token}).items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (INSIDE, "http://127.0.0.1:8000/services/vidu"),
        (INSIDE, "http://127.0.0.1/services/vidu/v1"),
        (PUBLIC, "https://hub.example.edu/services/vidu"),
        (PUBLIC, "https://HUB.example.edu:443/services/vidu/"),
        (BELOW, "https://example.edu/jupyter/services/vidu"),
    ],
)
def test_a_service_of_the_hub_gets_the_token(hub, environment, url):
    """Below the hub's own address, under whatever prefix it has."""
    hub(environment)
    assert hub_token(url).reveal() == TOKEN


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        (INSIDE, "http://evil.example/services/vidu"),
        (INSIDE, "http://127.0.0.1.evil.example/services/vidu"),
        (INSIDE, "http://127.0.0.1@evil.example/services/vidu"),
        (INSIDE, "http://someone@127.0.0.1:8000/services/vidu"),
        (INSIDE, "http://@127.0.0.1:8000/services/vidu"),
        (INSIDE, "https://127.0.0.1:8000/services/vidu"),
        (INSIDE, "http://127.0.0.1:8000/user/mallory/services/vidu"),
        (INSIDE, "http://127.0.0.1:8000/services/../user/mallory"),
        (INSIDE, "http://127.0.0.1:8000/services/%2e%2e/user/mallory"),
        (INSIDE, "http://127.0.0.1:8000/services/%2E%2e/user/mallory"),
        (INSIDE, "http://127.0.0.1:8000/services/%252e%252e/user/mallory"),
        (INSIDE, "http://127.0.0.1:8000/services/..;/user/mallory"),
        (INSIDE, "http://127.0.0.1:8000/services/./vidu"),
        (INSIDE, "http://127.0.0.1:8000/services//evil.example"),
        (INSIDE, "http://127.0.0.1:8000/services/vidu\\..\\..\\user"),
        (INSIDE, "http://127.0.0.1:8000/services/vidu%2f..%2f..%2fuser"),
        (INSIDE, "http://127.0.0.1:8000\\@evil.example/services/vidu"),
        (INSIDE, "http://127.0.0.1:8000/services/vidu?next=//evil.example"),
        (INSIDE, "http://127.0.0.1:8000/services/vidu#@evil.example"),
        (INSIDE, "http://127.0.0.1:8000/services/"),
        (INSIDE, "http://127.0.0.1:8000/services"),
        (INSIDE, "http://127.0.0.1:8000/servicesvidu"),
        (INSIDE, "http://127.0.0.1:99999/services/vidu"),
        (INSIDE, "http://[::1/services/vidu"),
        (INSIDE, "/services/vidu"),
        (INSIDE, ""),
        (INSIDE, None),
        (PUBLIC, "https://hub.example.edu:8443/services/vidu"),
        (PUBLIC, "http://hub.example.edu/services/vidu"),
        (PUBLIC, "https://anna.hub.example.edu/services/vidu"),
        (PUBLIC, "http://127.0.0.1:8000/services/vidu"),
        (BELOW, "https://example.edu/services/vidu"),
        (BELOW, "https://example.edu/jupyterx/services/vidu"),
        ({}, "http://127.0.0.1:8000/services/vidu"),
        ({"JUPYTERHUB_BASE_URL": "/"}, "http:///services/vidu"),
    ],
)
def test_nobody_else_gets_it(hub, environment, url):
    """Another host, scheme, port or user, a way out of the services' path, or no hub at all: no token."""
    hub(environment)
    assert hub_token(url) is None


def test_without_a_token_there_is_none(hub):
    """An empty one counts as none."""
    hub(INSIDE, token=" ")
    assert hub_token("http://127.0.0.1:8000/services/vidu") is None


def test_a_key_of_ones_own_comes_first(hub, monkeypatch):
    """Who sets a key means it; the hub's token is for those who have set none."""
    hub(INSIDE)
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:8000/services/vidu")
    assert vidu.Client.from_env()._session.engine.key.reveal() == TOKEN
    monkeypatch.setenv("SEGMIND_API_KEY", "a-key-of-my-own")
    assert vidu.Client.from_env()._session.engine.key.reveal() == "a-key-of-my-own"


@pytest.mark.parametrize("record", ["https://evil.example/history", "http://127.0.0.1:8000/user/mallory/history"])
def test_no_record_elsewhere_gets_it(hub, monkeypatch, record):
    """A record of calls in another place than below the hub is not asked with the hub's token."""
    hub(INSIDE)
    monkeypatch.setenv("SEGMIND_BASE_URL", "http://127.0.0.1:8000/services/vidu")
    assert vidu.Client.from_env()._session.engine.record_url.endswith("/services/vidu")
    monkeypatch.setenv("VIDU_NB_HISTORY_URL", record)
    assert vidu.Client.from_env()._session.engine.record_url == ""


def test_without_a_service_of_the_hub_nothing_changes(hub, monkeypatch):
    """On a hub without a gateway, a server without a key makes free previews, as everywhere."""
    hub(INSIDE)
    monkeypatch.delenv("SEGMIND_BASE_URL", raising=False)
    assert vidu.Client.from_env().engine == "preview"
