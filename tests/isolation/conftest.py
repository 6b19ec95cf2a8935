"""Two organisations side by side, each full of things that name their owner."""

import json
import re
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from carrel.core.ids import uuid7
from carrel.infra import mail
from tests.house import (
    Home,
    Organisation,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
)

__all__ = ["home_fixture", "house_dsn_fixture", "minilm_fixture", "running_home_fixture"]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LISTS = (
    "/api/documents",
    "/api/jobs",
    "/api/admin/jobs",
    "/api/admin/api-keys",
    "/api/organization/members",
    "/api/organization/invitations",
    "/api/admin/audit",
    "/api/organization/groups",
    "/api/collections",
)


PASSWORD = "four quiet herons 41"


@dataclass(frozen=True)
class Person:
    """Somebody who belongs to an organisation, with a session in it."""

    id: str
    email: str
    session: str
    access_token: str


@dataclass(frozen=True)
class Resident:
    """An organisation with something of every kind. `word` is in every text that it stores."""

    organisation: Organisation
    word: str
    document: str
    external_id: str
    failed: str
    waiting: str
    job: str
    waiting_job: str
    dead_job: str
    key: str
    chunk: str
    owner: Person
    member: Person
    invitation: str
    group: str
    collection: str
    domain: str
    cursors: dict[str, str]

    @property
    def home(self) -> Home:
        return self.organisation.home

    def marks(self) -> frozenset[str]:
        """Everything that only its owner may ever see: its word, and every id, prefix and cursor that it has."""
        rows = self.organisation.rows()
        ids = set(UUID.findall(json.dumps(rows)))
        prefixes = {key["prefix"] for key in rows["api_keys"]}
        return frozenset({self.word, *ids, *(one.replace("-", "") for one in ids), *prefixes, *self.cursors.values()})


@dataclass(frozen=True)
class Neighbours:
    """`us` asks, and must never learn anything of `them`."""

    us: Resident
    them: Resident


@pytest.fixture(scope="module", name="neighbours")
async def neighbours_fixture(running_home: Home) -> Neighbours:
    return Neighbours(await settled(running_home, "ours"), await settled(running_home, "theirs"))


async def settled(home: Home, side: str) -> Resident:
    """A new organisation with something of every kind: indexed, failed, waiting; jobs, keys and cursors."""
    word = f"{side}{uuid7().hex}"
    organisation = await home.organisation(word)
    async with home.working():
        about: dict[str, Any] = {
            "title": f"Title {word}",
            "tags": [word],
            "metadata": {word: word},
            "source_url": f"https://{word}.test/{word}",
            "filename": f"{word}.md",
            "mime_type": "text/markdown",
        }
        text = "\n\n".join(
            f"# Part {part} of {word}\n\n" + f"The lease of {word} ends in May. " * 30 for part in range(2)
        )
        first = await organisation.indexed(text, external_id=f"first {word}", **about)
        await organisation.indexed(text, external_id=f"second {word}", **about)
        upload = await organisation.upload(
            bytes(range(256)) * 8, f"{word}.bin", title=word, external_id=f"third {word}"
        )
        failed = await organisation.ended(upload.json()["id"])
    waiting = await organisation.add(f"Waiting {word}", external_id=f"fourth {word}", **about)
    sleep(home, waiting["job_id"])
    looks = await organisation.call("PATCH", "/api/organization/branding", json={"display_name": word})
    assert looks.status_code == 200, looks.text
    owner = await hired(organisation, "owner", word)
    member = await hired(organisation, "member", word)
    open_one = await invited(organisation, "viewer", f"guest@{word}.test")
    await invited(organisation, "viewer", f"another@{word}.test")
    group, _ = [await made(organisation, "/api/organization/groups", name=f"{n} {word}") for n in range(2)]
    await organisation.call("PUT", f"/api/organization/groups/{group}/members/{member.id}")
    collection, _ = [await made(organisation, "/api/collections", name=f"{n} {word}") for n in range(2)]
    moved = await organisation.call("PATCH", f"/api/documents/{failed['id']}", json={"collection": collection})
    assert moved.status_code == 200, moved.text
    chunks = f"/api/documents/{first['id']}/chunks"
    cursors = {path: (await organisation.get(path, limit=1))["next_cursor"] for path in (*LISTS, chunks)}
    assert all(cursors.values())
    return Resident(
        organisation=organisation,
        word=word,
        document=first["id"],
        external_id=first["external_id"],
        failed=failed["id"],
        waiting=waiting["id"],
        job=first["job_id"],
        waiting_job=waiting["job_id"],
        dead_job=failed["job_id"],
        key=organisation.key_ids["read"],
        chunk=(await organisation.get(chunks))["data"][0]["id"],
        owner=owner,
        member=member,
        invitation=open_one["id"],
        group=group,
        collection=collection,
        domain=await made(organisation, "/api/organization/domains", host=f"{word}.example.org"),
        cursors=cursors,
    )


class Letters:
    """Stands where the log of the mail is, and keeps the links that are written there."""

    def __init__(self) -> None:
        self.links: list[str] = []

    def warning(self, event: str, **fields: str) -> None:
        self.links.append(fields["link"])


async def invited(organisation: Organisation, role: str, email: str) -> dict[str, Any]:
    answer = await organisation.call("POST", "/api/organization/invitations", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def made(organisation: Organisation, path: str, **body: Any) -> str:
    answer = await organisation.call("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def hired(organisation: Organisation, role: str, word: str) -> Person:
    """Somebody new, who has accepted an invitation."""
    forget_attempts(organisation.home)
    email = f"{role}{uuid7().hex}@{word}.test"
    with pytest.MonkeyPatch.context() as patch:
        letters = Letters()
        patch.setattr(mail, "log", letters)
        await invited(organisation, role, email)
    token = letters.links[-1].partition("#token=")[2]
    answer = await organisation.home.http.post(
        "/api/auth/invitations/accept", json={"token": token, "password": PASSWORD, "name": f"{role} {word}"}
    )
    assert answer.status_code == 201, answer.text
    return await signed_in(organisation.home, email, answer.json())


async def signed_in(home: Home, email: str, tokens: dict[str, Any]) -> Person:
    """The person that a login has led to."""
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    sessions = (await home.http.get("/api/auth/sessions", headers=headers)).json()["data"]
    [current] = [session["id"] for session in sessions if session["current"]]
    return Person(tokens["user"]["id"], email, current, tokens["access_token"])


def forget_attempts(home: Home) -> None:
    """All tests call from one address, which would soon be told to wait."""
    with psycopg.connect(home.dsn, autocommit=True) as connection:
        connection.execute("DELETE FROM login_attempts")


def sleep(home: Home, job_id: str) -> None:
    """Let a job wait for tomorrow, so that no worker of another test takes it."""
    with psycopg.connect(home.dsn, autocommit=True) as connection:
        changed = connection.execute(
            "UPDATE jobs SET due = false, run_at = now() + interval '1 day' WHERE id = %s AND state = 'queued'",
            [job_id],
        )
        assert changed.rowcount == 1
