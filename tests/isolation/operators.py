"""The operations of operators: they reach every organisation, so nobody else may call them."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from tests.house import KEY, Home
from tests.isolation.calls import Call, Row
from tests.isolation.conftest import Resident

ALL = "/api/admin/organizations"


def operators_key(home: Home) -> str:
    return (home.house.data_dir / "admin.key").read_text("utf-8").strip()


async def own_creation(us: Resident) -> Call:
    body = {"name": "Another", "slug": f"another-{uuid4().hex}", "with_key": True}
    return Call("POST", ALL, 201, {"json": body}, operator=True)


async def own_list(us: Resident) -> Call:
    return Call("GET", ALL, 200, {"params": {"q": f"org-{uuid4().hex}", "offset": 0}}, operator=True)


async def own_export(us: Resident) -> Call:
    day = (await us.organisation.get("/api/organization/usage"))["day"]
    return Call("GET", "/api/admin/usage/export", 200, {"params": {"period": day[:7]}}, operator=True)


async def own_erasure(us: Resident) -> Call:
    call = await own_creation(us)
    made = (await us.home.http.post(ALL, headers={KEY: operators_key(us.home)}, **call.options)).json()["organization"]
    return Call("DELETE", f"{ALL}/{made['id']}", 202, {"params": {"confirm": made["slug"]}}, operator=True)


async def own_report(us: Resident) -> Call:
    call = await own_erasure(us)
    answer = await us.home.http.delete(call.path, headers={KEY: operators_key(us.home)}, **call.options)
    assert answer.status_code == 202, answer.text
    return Call("GET", f"{call.path}/erasure", 200, operator=True)


def refused(method: str, part: str = "", **options: Any) -> Callable[[Resident], Sequence[Call]]:
    """Of another organisation, asked for with the credentials of one's own."""
    return lambda them: [Call(method, f"{ALL}/{them.organisation.tenant}{part}", 403, options)]


def of_an_organisation(method: str, part: str = "", **options: Any) -> Row:
    async def own(us: Resident) -> Call:
        return Call(method, f"{ALL}/{us.organisation.tenant}{part}", 200, options, operator=True)

    return Row(own, refused(method, part, **options))


OPERATED: dict[str, Row] = {
    "create_organization": Row(own_creation),
    "list_organizations": Row(own_list, lambda them: [Call("GET", ALL, 403, {"params": {"q": "org-"}})]),
    "get_any_organization": of_an_organisation("GET"),
    "change_organization": of_an_organisation("PATCH", json={"tier": "enterprise"}),
    "erase_organization": Row(own_erasure, refused("DELETE", params={"confirm": "x"})),
    "get_erasure": Row(own_report, refused("GET", "/erasure")),
    "get_any_usage": of_an_organisation("GET", "/usage"),
    "get_any_usage_history": of_an_organisation("GET", "/usage/history"),
    "export_usage": Row(own_export, shows_all=True),
}
