"""Sending files to a server and following them until they are indexed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import typer

from carrel.core.ids import uuid7
from carrel.entry.cli.client import code_of, contacted, refusal, understood, unreachable
from carrel.entry.cli.files import Found, Item, printable
from carrel.entry.cli.patience import BUSY, each, patiently
from carrel.entry.cli.progress import stage
from carrel.entry.cli.screen import say
from carrel.infra.settings import Settings

AT_A_TIME = 4
"""Enough to keep a server busy while another file is read; more would only wait in its queue."""
HOPELESS = {401, 403, 507, *BUSY}
"""Refusals that meet every file alike: the key, a right that it lacks, a quota, a full disk; and lasting trouble."""
FIRST_LOOK, LONGEST_LOOK = 0.1, 1.0


@dataclass(slots=True)
class Tally:
    """What has become of the files so far."""

    there: int = 0
    added: dict[str, Item] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)

    def fail(self, name: str, reason: str) -> None:
        self.failed.append((name, reason))

    def __str__(self) -> str:
        return f"added {len(self.added)}, already there {self.there}, failed {len(self.failed)}"


def send(settings: Settings, found: Found, *, tags: Sequence[str], wait: bool) -> bool:
    """Send every file, name each that failed, print the counts; whether nothing failed.

    The counts are printed however it ends, since what was added stays added.
    """
    server = contacted(settings)
    tally = Tally(failed=list(found.unreadable))
    courier = Courier(tally, [printable(tag) for tag in tags])
    try:
        asyncio.run(_send(server.options(), found.items, courier, wait=wait))
    except httpx.TransportError as error:
        raise unreachable(server.url, error) from error
    finally:
        for name, reason in sorted(tally.failed):
            say(f"failed: {name}: {reason}")
        typer.echo(str(tally))
    return not tally.failed


async def _send(options: dict[str, Any], items: Sequence[Item], courier: "Courier", *, wait: bool) -> None:
    async with httpx.AsyncClient(**options) as client:
        with stage("Sent", len(items)) as advance:
            await each(items, lambda item: courier.deliver(client, item, advance), at_a_time=AT_A_TIME)
        if wait and courier.tally.added:
            waiting = list(courier.tally.added.items())
            with stage("Indexed", len(waiting)) as advance:
                await each(waiting, lambda one: courier.follow(client, *one, advance), at_a_time=AT_A_TIME)


@dataclass(frozen=True, slots=True)
class Courier:
    """Brings files to the server and writes down what became of each."""

    tally: Tally
    tags: Sequence[str]

    async def deliver(self, client: httpx.AsyncClient, item: Item, advance: Callable[[], None]) -> None:
        """Send one file. However often it has to be tried, it is added once. Raises what would meet every file."""
        key = str(uuid7())
        try:
            answer = await patiently(lambda: self._post(client, item, key))
        except OSError as error:
            self.tally.fail(item.external_id, f"it cannot be read: {error.strerror or error}")
        except httpx.LocalProtocolError:
            self.tally.fail(item.external_id, "it was changed while it was sent")
        else:
            self._note(item, answer)
        advance()

    async def follow(
        self, client: httpx.AsyncClient, document_id: str, item: Item, advance: Callable[[], None]
    ) -> None:
        """Wait until a document is indexed or has failed; deleted by somebody else meanwhile counts as failed."""
        pause = FIRST_LOOK
        while (document := await self._look(client, document_id)) is not None:
            if document["status"] == "indexed":
                break
            if document["status"] == "failed":
                self._fail(document_id, item, (document["error"] or {}).get("detail") or "no reason was given")
                break
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK)
        else:
            self._fail(document_id, item, "it was deleted before it was indexed")
        advance()

    async def _post(self, client: httpx.AsyncClient, item: Item, key: str) -> httpx.Response:
        with item.path.open("rb") as file:
            return await client.post(
                "/api/documents",
                data={"external_id": item.external_id, "tags": list(self.tags)},
                files={"file": (printable(item.path.name), file)},
                headers={"Idempotency-Key": key},
            )

    def _note(self, item: Item, answer: httpx.Response) -> None:
        if answer.status_code in HOPELESS or answer.is_success:
            self.tally.added[understood(answer)["id"]] = item
        elif code_of(answer) == "external-id-exists":
            self.tally.there += 1
        else:
            problem = refusal(answer)
            self.tally.fail(item.external_id, " ".join(filter(None, (problem.detail, problem.hint))))

    def _fail(self, document_id: str, item: Item, reason: str) -> None:
        del self.tally.added[document_id]
        self.tally.fail(item.external_id, reason)

    async def _look(self, client: httpx.AsyncClient, document_id: str) -> dict[str, Any] | None:
        answer = await patiently(lambda: client.get(f"/api/documents/{document_id}"))
        if answer.status_code == 404:
            return None
        document: dict[str, Any] = understood(answer)
        return document
