"""The walk's rows for operators and second factors."""

from tests.house import Home
from tests.isolation.calls import Call, Row
from tests.isolation.conftest import Resident


def operators(home: Home) -> str:
    """The key of the server's administrator."""
    return (home.house.data_dir / "admin.key").read_text("utf-8").strip()


async def own_users(us: Resident) -> Call:
    return Call("GET", "/api/admin/users", 200, {"params": {"q": us.member.email}}, token=operators(us.home))


async def own_tier(us: Resident) -> Call:
    return Call("PATCH", f"/api/admin/users/{us.member.id}", 200, {"json": {"tier": "pro"}}, token=operators(us.home))


# Operators see all organizations; an organization's own administrators are none.
FACTORS: dict[str, Row] = {
    "list_users": Row(own_users, lambda them: [Call("GET", "/api/admin/users", 403, {"params": {"q": them.word}})]),
    "change_user": Row(
        own_tier,
        lambda them: [Call("PATCH", f"/api/admin/users/{them.member.id}", 403, {"json": {"enabled": False}})],
    ),
}
