"""How to call the operations on single API keys and tenant tokens."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.isolation.calls import Call, Row
from tests.isolation.conftest import Resident


def of_a_key(method: str, part: str = "", status: int = 200, **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        made = await us.organisation.call("POST", "/api/admin/api-keys", json={"name": "Short-lived"})
        return Call(method, f"/api/admin/api-keys/{made.json()['id']}{part}", status, options)

    def foreign(them: Resident) -> Sequence[Call]:
        ids = (them.key, UUID(them.key).hex, them.key.upper())
        return [Call(method, f"/api/admin/api-keys/{one}{part}", 404, options) for one in ids]

    return Row(own, foreign)


async def own_token(us: Resident) -> Call:
    return Call("POST", "/api/tokens", 201, {"json": {"filter": {"document_ids": [us.document]}}})


def foreign_token(them: Resident) -> Sequence[Call]:
    """What somebody else has may be named: the token reaches nothing of it."""
    return [Call("POST", "/api/tokens", 201, {"json": {"filter": {"document_ids": [them.document]}}})]


KEYS = {
    "get_api_key": of_a_key("GET"),
    "change_api_key": of_a_key("PATCH", json={"name": "Changed"}),
    "rotate_api_key": of_a_key("POST", "/rotate", 201, json={"overlap_seconds": 60}),
    "get_api_key_usage": of_a_key("GET", "/usage"),
    "create_token": Row(own_token, foreign_token, holders=frozenset({"read", "search", "admin"})),
}
