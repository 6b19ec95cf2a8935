"""The laws of the chain, whatever is written into it."""

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carrel.auth.audit_chain import START, Entry, Head, Stored, Walk, canonical, digest_of, encode
from carrel.core.ids import TenantId

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
maybe = st.none() | texts
details = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts | st.lists(texts, max_size=3), max_size=4
)
entries = st.builds(
    Entry,
    tenant=st.uuids().map(TenantId),
    sequence=st.integers(1, 2**62),
    at=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    actor=texts,
    action=texts,
    target_kind=maybe,
    target_id=maybe,
    outcome=st.sampled_from(["success", "failure"]),
    address=maybe,
    request_id=maybe,
    details=details,
    previous=st.binary(min_size=32, max_size=32),
)


def decoded(encoded: bytes) -> list[bytes | None]:
    """The parts again: that there is one way to read them is why no two events are encoded alike."""
    parts: list[bytes | None] = []
    while encoded:
        if encoded.startswith(b"-;"):
            parts, encoded = [*parts, None], encoded[2:]
            continue
        length, _, rest = encoded.partition(b":")
        assert rest[int(length) : int(length) + 1] == b";"
        parts, encoded = [*parts, rest[: int(length)]], rest[int(length) + 1 :]
    return parts


@given(entries)
def test_an_encoding_can_be_read_back_part_by_part(entry):
    version, tenant, sequence, at, *texts_, outcome, address, request_id, written, previous = decoded(encode(entry))

    assert version == b"carrel audit 1"
    assert (UUID(bytes=tenant), int(sequence or b"")) == (entry.tenant, entry.sequence)
    assert datetime.fromtimestamp(0, UTC) + (entry.at - datetime.fromtimestamp(0, UTC)) == entry.at
    assert int(at or b"") >= 0
    assert [part if part is None else part.decode() for part in [*texts_, outcome, address, request_id]] == [
        entry.actor, entry.action, entry.target_kind, entry.target_id, entry.outcome, entry.address, entry.request_id,
    ]  # fmt: skip
    assert json.loads(written or b"") == entry.details
    assert previous == entry.previous


@given(entries, entries)
def test_two_different_events_are_never_encoded_alike(one, other):
    assert (encode(one) == encode(other)) == (_compared(one) == _compared(other))


@given(entries, st.data())
def test_a_change_of_any_part_changes_the_encoding(entry, data):
    name = data.draw(st.sampled_from([field.name for field in fields(Entry)]))
    value = getattr(data.draw(entries), name)
    changed = replace(entry, **{name: value})
    assume(_compared(changed) != _compared(entry))

    assert encode(changed) != encode(entry)
    assert digest_of(changed) != digest_of(entry)


@given(entries, texts, texts)
def test_text_that_moves_to_the_next_part_changes_the_encoding(entry, first, second):
    assume(second)
    one, other = replace(entry, actor=first + second, action=""), replace(entry, actor=first, action=second)

    assert encode(one) != encode(other)


@given(details)
def test_details_are_encoded_alike_in_whatever_order_they_come(given_details):
    turned = dict(reversed(given_details.items()))

    assert canonical(turned) == canonical(given_details)
    assert canonical(json.loads(json.dumps(given_details))) == canonical(given_details)


def _compared(entry):
    # For Python, True is 1; for whoever reads the log it is not.
    return {**asdict(entry), "details": canonical(entry.details)}


def chain(length: int) -> tuple[list[Stored], Head]:
    events: list[Stored] = []
    head = Head()
    for sequence in range(1, length + 1):
        entry = Entry(
            tenant=TenantId(UUID(int=1)), sequence=sequence, at=datetime(2026, 11, 1, tzinfo=UTC), actor="user:1",
            action="logout", target_kind=None, target_id=None, outcome="success", address=None, request_id=None,
            details={"number": sequence}, previous=head.hash,
        )  # fmt: skip
        head = Head(sequence, digest_of(entry))
        events.append(Stored(**{**asdict(entry), "hash": head.hash}))
    return events, head


def followed(events, head) -> int | None:
    """The sequence of the first fault."""
    walk = Walk.of(head)
    for event in events:
        if (fault := walk.step(event)) is not None:
            return fault.sequence
    end = walk.end()
    return None if end is None else end.sequence


class TestWalk:
    def test_finds_nothing_wrong_with_what_was_written(self):
        events, head = chain(5)

        assert followed(events, head) is None
        assert followed([], Head()) is None

    def test_goes_on_behind_what_was_forgotten(self):
        events, head = chain(5)
        anchored = replace(head, anchor_sequence=2, anchor_hash=events[1].hash)

        assert followed(events[2:], anchored) is None
        assert followed(events[3:], anchored) == 3
        assert followed(events[2:], replace(anchored, anchor_hash=START)) == 3

    @pytest.mark.parametrize("place", range(5))
    def test_finds_a_changed_event(self, place):
        events, head = chain(5)
        events[place] = replace(events[place], actor="user:2")

        assert followed(events, head) == place + 1

    @pytest.mark.parametrize("place", range(5))
    def test_finds_a_missing_event(self, place):
        events, head = chain(5)
        del events[place]

        assert followed(events, head) == place + 1

    def test_finds_a_swapped_pair(self):
        events, head = chain(5)
        second, third = events[1], events[2]
        events[1], events[2] = replace(third, sequence=2), replace(second, sequence=3)

        assert followed(events, head) == 2

    def test_finds_an_event_that_was_written_anew_with_a_right_hash(self):
        events, head = chain(5)
        forged = replace(events[2], details={"number": 99})
        events[2] = replace(forged, hash=digest_of(forged))

        assert followed(events, head) == 4

    def test_finds_a_last_event_that_was_written_anew_with_a_right_hash(self):
        events, head = chain(5)
        forged = replace(events[4], details={"number": 99})
        events[4] = replace(forged, hash=digest_of(forged))

        assert followed(events, head) == 5

    def test_finds_events_behind_the_end(self):
        events, _ = chain(5)
        _, head = chain(4)

        assert followed(events, head) == 5
