"""A small room over real tables: notes, kept where keys are kept, because that table has every wall of the house."""

import asyncio
import os
import time
from dataclasses import dataclass
from itertools import count
from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel

from carrel.core.clock import now
from carrel.core.errors import Problem
from carrel.core.ids import uuid7
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.web import Page, Paged, Paging, Router, Scope, carries_secret, current, provided, requires
from carrel.infra.web.errors import TooManyRequests

ADD = """
    INSERT INTO api_keys (tenant_id, id, name, description, prefix, hash, scopes, created_at)
    VALUES (%(tenant)s, %(id)s, %(text)s, %(tag)s, '', %(hash)s, '{read}', %(now)s)
"""
PAGE = """
    SELECT id, name AS text, description AS tag FROM api_keys
    WHERE tenant_id = %(tenant)s AND (%(tag)s::text IS NULL OR description = %(tag)s)
      AND (%(after)s::uuid IS NULL OR id < %(after)s)
    ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT = """
    SELECT count(*) FROM api_keys
    WHERE tenant_id = %(tenant)s AND (%(tag)s::text IS NULL OR description = %(tag)s)
"""
SECRET = "the-secret-that-is-shown-once"


_counted = count()


def _next_id() -> UUID:
    """Later notes have larger ids, even within a millisecond."""
    return UUID(int=time.time_ns() << 48 | next(_counted))


class NoteTaken(Problem):
    """There is such a note."""

    code, title, status = "note-taken", "The note is taken", 409


class NewNote(BaseModel):
    text: str
    tag: str = ""
    more: dict[str, Any] = {}


class Note(BaseModel):
    """A note."""

    id: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    id: UUID
    text: str
    tag: str


class Notes:
    def __init__(self, scope: Scope) -> None:
        self.scope, self.db, self.tenant = scope, scope.db, scope.tenant

    async def add(self, new: NewNote) -> Note:
        note = Note(id=_next_id(), text=new.text)
        await self.db.execute(
            ADD, tenant=self.tenant, id=note.id, text=new.text, tag=new.tag, hash=os.urandom(16), now=now()
        )
        return note

    async def add_and_fail(self, how: str) -> Note:
        await self.add(NewNote(text=how))
        match how:
            case "problem":
                raise NoteTaken("This note is taken.", hint="Take another.", note_id=uuid7())
            case "limit":
                raise TooManyRequests("Too many notes.", retry_after=1.2)
            case "database":
                raise DatabaseUnavailable("The database does not answer.", retry_after=2)
            case "ignored":
                try:
                    await self.db.execute("SELECT 1 / 0")
                except Exception:  # noqa: BLE001  (a room that swallows what the database said)
                    return Note(id=uuid7(), text=how)
            case "cancelled":
                raise asyncio.CancelledError
        raise RuntimeError(f"secret detail at /etc/passwd: SELECT * FROM organizations WHERE id = '{self.tenant}'")

    async def page(self, paging: Paging, tag: str | None) -> Page[Row]:
        found = {"tenant": self.tenant, "tag": tag}
        total = await self.db.value(COUNT, **found) if paging.wants_total else None
        after = paging.after[0] if paging.after else None
        rows = await self.db.all(Row, PAGE, **found, after=after, limit=paging.fetch, offset=paging.offset or 0)
        return paging.page(rows, lambda row: [row.id], total=total)

    async def slowly(self, gate: asyncio.Event, new: NewNote) -> Note:
        note = await self.add(new)
        await gate.wait()
        return note


router = Router(prefix="/api/notes", tags=["notes"])
Service = Annotated[Notes, provided(Notes)]


@router.post("", operation_id="add_note", status_code=201, dependencies=[requires("write")])
async def add_note(new: NewNote, notes: Service, response: Response) -> Note:
    """Keep a note."""
    response.headers["ETag"] = '"1"'
    return await notes.add(new)


@router.get("", operation_id="list_notes", dependencies=[requires("read")])
async def list_notes(notes: Service, paging: Paged, tag: str | None = None) -> Page[Row]:
    """Your notes."""
    return await notes.page(paging, tag)


@router.get("/open", operation_id="open_note")
async def open_note() -> dict[str, bool]:
    """Everybody may see this."""
    return {"open": True}


@router.post("/secret", operation_id="add_secret", dependencies=[requires("admin"), carries_secret()])
async def add_secret(new: NewNote, notes: Service) -> dict[str, str]:
    """Shown once."""
    return {"secret": SECRET, "id": str((await notes.add(new)).id)}


@router.post("/echo", operation_id="echo", dependencies=[requires("search")])
async def echo(new: NewNote) -> NewNote:
    """What was sent."""
    return new


@router.post("/forms", operation_id="add_form", dependencies=[requires("write")])
async def add_form(request: Request, notes: Service) -> Note:
    """Reads its body by itself."""
    return await notes.add(NewNote(text=str(len(await request.body()))))


@router.post("/slow", operation_id="add_slowly", dependencies=[requires("write")])
async def add_slowly(new: NewNote, notes: Service, request: Request) -> Note:
    """Waits for the gate to be opened."""
    return await notes.slowly(request.app.state.gate, new)


@router.post("/waiting", operation_id="wait_for_note", status_code=202, dependencies=[requires("write")])
async def wait_for_note(new: NewNote, notes: Service, request: Request, response: Response) -> Note:
    """Answers once the commit can be seen by others."""
    response.headers["Location"] = "/api/jobs/1"
    return _seen_later(request, await notes.add(new))


@router.post("/fail/{how}", operation_id="fail", dependencies=[requires("write")])
async def fail(how: str, notes: Service) -> Note:
    """Keeps a note, then fails."""
    return await notes.add_and_fail(how)


@router.get("/{note_id}", operation_id="get_note", dependencies=[requires("read")])
async def get_note(note_id: int) -> dict[str, int]:
    """One note."""
    return {"id": note_id}


@router.delete("/{note_id}", operation_id="delete_note", status_code=204, dependencies=[requires("write")])
async def delete_note(note_id: int) -> None:
    """Nothing to see here."""


def _seen_later(request: Request, note: Note) -> Note:
    scope = current(request)

    async def seen() -> tuple[int, Note]:
        if note.text == "broken":
            raise RuntimeError("after the commit")
        async with scope.database.transaction(scope.db._role, scope.tenant) as db:
            found = await db.value(
                "SELECT name FROM api_keys WHERE id = %(id)s AND tenant_id = %(t)s", id=note.id, t=scope.tenant
            )
        return 200, Note(id=note.id, text=f"seen {found}")

    scope.after_commit = seen
    return note
