import pytest

from carrel.auth.registration import slug_of
from carrel.infra.mail import Mailer
from carrel.infra.settings import Accounts, Mail
from carrel.tenants.slugs import SLUG
from tests.auth.postbox import text_of
from tests.auth.town import PASSWORD, Citizen, new_email, opened_town, settings_of

pytestmark = pytest.mark.anyio
URL = "/api/auth/register"


def body_of(**changes):
    return {"email": new_email(), "password": PASSWORD, "organization": "Herons", **changes}


class TestOpenRegistration:
    async def test_makes_an_organization_with_its_owner(self, town):
        answer = await town.post(URL, body_of(name="Lina"))

        lina = Citizen(town, "", "", answer.json())
        assert answer.status_code == 201
        assert (await lina.get("/api/auth/me"))["organization"]["role"] == "owner"
        assert (await lina.get("/api/auth/me"))["user"] == {
            **lina.tokens["user"],
            "name": "Lina",
            "tier": "free",
            "operator": False,
            "email_verified": False,
        }

    async def test_keeps_organizations_apart(self, town):
        first, second = await town.register(), await town.register()

        assert first.organization != second.organization
        assert first.tokens["organization"]["slug"] != second.tokens["organization"]["slug"]

    @pytest.mark.parametrize("spelling", [str.upper, lambda email: f"  {email} ", lambda email: email.title()])
    async def test_takes_an_address_once(self, town, spelling):
        lina = await town.register()

        answer = await town.post(URL, body_of(email=spelling(lina.email)))

        assert (answer.status_code, answer.json()["code"]) == (409, "email-taken")

    async def test_leaves_nothing_behind_when_the_address_is_taken(self, town):
        lina, name = await town.register(), new_email()

        await town.post(URL, body_of(email=lina.email, organization=name))

        assert await town.value("SELECT count(*) FROM organizations WHERE name = %(name)s", name=name) == 0

    @pytest.mark.parametrize(
        "password",
        ["short", "password123!", "aaaaaaaaaaaa", "qwertyuiop", "1234567890", "P@ssw0rd2024", "Summer-2026!!"],
    )
    async def test_refuses_weak_passwords(self, town, password):
        answer = await town.post(URL, body_of(password=password))

        assert (answer.status_code, answer.json()["code"]) == (422, "weak-password")
        assert password not in answer.text

    @pytest.mark.parametrize(
        "change",
        [
            {"tier": "admin"},
            {"operator": True},
            {"is_operator": True},
            {"role": "owner"},
            {"enabled": True},
            {"id": "0198c5a0-0000-7000-8000-000000000000"},
            {"tenant_id": "0198c5a0-0000-7000-8000-000000000000"},
            {"password_hash": "x"},
            {"email_verified": True},
            {"email_verified_at": "2026-01-01T00:00:00Z"},
            {"created_at": "2026-01-01T00:00:00Z"},
            {"max_documents": 10**9},
            {"scopes": ["admin"]},
            {"slug": "default"},
            {"organization": "x" * 201},
            {"organization": ""},
            {"organization": "two\nlines"},
            {"organization": "\u202eevil"},
            {"name": "a\u0000b"},
            {"name": "x" * 201},
            {"name": "\x1b[31mred"},
            {"email": "nobody"},
            {"email": "a@b"},
            {"email": "a b@example.org"},
            {"email": "x@example.org\r\nBcc: y@example.org"},
            {"email": "p\u0430ypal@example.org"},
            {"password": "x" * 1001},
            {"password": 1234567890},
            {"password": None},
        ],
    )
    async def test_refuses_fields_that_are_wrong_or_not_its_own(self, town, change):
        answer = await town.post(URL, body_of(**change))

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")

    async def test_is_limited_by_address(self, town):
        answers = [await town.post(URL, body_of()) for _ in range(21)]

        assert [answer.status_code for answer in answers] == [201] * 20 + [429]


class TestWithMail:
    async def test_makes_nobody_before_the_mail_was_read(self, mail_town, postbox):
        wanted = body_of(name="Lina")

        answer = await mail_town.post(URL, wanted)
        token = await postbox.token()

        assert (answer.status_code, answer.json()) == (202, {"status": "mail-sent"})
        assert (await postbox.letter(0))["To"] == wanted["email"]
        assert (await mail_town.login(wanted["email"])).status_code == 401
        verified = await mail_town.post("/api/auth/verify", {"token": token, "password": PASSWORD})
        assert verified.status_code == 201
        assert verified.json()["user"]["email_verified"]
        assert verified.json()["user"]["name"] == "Lina"
        assert verified.json()["organization"]["name"] == "Herons"
        assert (await mail_town.login(wanted["email"])).status_code == 200

    async def test_asks_for_the_password_that_was_chosen(self, mail_town, postbox):
        """Who reads the mail must not switch on an account whose password somebody else has chosen."""
        await mail_town.post(URL, body_of())
        token = await postbox.token()

        wrong = await mail_town.post("/api/auth/verify", {"token": token, "password": "another password"})

        assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid-login")
        right = await mail_town.post("/api/auth/verify", {"token": token, "password": PASSWORD})
        assert right.status_code == 201

    async def test_takes_a_link_once(self, mail_town, postbox):
        await mail_town.post(URL, body_of())
        said = {"token": await postbox.token(), "password": PASSWORD}
        await mail_town.post("/api/auth/verify", said)

        again = await mail_town.post("/api/auth/verify", said)

        assert (again.status_code, again.json()["code"]) == (410, "link-not-valid")

    async def test_does_not_take_a_link_that_has_expired(self, mail_town, postbox):
        wanted = body_of()
        await mail_town.post(URL, wanted)
        token = await postbox.token()
        await mail_town.change(
            "UPDATE user_tokens SET expires_at = now() WHERE email_key = %(email)s",
            email=wanted["email"],
        )

        late = await mail_town.post("/api/auth/verify", {"token": token, "password": PASSWORD})

        assert late.json()["code"] == "link-not-valid"

    async def test_answers_alike_for_an_address_that_has_an_account(self, mail_town, postbox):
        wanted = body_of()
        await mail_town.post(URL, wanted)
        await mail_town.post("/api/auth/verify", {"token": await postbox.token(), "password": PASSWORD})

        again = await mail_town.post(URL, body_of(email=wanted["email"]))

        assert (again.status_code, again.json()) == (202, {"status": "mail-sent"})
        told = await postbox.letter(1)
        assert "account already" in told["Subject"]
        assert "token=" not in text_of(told)

    async def test_is_limited_by_the_address_that_gets_the_mails(self, mail_town):
        wanted = body_of()

        answers = [await mail_town.post(URL, wanted) for _ in range(6)]

        assert [answer.status_code for answer in answers] == [202] * 5 + [429]


class TestClosedRegistration:
    @pytest.mark.parametrize("mode", ["closed", "invite"])
    async def test_takes_nobody(self, database, mode):
        async with opened_town(database, settings_of(registration=mode)) as town:
            answer = await town.post(URL, body_of())

        assert (answer.status_code, answer.json()["code"]) == (403, "registration-closed")

    async def test_is_what_nobody_has_to_ask_for(self):
        assert Accounts.model_fields["registration"].default == "closed"

    async def test_invites_nobody_either(self, database, tenant):
        async with opened_town(database, settings_of(registration="closed")) as town:
            answer = await town.post(
                "/api/organization/invitations",
                {"email": new_email(), "role": "admin"},
                headers=await town.key(tenant),
            )

        assert (answer.status_code, answer.json()["code"]) == (403, "registration-closed")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (URL, {"email": "x@example.org", "password": PASSWORD, "organization": "Herons"}),
        ("/api/auth/password/forgot", {"email": "x@example.org"}),
    ],
)
async def test_production_without_mail_says_what_is_missing(database, path, body):
    async with opened_town(database, settings_of(), mailer=Mailer(Mail(host=None), production=True)) as town:
        answer = await town.post(path, body)

    assert (answer.status_code, answer.json()["code"]) == (503, "mail-not-configured")
    assert "SMTP_HOST" in answer.json()["hint"]


@pytest.mark.parametrize("name", ["Acme", "Żółw & Söhne GmbH", "شركة", "  --  ", "x" * 200, "A" + "!" * 100])
def test_every_name_becomes_a_slug(name):
    slug = slug_of(name)

    assert SLUG.fullmatch(slug)
    assert len(slug) <= 63
    assert slug != slug_of(name)
