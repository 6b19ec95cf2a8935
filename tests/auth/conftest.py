"""Towns with people: one whose registration is open, without mail and with it."""

import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from carrel.infra import mail
from tests.auth import provider as process
from tests.auth.postbox import opened_postbox
from tests.auth.town import opened_town, settings_of
from tests.auth.world import opened_world


class LinkReader:
    """Stands where the log is, and keeps the links that are written there."""

    def __init__(self) -> None:
        self.links: list[str] = []

    def warning(self, event: str, **fields: str) -> None:
        assert event == "no mail server, the link is here"
        self.links.append(fields["link"])


@pytest.fixture
def links(monkeypatch):
    reader = LinkReader()
    monkeypatch.setattr(mail, "log", reader)
    return reader.links


@pytest.fixture
async def town(database, links):
    async with opened_town(database, settings_of()) as town:
        town.links = links
        yield town


@pytest.fixture
async def postbox():
    async with opened_postbox() as box:
        yield box


@pytest.fixture
async def mail_town(database, postbox):
    async with opened_town(database, settings_of(postbox=postbox)) as town:
        yield town


@pytest.fixture(scope="session")
def issuer():
    """The address of a provider that runs beside the tests."""
    command = [sys.executable, str(Path(process.__file__))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield f"http://127.0.0.1:{running.stdout.readline().strip()}"
        running.terminate()


@pytest.fixture
async def opened(database, links, issuer):
    """Opens a world with other settings."""
    async with AsyncExitStack() as stack:

        async def opened(**settings):
            return await stack.enter_async_context(opened_world(database, issuer, **settings))

        yield opened


@pytest.fixture
async def world(opened):
    return await opened()
