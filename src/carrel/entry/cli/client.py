"""Speaking to a server: which one, with which key, and what its refusals mean."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from carrel.auth import keyfile
from carrel.core.errors import Problem
from carrel.entry.cli.configuration import SettingInvalid
from carrel.entry.supervisor import read_run_file
from carrel.infra.settings import Client, Settings

THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}
TIMEOUT = httpx.Timeout(120, connect=5)


class NoServer(Problem):
    """No server answers where one was looked for."""

    code, title, status = "no-server", "No server answers", 503


class KeyUnusable(Problem):
    """The command line has no key that the server accepts."""

    code, title, status = "key-unusable", "The key cannot be used", 401


class Refused(Problem):
    """The server has refused what the command asked of it."""

    code, title, status = "refused", "The server refused", 400


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and the key to it."""

    url: str
    key: str

    def options(self) -> dict[str, Any]:
        """What a client of httpx is made with."""
        return {
            "base_url": self.url,
            "headers": {"X-API-Key": self.key},
            "timeout": TIMEOUT,
            # A proxy of this machine's environment is for the way out of it.
            "trust_env": not _is_here(self.url),
        }


def find(settings: Settings) -> Server:
    """The server that CARREL_URL names, else the one that runs on the data directory. Raises `NoServer`."""
    client, data_dir = Client(), settings.data_dir.expanduser().absolute()
    if client.url is not None:
        url = _checked(client.url)
    elif (running := read_run_file(data_dir)) is not None:
        url = running.url
    else:
        raise NoServer(
            f"No server runs on the data directory {data_dir}.",
            hint="Start one with `carrel serve`, or set CARREL_URL to the address of another.",
        )
    if client.api_key is not None:
        return Server(url, client.api_key.get_secret_value())
    # The administrator's key never leaves this machine by itself.
    key = _own_key(settings) if _is_here(url) else None
    if key is None:
        raise KeyUnusable(f"There is no key for the server at {url}.", hint="Set CARREL_API_KEY to one of its keys.")
    return Server(url, key)


def contacted(settings: Settings) -> Server:
    """The server that is meant, known to answer. Raises `NoServer` or `KeyUnusable`."""
    server = find(settings)
    try:
        with httpx.Client(**server.options()) as client:
            understood(client.get("/health"))
    except httpx.TransportError as error:
        raise unreachable(server.url, error) from error
    return server


def unreachable(url: str, error: httpx.TransportError) -> NoServer:
    return NoServer(
        f"No server answers at {url}: {(str(error) or type(error).__name__).rstrip('.')}.",
        hint="Start it with `carrel serve`, or set CARREL_URL to the right address.",
    )


def understood(answer: httpx.Response) -> Any:
    """The JSON of an answer. A refusal is raised in the server's own words."""
    if not answer.is_success:
        raise refusal(answer)
    told = _told(answer)
    if told is None:
        raise NoServer(
            f"What answers at {_origin(answer)} is no Carrel server.", hint="Set CARREL_URL to the address of one."
        )
    return told


def refusal(answer: httpx.Response) -> Problem:
    """Why the server refused, with the wrong fields where it names some."""
    if answer.status_code == 401:
        return KeyUnusable(
            f"The server at {_origin(answer)} does not accept the key.",
            hint="Set CARREL_API_KEY to one of its keys; that of the administrator is in admin.key in its DATA_DIR.",
        )
    told = _told(answer)
    if not isinstance(told, dict) or "detail" not in told:
        return Refused(
            f"The server at {_origin(answer)} answered with status {answer.status_code} and no reason.",
            hint="Look into its log.",
        )
    fields = [f"{field['field']}: {field['message']}" for field in told.get("errors") or []]
    return Refused(told["detail"], hint="; ".join(fields) if len(fields) > 1 else told.get("hint"))


def code_of(answer: httpx.Response) -> str | None:
    """The stable name of a refusal."""
    told = _told(answer)
    return told.get("code") if isinstance(told, dict) else None


def _told(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise SettingInvalid(
            "CARREL_URL cannot be used: it is no address of a server.", hint="Write it as http://127.0.0.1:8080."
        )
    return url.rstrip("/")


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in THIS_MACHINE


def _own_key(settings: Settings) -> str | None:
    if settings.admin_api_key is not None:
        return settings.admin_api_key.get_secret_value()
    return keyfile.read(settings.data_dir.expanduser() / keyfile.NAME)


def _origin(answer: httpx.Response) -> str:
    return f"{answer.request.url.scheme}://{answer.request.url.netloc.decode()}"
