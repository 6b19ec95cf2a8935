"""The walk's rows for domains and looks of organisations."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from carrel.core.ids import uuid7
from tests.house import KEY
from tests.isolation.calls import Call, Row, plain
from tests.isolation.conftest import Resident, made
from tests.isolation.operators import ALL, of_an_organisation, operators_key

OWN = "/api/organization/domains"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


async def another(us: Resident) -> str:
    """One more domain; those before it go, because their number is limited."""
    for domain in (await us.organisation.get(OWN))["data"]:
        if domain["id"] != us.domain:
            await us.organisation.call("DELETE", f"{OWN}/{domain['id']}")
    return await made(us.organisation, OWN, host=f"d{uuid7().hex}.example.org")


async def own_domain(us: Resident) -> Call:
    await another(us)
    return Call("POST", OWN, 201, {"json": {"host": f"d{uuid7().hex}.example.org"}})


async def own_removal(us: Resident) -> Call:
    return Call("DELETE", f"{OWN}/{await another(us)}", 204)


async def own_verification(us: Resident) -> Call:
    """Of a domain that an operator has decided on, so that no resolver is asked."""
    path = f"{ALL}/{us.organisation.tenant}/domains/{us.domain}"
    answer = await us.home.http.patch(path, headers={KEY: operators_key(us.home)}, json={"verified": True})
    assert answer.status_code == 200, answer.text
    return Call("POST", f"{OWN}/{us.domain}/verify", 200)


async def own_view(us: Resident) -> Call:
    return Call("GET", f"{OWN}/{us.domain}", 200)


async def own_decision(us: Resident) -> Call:
    path = f"{ALL}/{us.organisation.tenant}/domains/{us.domain}"
    return Call("PATCH", path, 200, {"json": {"verified": True}}, operator=True)


async def own_looks(us: Resident) -> Call:
    body = {"display_name": "A new name", "primary_color": "#123456", "logo": PICTURE}
    return Call("PATCH", "/api/organization/branding", 200, {"json": body})


def foreign(method: str, part: str = "") -> Callable[[Resident], Sequence[Call]]:
    return lambda them: [Call(method, f"{OWN}/{them.domain}{part}", 404)]


def foreign_decision(them: Resident) -> Sequence[Call]:
    options: dict[str, Any] = {"json": {"verified": True}}
    return [Call("PATCH", f"{ALL}/{them.organisation.tenant}/domains/{them.domain}", 403, options)]


DOMAINS: dict[str, Row] = {
    "list_domains": plain(OWN),
    "add_domain": Row(own_domain),
    "get_domain": Row(own_view, foreign("GET")),
    "remove_domain": Row(own_removal, foreign("DELETE")),
    "verify_domain": Row(own_verification, foreign("POST", "/verify")),
    "list_any_domains": of_an_organisation("GET", "/domains"),
    "decide_domain": Row(own_decision, foreign_decision),
    "get_branding_settings": plain("/api/organization/branding"),
    "change_branding": Row(own_looks),
    "get_branding": plain("/api/branding"),
    "get_logo": plain("/api/branding/logo", 404),
}
