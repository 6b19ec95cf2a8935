"""The looks of organisations: what may be said about them, and who is shown what."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.tenants.errors import InvalidLogo
from carrel.tenants.images import LARGEST, picture_of, type_of
from tests.house import problem
from tests.tenants.test_domains import calling, settled

pytestmark = pytest.mark.anyio
PATH = "/api/organization/branding"
PNG, JPEG, WEBP = b"\x89PNG\r\n\x1a\n...", b"\xff\xd8\xff...", b"RIFF\0\0\0\0WEBP..."


def text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.mark.parametrize(("picture", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
async def test_a_host_shows_the_looks_of_its_organisation(acme, home, picture, kind):
    host = await settled(acme)
    said = {"display_name": "Acme Search", "primary_color": "#AA00bb", "logo": text(picture)}
    answer = await acme.call("PATCH", PATH, json=said)
    async with calling(home) as client:
        shown = (await client.get("/api/branding", headers={"Host": host})).json()
        logo = await client.get(shown["logo"], headers={"Host": host})
        etag = logo.headers["etag"]
        again = [
            await client.get(shown["logo"], headers={"Host": host, "If-None-Match": one}) for one in (etag, f"W/{etag}")
        ]
        elsewhere = await client.get("/api/branding")
        nothing = await client.get("/api/branding/logo")

    assert answer.json() == {
        "display_name": "Acme Search", "primary_color": "#aa00bb", "logo_type": kind, "logo_bytes": len(picture),
    }  # fmt: skip
    assert shown == {"name": "Acme Search", "primary_color": "#aa00bb", "logo": "/api/branding/logo"}
    assert (logo.content, logo.headers["content-type"]) == (picture, kind)
    assert logo.headers["x-content-type-options"] == "nosniff"
    assert logo.headers["cache-control"] == "public, max-age=300"
    assert [(one.status_code, one.content) for one in again] == [(304, b"")] * 2
    assert elsewhere.json() == {"name": "Carrel", "primary_color": "#0b5cad", "logo": None}
    assert problem(nothing, 404)["code"] == "logo-not-found"


async def test_what_is_not_said_is_as_the_server_has_it(acme, home):
    host = await settled(acme)
    before = await acme.get(PATH)
    await acme.call("PATCH", PATH, json={"display_name": "A", "logo": text(PNG)})
    changed = (await acme.call("PATCH", PATH, json={"display_name": None, "primary_color": "#000000"})).json()
    taken_back = (await acme.call("PATCH", PATH, json={"logo": None})).json()
    async with calling(home) as client:
        shown = await client.get("/api/branding", headers={"Host": host})

    assert set(before.values()) == {None}
    assert (changed["display_name"], changed["primary_color"], changed["logo_type"]) == (None, "#000000", "image/png")
    assert taken_back["logo_type"] is None
    assert shown.json() == {"name": "Acme", "primary_color": "#000000", "logo": None}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"logo": text(b"<svg xmlns='http://www.w3.org/2000/svg'/>")}, "invalid-logo"),
        ({"logo": text(b"GIF89a")}, "invalid-logo"),
        ({"logo": text(b"<html>" + PNG)}, "invalid-logo"),
        ({"logo": "no base64!"}, "invalid-logo"),
        ({"logo": text(PNG) + "\n"}, "invalid-logo"),
        ({"logo": "\u00e9"}, "invalid-logo"),
        ({"logo": text(PNG + bytes(LARGEST))}, "invalid-request"),
        ({"logo": ""}, "invalid-request"),
        ({"primary_color": "red"}, "invalid-request"),
        ({"primary_color": "#12345"}, "invalid-request"),
        ({"primary_color": "#123456;}"}, "invalid-request"),
        ({"primary_color": "#123456\n"}, "invalid-request"),
        ({"display_name": ""}, "invalid-request"),
        ({"display_name": "A\u202eB"}, "invalid-request"),
        ({"display_name": "a" * 201}, "invalid-request"),
        ({"logo_type": "text/html"}, "invalid-request"),
    ],
)
async def test_what_cannot_be_shown_safely_is_refused(acme, said, code):
    before = await acme.get(PATH)

    assert problem(await acme.call("PATCH", PATH, json=said), 422)["code"] == code
    assert await acme.get(PATH) == before


async def test_the_largest_picture_is_taken(acme):
    answer = await acme.call("PATCH", PATH, json={"logo": text(PNG + bytes(LARGEST - len(PNG)))})

    assert answer.json()["logo_bytes"] == LARGEST


async def test_only_administrators_change_it(acme):
    for scope in ("read", "write", "search"):
        problem(await acme.call("PATCH", PATH, scope=scope, json={"display_name": "Mine"}), 403)


@given(st.binary(max_size=200))
def test_a_picture_is_known_by_its_beginning_or_refused(data):
    assert picture_of(text(data)) == data
    try:
        assert type_of(data) in {"image/png", "image/jpeg", "image/webp"}
    except InvalidLogo:
        assert not data.startswith((PNG[:8], JPEG[:3]))
