import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from carrel.core.ids import DocumentId, uuid7
from carrel.jobs.service import Job, Registry, task

MINUTE = timedelta(minutes=1)


@task("store", timeout=MINUTE, lock="document:{document_id}")
async def store(job: Job, document_id: DocumentId, name: str, number: int, note: str | None = None) -> None:
    """Keep what came in."""
    seen[:] = [document_id, name, number, note]


seen: list[object] = []


@pytest.mark.anyio
@settings(deadline=None)
@given(st.uuids(), st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers())
async def test_arguments_come_back_as_they_were(document_id, name, number):
    stored = store.pack({"document_id": document_id, "name": name, "number": number})

    await store.run(None, json.loads(stored))

    assert seen == [document_id, name, number, None]
    assert isinstance(seen[0], UUID)


def test_a_missing_argument_is_refused():
    with pytest.raises(TypeError, match="lacks"):
        store.pack({"document_id": uuid7(), "name": "x"})


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="colour"):
        store.pack({"document_id": uuid7(), "name": "x", "number": 1, "colour": "red"})


def test_an_argument_of_the_wrong_type_is_refused():
    with pytest.raises(ValidationError):
        store.pack({"document_id": uuid7(), "name": "x", "number": "1"})


def test_a_lock_is_filled_with_the_arguments():
    document = uuid7()
    assert store.lock_key({"document_id": document, "name": "x", "number": 1}) == f"document:{document}"


def test_a_lock_that_names_no_argument_is_refused():
    with pytest.raises(TypeError, match="missing_id"):

        @task("broken", timeout=MINUTE, lock="document:{missing_id}")
        async def broken(job: Job) -> None:
            pass


def test_a_reserved_name_is_refused_as_argument():
    with pytest.raises(TypeError, match="priority"):

        @task("broken", timeout=MINUTE)
        async def broken(job: Job, priority: int) -> None:
            pass


def test_a_hook_that_asks_for_unknown_arguments_is_refused():
    @task("hooked", timeout=MINUTE)
    async def hooked(job: Job, name: str) -> None:
        pass

    with pytest.raises(TypeError, match="colour"):

        @hooked.when_failed
        async def note(ended, db, code, detail, colour):
            pass


def test_a_hook_can_be_given_with_the_declaration():
    async def note(ended, db, code, detail, colour):
        pass

    with pytest.raises(TypeError, match="colour"):
        task("hooked", timeout=MINUTE, on_failure=note)(store.function)


def test_two_tasks_of_one_name_are_refused():
    @task("store", timeout=MINUTE)
    async def other(job: Job) -> None:
        pass

    with pytest.raises(ValueError, match="store"):
        Registry([store, other])


@dataclass(frozen=True)
class Stored:
    document_id: DocumentId
    name: str


def test_a_listener_that_wants_more_than_the_event_tells_is_refused():
    with pytest.raises(TypeError, match="number"):
        Registry([store], {Stored: [store]})


def test_a_listener_outside_the_registry_is_refused():
    with pytest.raises(ValueError, match="store"):
        Registry([], {Stored: [store]})
