"""Sessions in cookies, and the pages of strangers that would like to use them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from carrel.auth.browsers import HEADER
from tests.auth.town import PASSWORD, Town, client_of

pytestmark = pytest.mark.anyio

HOME = {"Origin": "http://test"}
RENAME: dict[str, Any] = {"json": {"name": "Somebody else"}}
STRANGE = "https://evil.example"


@dataclass
class Browser:
    """A page of this server in a browser, which keeps the cookies and sends them along."""

    http: httpx.AsyncClient
    token: str

    async def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Any:
        """As our own page does it, unless told otherwise."""
        given = {**HOME, HEADER: self.token} if headers is None else headers
        return await self.http.request(method, path, headers=given, **options)


@pytest.fixture(name="browse")
async def browse_fixture(town: Town) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def opened(email: str = "", scheme: str = "http") -> Browser:
            email = email or (await town.register()).email
            http = await stack.enter_async_context(client_of(town.app))
            http.base_url = httpx.URL(f"{scheme}://test")
            answer = await http.post(
                "/api/auth/login", json={"email": email, "password": PASSWORD, "cookie": True}, headers=HOME
            )
            assert answer.status_code == 200, answer.text
            assert answer.json().keys() == {"csrf_token", "expires_in", "user", "organization"}
            return Browser(http, answer.json()["csrf_token"])

        yield opened


def set_cookies(answer: httpx.Response) -> SimpleCookie:
    return SimpleCookie("\r\n".join(answer.headers.get_list("set-cookie")))


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestLogin:
    async def test_puts_the_tokens_where_no_script_reads_them(self, town):
        lina = await town.register()

        answer = await town.login(lina.email, cookie=True)

        cookies = set_cookies(answer)
        assert set(cookies) == {"carrel_session", "carrel_refresh", "carrel_csrf"}
        assert cookies["carrel_csrf"].value == answer.json()["csrf_token"]
        assert [cookies[name]["httponly"] for name in ("carrel_session", "carrel_refresh")] == [True, True]
        assert not cookies["carrel_csrf"]["httponly"]
        assert all(cookie["samesite"] == "lax" and not cookie["secure"] for cookie in cookies.values())
        assert cookies["carrel_refresh"]["path"] == "/api/auth/refresh"
        assert not [one for one in ("carrel_session", "carrel_refresh") if cookies[one].value in answer.text]

    async def test_over_https_makes_cookies_that_no_neighbour_can_set(self, browse):
        browser = await browse(scheme="https")

        jar = {cookie.name: cookie for cookie in browser.http.cookies.jar}
        assert set(jar) == {"__Host-carrel_session", "__Secure-carrel_refresh", "__Host-carrel_csrf"}
        assert all(cookie.secure and not cookie.domain_specified for cookie in jar.values())
        assert (await browser.http.get("/api/auth/me")).status_code == 200

    async def test_over_https_a_plain_cookie_counts_for_nothing(self, browse):
        browser = await browse()
        session = browser.http.cookies["carrel_session"]

        answer = await browser.http.get("https://test/api/auth/me", headers={"Cookie": f"carrel_session={session}"})

        assert code(answer) == (401, "credentials-required")

    async def test_without_asking_sets_no_cookie(self, town):
        lina = await town.register()

        assert "set-cookie" not in (await town.login(lina.email)).headers


class TestReading:
    async def test_needs_no_proof(self, browse):
        browser = await browse()

        for method in ("GET", "HEAD"):
            assert (await browser.send(method, "/api/auth/me", headers={"Origin": STRANGE})).status_code == 200

    async def test_with_a_key_in_a_cookie_is_refused(self, town):
        lina = await town.register()
        key = await town.key(lina.organization, "admin")

        answer = await town.http.get("/api/auth/me", headers={"Cookie": f"carrel_session={key['X-API-Key']}"})

        assert code(answer) == (401, "invalid-credentials")

    async def test_with_two_different_sessions_is_refused(self, browse):
        one, other = await browse(), await browse()
        both = "; ".join(f"carrel_session={each.http.cookies['carrel_session']}" for each in (one, other))

        answer = await one.http.get("/api/auth/me", headers={"Cookie": both})

        assert code(answer) == (401, "credentials-conflict")

    @pytest.mark.parametrize("cookie", ["carrel_session=", "carrel_session", "carrel_session=a.b.c", "=;;=", "é=\x01"])
    async def test_with_a_cookie_that_is_nothing_is_refused(self, town, cookie):
        answer = await town.http.get("/api/auth/me", headers={"Cookie": cookie.encode("latin-1")})

        assert answer.status_code == 401
        assert answer.json()["code"] in {"credentials-required", "invalid-credentials"}

    async def test_ends_with_the_session(self, browse, town):
        browser = await browse()
        await town.change("UPDATE sessions SET revoked_at = now() WHERE revoked_at IS NULL")
        town.forget()

        assert code(await browser.send("GET", "/api/auth/me")) == (401, "invalid-credentials")


class TestChanging:
    async def test_from_our_own_page_with_its_token_is_done(self, browse):
        browser = await browse()

        assert (await browser.send("PATCH", "/api/auth/me", **RENAME)).status_code == 200

    async def test_with_the_word_of_the_browser_instead_of_an_origin_is_done(self, browse):
        browser = await browse()

        headers = {"Sec-Fetch-Site": "same-origin", HEADER: browser.token}
        assert (await browser.send("PATCH", "/api/auth/me", headers=headers, **RENAME)).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": STRANGE},
            {"Origin": "null"},
            {"Origin": "http://test.evil.example"},
            {"Origin": "https://test:444"},
            {"Origin": "http://test:8080"},
            {"Origin": STRANGE, "Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Referer": "http://test/"},
        ],
    )
    async def test_from_another_page_is_refused_even_with_the_token(self, browse, headers):
        browser = await browse()

        answer = await browser.send("PATCH", "/api/auth/me", headers={**headers, HEADER: browser.token}, **RENAME)

        assert code(answer) == (403, "csrf-failed")
        assert (await browser.send("GET", "/api/auth/me")).json()["user"]["name"] == ""

    async def test_by_the_form_of_a_stranger_is_refused(self, browse):
        browser = await browse()
        headers = {"Origin": STRANGE, "Sec-Fetch-Site": "cross-site"}

        answer = await browser.send("POST", "/api/auth/logout", headers=headers, data={"name": "x"})

        assert code(answer) == (403, "csrf-failed")
        assert (await browser.send("GET", "/api/auth/me")).status_code == 200

    @pytest.mark.parametrize("token", [None, "", "wrong", "é", "a" * 43])
    async def test_without_the_right_token_is_refused(self, browse, token):
        browser = await browse()
        headers = {**HOME, **({} if token is None else {HEADER: token.encode("latin-1")})}

        assert code(await browser.send("PATCH", "/api/auth/me", headers=headers, **RENAME)) == (403, "csrf-failed")

    async def test_with_the_token_of_another_session_is_refused(self, browse, town):
        lina = await town.register()
        one, other = await browse(lina.email), await browse(lina.email)

        answer = await one.send("PATCH", "/api/auth/me", headers={**HOME, HEADER: other.token}, **RENAME)

        assert code(answer) == (403, "csrf-failed")

    async def test_with_credentials_in_a_header_needs_no_proof_and_is_theirs(self, browse, town):
        browser, tom = await browse(), await town.register()

        answer = await browser.send("PATCH", "/api/auth/me", headers=tom.headers, **RENAME)

        assert answer.json()["user"]["email"] == tom.email

    async def test_with_wrong_credentials_in_a_header_does_not_fall_back_to_the_cookie(self, browse):
        browser = await browse()

        answer = await browser.send("GET", "/api/auth/me", headers={"Authorization": "Bearer nobody"})

        assert code(answer) == (401, "invalid-credentials")


class TestRefreshing:
    async def test_goes_on_with_the_same_proof(self, browse):
        browser = await browse()
        before = browser.http.cookies["carrel_session"], browser.http.cookies["carrel_refresh"]

        answer = await browser.send("POST", "/api/auth/refresh", json={})

        assert answer.status_code == 200, answer.text
        assert answer.json()["csrf_token"] == browser.token
        assert before[1] != browser.http.cookies["carrel_refresh"]
        assert (await browser.send("PATCH", "/api/auth/me", **RENAME)).status_code == 200

    @pytest.mark.parametrize(
        "headers", [{}, {"Origin": STRANGE}, HOME, {**HOME, HEADER: "wrong"}, {HEADER: "of the session"}]
    )
    async def test_without_proof_is_refused_and_uses_nothing_up(self, browse, headers):
        browser = await browse()
        given = {name: browser.token if value == "of the session" else value for name, value in headers.items()}

        refused = await browser.send("POST", "/api/auth/refresh", headers=given, json={})

        assert code(refused) == (403, "csrf-failed")
        assert (await browser.send("POST", "/api/auth/refresh", json={})).status_code == 200

    async def test_without_any_token_is_refused(self, town):
        assert code(await town.post("/api/auth/refresh", {}, headers=HOME)) == (422, "invalid-request")

    async def test_the_cookie_goes_nowhere_else(self, browse):
        browser = await browse()

        assert "carrel_refresh" not in (await browser.send("GET", "/api/auth/me")).request.headers["cookie"]


class TestEnding:
    async def test_a_logout_lets_the_browser_forget(self, browse, town):
        browser = await browse()

        answer = await browser.send("POST", "/api/auth/logout")

        assert answer.status_code == 204
        assert {cookie["max-age"] for cookie in set_cookies(answer).values()} == {"0"}
        assert not list(browser.http.cookies.jar)

    async def test_a_logout_by_header_leaves_the_cookies_of_others_alone(self, browse, town):
        browser, tom = await browse(), await town.register()

        answer = await browser.send("POST", "/api/auth/logout", headers=tom.headers)

        assert answer.status_code == 204
        assert "set-cookie" not in answer.headers

    async def test_a_switch_stays_in_cookies(self, browse):
        browser = await browse()
        home = (await browser.send("GET", "/api/auth/me")).json()["organization"]["id"]

        answer = await browser.send("POST", "/api/auth/switch", json={"organization": home})

        assert answer.status_code == 200, answer.text
        assert "access_token" not in answer.json()
        assert answer.json()["csrf_token"] != browser.token
        proof = {**HOME, HEADER: answer.json()["csrf_token"]}
        assert (await browser.send("PATCH", "/api/auth/me", headers=proof, **RENAME)).status_code == 200
