"""Whatever documents say of their readers and whoever asks: what is seen is what the rule allows, everywhere."""

import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.core.access import Access
from tests.access.conftest import View, Window, group_of, made
from tests.house import Home, Organisation

pytestmark = pytest.mark.anyio

TAGS = ("red", "green", "blue")
DOCUMENTS, COLLECTIONS, GROUPS = 12, 3, 3
KINDS = ("hybrid", "keyword", "semantic")


@dataclass
class Entry:
    """What the test knows of a document."""

    id: str
    job: str
    size: int
    chunks: int
    tags: frozenset[str]
    collection: str | None
    readers: frozenset[str] | None


@dataclass
class Library:
    """An organisation with documents of all kinds, and what must be true of them."""

    organisation: Organisation
    window: Window
    groups: list[str]
    collections: dict[str, frozenset[str] | None]
    documents: list[Entry]

    def allows(self, access: Access, entry: Entry) -> bool:
        """The rule, written down a second time."""
        closed = self.collections.get(entry.collection or "")
        if access.readers is not None:
            for readers in (entry.readers, closed):
                if readers is not None and not readers & access.readers:
                    return False
        if access.documents is not None and UUID(entry.id) not in access.documents:
            return False
        if access.collections is not None and entry.collection not in {str(one) for one in access.collections}:
            return False
        return all(entry.tags & wanted for wanted in access.tags)

    def allows_collection(self, access: Access, collection: str) -> bool:
        readers = self.collections[collection]
        if access.readers is not None and readers is not None and not readers & access.readers:
            return False
        if access.collections is not None and UUID(collection) not in access.collections:
            return False
        if not access.tags and access.documents is None:
            return True
        return any(entry.collection == collection and self.allows(access, entry) for entry in self.documents)

    async def change(self, change: "Change") -> None:
        if change.collection is not None:
            place = list(self.collections)[change.collection]
            readers = self.named(change.readers)
            await self._patch(f"/api/collections/{place}", readers=readers)
            self.collections[place] = None if readers is None else frozenset(readers)
            return
        entry = self.documents[change.document]
        entry.tags, entry.collection = change.tags, self.placed(change.place)
        readers = self.named(change.readers)
        entry.readers = None if readers is None else frozenset(readers)
        await self._patch(
            f"/api/documents/{entry.id}", tags=sorted(entry.tags), collection=entry.collection, readers=readers
        )

    def named(self, numbers: frozenset[int] | None) -> list[str] | None:
        return None if numbers is None else sorted(self.groups[number] for number in numbers)

    def placed(self, number: int | None) -> str | None:
        return None if number is None else list(self.collections)[number]

    async def _patch(self, path: str, **body: Any) -> None:
        answer = await self.organisation.call("PATCH", path, json=body)
        assert answer.status_code == 200, answer.text


@dataclass(frozen=True)
class Change:
    """A collection that gets other readers, or a document that gets other labels."""

    collection: int | None
    document: int
    tags: frozenset[str]
    place: int | None
    readers: frozenset[int] | None


@dataclass(frozen=True)
class Who:
    """What somebody reaches, by number."""

    tags: tuple[frozenset[str], ...]
    collections: frozenset[int] | None
    documents: frozenset[int] | None
    readers: frozenset[int] | None

    def access(self, library: Library) -> Access:
        places = list(library.collections)
        return Access(
            tags=self.tags,
            collections=None if self.collections is None else frozenset(UUID(places[one]) for one in self.collections),
            documents=None
            if self.documents is None
            else frozenset(UUID(library.documents[one].id) for one in self.documents),
            readers=None if self.readers is None else frozenset(library.groups[one] for one in self.readers),
        )


tags = st.frozensets(st.sampled_from(TAGS), max_size=2)
some_groups = st.frozensets(st.integers(0, GROUPS - 1), min_size=1, max_size=2)
changes = st.builds(
    Change,
    collection=st.none() | st.integers(0, COLLECTIONS - 1),
    document=st.integers(0, DOCUMENTS - 1),
    tags=tags,
    place=st.none() | st.integers(0, COLLECTIONS - 1),
    readers=st.none() | some_groups,
)
everybody = st.builds(
    Who,
    tags=st.lists(st.frozensets(st.sampled_from(TAGS), max_size=2), max_size=2).map(tuple),
    collections=st.none() | st.frozensets(st.integers(0, COLLECTIONS - 1), max_size=2),
    documents=st.none() | st.frozensets(st.integers(0, DOCUMENTS - 1), max_size=6),
    readers=st.none() | st.frozensets(st.integers(0, GROUPS - 1), max_size=2),
)
members = st.builds(
    Who,
    tags=st.just(()),
    collections=st.none(),
    documents=st.none(),
    readers=st.frozensets(st.integers(0, GROUPS - 1), max_size=2),
)


@pytest.fixture(scope="module", name="library")
async def library_fixture(running_home: Home, window: Window) -> Library:
    """Documents in a fixed disorder, half of them restricted in some way."""
    chance = random.Random(7)
    acme = await running_home.organisation("Library")
    groups = [await group_of(acme) for _ in range(GROUPS)]
    collections: dict[str, frozenset[str] | None] = {}
    for number, readers in enumerate((None, groups[:1], groups[1:])):
        made_one = await made(acme, "/api/collections", name=f"Room {number}", readers=readers)
        collections[made_one] = frozenset(readers) if readers else None
    library = Library(acme, window, groups, collections, [])
    async with running_home.working():
        for number in range(DOCUMENTS):
            labels = {
                "tags": chance.sample(TAGS, chance.randint(0, 2)),
                "collection": chance.choice([None, *collections]),
                "readers": chance.choice([None, None, chance.sample(groups, 1), groups[:2]]),
            }
            text = f"The lease of number {number} ends in May, " + "and so it does, " * chance.randint(0, 9)
            shown = await acme.indexed(text, **labels)
            library.documents.append(
                Entry(
                    id=shown["id"],
                    job=shown["job_id"],
                    size=shown["size_bytes"],
                    chunks=shown["chunk_count"],
                    tags=frozenset(shown["tags"]),
                    collection=shown["collection_id"],
                    readers=None if shown["readers"] is None else frozenset(shown["readers"]),
                )
            )
    return library


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(changes, max_size=3), everybody | members)
async def test_everybody_sees_just_what_the_rule_allows(library: Library, made_before: list[Change], who: Who):
    for change in made_before:
        await library.change(change)
    access = who.access(library)
    view = library.window.of(library.organisation.tenant, access)
    seen = [entry for entry in library.documents if library.allows(access, entry)]

    await lists_show(library, view, seen)
    await each_is_seen_or_never_was(library, view, seen)
    await searches_find(library, view, seen)
    await numbers_count(library, view, seen, limited=access.is_limited)
    await collections_show(library, view, access, seen)


async def lists_show(library: Library, view: View, seen: list[Entry]) -> None:
    assert {one["id"] for one in await view.all("/api/documents")} == {entry.id for entry in seen}
    for tag in TAGS:
        tagged = {entry.id for entry in seen if tag in entry.tags}
        assert {one["id"] for one in await view.all("/api/documents", tag=tag)} == tagged
    for place in library.collections:
        placed = {entry.id for entry in seen if entry.collection == place}
        assert {one["id"] for one in await view.all("/api/documents", collection=place.upper())} == placed
    walked, page = [], await view.get("/api/documents", limit=2)
    while page["next_cursor"]:
        walked += page["data"]
        page = await view.get("/api/documents", limit=2, cursor=page["next_cursor"])
    assert len(walked + page["data"]) == len(seen)


async def each_is_seen_or_never_was(library: Library, view: View, seen: list[Entry]) -> None:
    for entry in library.documents:
        wanted = 200 if entry in seen else 404
        for path in ("", "/text", "/chunks"):
            assert (await view.call("GET", f"/api/documents/{entry.id}{path}")).status_code == wanted
        assert (await view.call("GET", f"/api/jobs/{entry.job}")).status_code == wanted


async def searches_find(library: Library, view: View, seen: list[Entry]) -> None:
    everything = library.window.of(library.organisation.tenant)
    for kind in KINDS:
        found = await view.search("how does the lease of number 3 end", type=kind)
        assert {hit["document_id"] for hit in found["results"]} == {entry.id for entry in seen}
        assert found["total"] == sum(entry.chunks for entry in seen)
        grouped = await view.search("how does the lease of number 3 end", type=kind, group_by="document")
        assert {hit["document_id"] for hit in grouped["results"]} == {entry.id for entry in seen}
        filters = {"document_id": [entry.id for entry in seen]}
        asked = await everything.search("how does the lease of number 3 end", type=kind, filters=filters)
        assert asked["results"] == found["results"]
    for place in library.collections:
        found = await view.search("lease", filters={"collection": [place]})
        placed = {entry.id for entry in seen if entry.collection == place}
        assert {hit["document_id"] for hit in found["results"]} == placed


async def numbers_count(library: Library, view: View, seen: list[Entry], *, limited: bool) -> None:
    numbers = await view.get("/api/stats")
    assert numbers["documents"]["total"] == numbers["index"]["documents"] == len(seen)
    assert numbers["documents"]["storage_bytes"] == sum(entry.size for entry in seen)
    assert numbers["index"]["chunks"] == sum(entry.chunks for entry in seen)
    jobs = {job["id"] for job in await view.all("/api/jobs")}
    assert jobs == {entry.job for entry in seen} if limited else jobs >= {entry.job for entry in seen}
    assert sum(numbers["jobs"].values()) == len(jobs)


async def collections_show(library: Library, view: View, access: Access, seen: list[Entry]) -> None:
    shown = {one["id"]: one["document_count"] for one in await view.all("/api/collections")}
    wanted = {
        place: sum(entry.collection == place for entry in seen)
        for place in library.collections
        if library.allows_collection(access, place)
    }
    assert shown == wanted
    for place in library.collections:
        answer = await view.call("GET", f"/api/collections/{place}")
        assert answer.status_code == (200 if place in wanted else 404)


async def test_the_property_sees_restrictions_at_work(library: Library):
    """Guards the test above: a library in which nobody is held back would prove nothing."""
    access = Access(readers=frozenset(library.groups[:1]))

    hidden = [entry for entry in library.documents if not library.allows(access, entry)]

    assert hidden
    assert len(hidden) < DOCUMENTS
