"""``vidu-nb gateway``: one key for a class."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from ..console import write
from ..errors import ViduError, one_line
from ..net.connection import is_this_machine


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    command.add_argument("--roster", type=Path, metavar="CSV", help="who may use it: columns name and, if wanted, usd")
    command.add_argument("--each-usd", type=_usd, default=2.0, metavar="N", help="dollars for each person (default: 2)")
    command.add_argument("--total-usd", type=_usd, required=True, metavar="N", help="dollars for all together")
    command.add_argument("--archive", type=Path, metavar="DIR", help="where clips are kept (default: vidu_archive)")
    command.add_argument("--port", type=int, default=0, help="the port (default: 0, any free one)")
    command.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    command.add_argument("--upstream", metavar="URL", help="the service (default: the hosted one)")
    command.add_argument("--key-file", type=Path, metavar="FILE", help="a file of mode 600 with the service's key")
    command.add_argument("--ledger", metavar="URL", help="the database (default: a SQLite file in the archive)")
    command.add_argument(
        "--tokens", type=Path, default=Path("class-tokens.csv"), metavar="CSV",
        help="where new tokens are written, once (default: class-tokens.csv)",
    )  # fmt: skip
    command.add_argument("--at-once", type=int, default=2, metavar="N", help="calls a person may have running")
    command.add_argument("--jupyterhub", action="store_true", help="run as a service of a JupyterHub, for its users")
    command.add_argument("--budgets", type=Path, metavar="CSV", help="dollars for a hub's users, or for group:NAME")
    command.add_argument(
        "--new-token", action="append", default=[], metavar="NAME", help="write another token for NAME"
    )
    command.add_argument("--open-wall", action="store_true", help="show everybody's clips to everybody in the class")
    command.add_argument("--public-url", metavar="URL", help="what people type, where that is another name")
    command.add_argument("--certfile", type=Path, metavar="PEM", help="a certificate, for TLS")
    command.add_argument(
        "--keyfile", type=Path, metavar="PEM", help="the certificate's key, where it isn't in the same file"
    )
    command.add_argument(
        "--proxy-headers", metavar="ADDRESSES",
        help="believe X-Forwarded-For and X-Forwarded-Proto of proxies at these addresses (with commas between)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    from ..gateway.people import renew
    from ..gateway.server import GatewayServer
    from ..gateway.start import Options, gateway_state, hub_service

    names = (
        "roster", "each_usd", "total_usd", "archive", "upstream", "key_file", "ledger", "tokens", "at_once", "budgets",
    )  # fmt: skip
    options = Options(**{name: getattr(arguments, name) for name in names})
    new: list[str] = []
    hub = hub_service(options) if arguments.jupyterhub else None
    if hub:
        state, host, port = hub.state, hub.host, hub.port
        proxies = arguments.proxy_headers or "127.0.0.1"  # the hub's, which may end TLS
    else:
        state, new = gateway_state(options)
        host, port, proxies = arguments.host, arguments.port, arguments.proxy_headers
    if new:
        write(f"{len(new)} tokens written to {arguments.tokens}: hand them out, then delete the file", sys.stderr)
    for name in arguments.new_token:
        renew(state.ledger, name, arguments.tokens)
        write(f"another token for {one_line(name, 100)} written to {arguments.tokens}", sys.stderr)
    if not (is_this_machine(host) or arguments.certfile or proxies):
        write("warning: tokens travel unencrypted: use --certfile, or put a proxy with TLS before it", sys.stderr)
    problem = ""
    try:
        server = GatewayServer(
            state, host=host, port=port, public_url=arguments.public_url, certfile=arguments.certfile,
            keyfile=arguments.keyfile, proxies=proxies, open_wall=arguments.open_wall, hub=hub.people if hub else None,
        )  # fmt: skip
    except OSError as error:
        problem = error.strerror or "it is taken"
    if problem:
        raise ViduError(f"port {port} can't be used: {problem}", remedy="Choose another, or --port 0.")
    server.on_ready(lambda: write(f"serving {server.base_url}"))
    server.run()


def _usd(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("must be 0 or more US dollars")
    return value
