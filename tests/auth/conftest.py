"""Towns with people: one whose registration is open, without mail and with it."""

import pytest

from carrel.infra import mail
from tests.auth.postbox import opened_postbox
from tests.auth.town import opened_town, settings_of


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
