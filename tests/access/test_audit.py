"""Who may read what is in the audit log: whom collections and documents name, and never what is in them."""

from typing import Any

import pytest

from tests.access.conftest import group_of, made
from tests.house import Organisation, problem

pytestmark = pytest.mark.anyio
COLLECTIONS, DOCUMENTS, AUDIT = "/api/collections", "/api/documents", "/api/admin/audit"


async def told(acme: Organisation, action: str) -> list[dict[str, Any]]:
    """The events of this name, newest first, each by the key that everything is done with here."""
    found = (await acme.get(AUDIT, action=action))["data"]
    assert {event["actor"] for event in found} <= {f"key:{acme.key_ids['all']}"}
    return found


class TestCollections:
    async def test_that_are_made_change_their_readers_and_go(self, acme: Organisation):
        first, second = await group_of(acme), await group_of(acme)
        there, here = [await made(acme, COLLECTIONS, name=name, readers=[first]) for name in ("Leases", "Plans")]
        await acme.add("A quiet heron.", collection=there)
        await acme.call("PATCH", f"{COLLECTIONS}/{there}", json={"readers": [first, second]})
        await acme.call("PATCH", f"{COLLECTIONS}/{there}", json={"readers": None})
        await acme.call("DELETE", f"{COLLECTIONS}/{there}", params={"move_to": here})

        closed, opened = (await told(acme, "collection.readers_changed"))[::-1]
        [removed] = await told(acme, "collection.removed")
        created = await told(acme, "collection.created")

        assert [event["target_id"] for event in created] == [here, there]
        assert created[1]["details"] == {"readers": [first], "reader_count": 1}
        assert closed["details"] == {"readers": [first, second], "reader_count": 2, "before": [first]}
        assert opened["details"] == {"readers": None, "reader_count": None, "before": [first, second]}
        assert (removed["target_id"], removed["details"]["moved"]) == (there, 1)

    async def test_whose_readers_stay_leave_no_event(self, acme: Organisation):
        there = await made(acme, COLLECTIONS, name="Leases", readers=[await group_of(acme)])
        await acme.add("A quiet heron.", collection=there)

        await acme.call("PATCH", f"{COLLECTIONS}/{there}", json={"name": "Rents"})
        problem(await acme.call("DELETE", f"{COLLECTIONS}/{there}"), 409)
        problem(await acme.call("POST", COLLECTIONS, json={"name": "Other", "slug": "leases"}), 409)

        assert await told(acme, "collection.readers_changed") == await told(acme, "collection.removed") == []
        assert len(await told(acme, "collection.created")) == 1


class TestDocuments:
    async def test_whose_readers_change(self, acme: Organisation):
        group = await group_of(acme)
        document = await acme.add("A quiet heron.", title="Nobody reads this", metadata={"owner": "a secret"})
        path = f"{DOCUMENTS}/{document['id']}"
        await acme.call("PATCH", path, json={"readers": [group]})
        await acme.call("PATCH", path, json={"readers": [group], "tags": ["rents"]})

        [event] = await told(acme, "document.readers_changed")

        assert (event["target_kind"], event["target_id"]) == ("document", document["id"])
        assert event["details"] == {"readers": [group], "reader_count": 1, "before": None}
        assert not any(word in str(event) for word in ("heron", "Nobody", "secret", "rents"))

    async def test_with_more_readers_than_the_log_keeps(self, acme: Organisation):
        groups = [await group_of(acme) for _ in range(22)]
        document = await acme.add("A quiet heron.")
        await acme.call("PATCH", f"{DOCUMENTS}/{document['id']}", json={"readers": groups})

        [event] = await told(acme, "document.readers_changed")

        assert (event["details"]["readers"], event["details"]["reader_count"]) == (groups[:20], 22)

    async def test_that_nobody_may_change_leave_no_event(self, acme: Organisation):
        document = await acme.add("A quiet heron.")
        wanted = {"readers": [await group_of(acme)]}

        answer = await acme.call("PATCH", f"{DOCUMENTS}/{document['id']}", json=wanted, headers={"If-Match": '"old"'})

        assert answer.status_code == 412
        assert await told(acme, "document.readers_changed") == []
