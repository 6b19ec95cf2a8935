import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from carrel.auth import grants
from carrel.auth.errors import TokenKeyMissing, TokenKeyUnusable
from carrel.auth.grants import Filter, Grant
from carrel.auth.keyring import ring_of
from carrel.auth.signing import Claims, Key, Ring
from carrel.core.clock import now
from carrel.core.ids import KeyId, TenantId
from carrel.infra.settings import Tokens
from tests.auth.town import opened_town, settings_of

pytestmark = pytest.mark.anyio
SECRET = "a secret of thirty-two bytes or so"
PRIVATE = ed25519.Ed25519PrivateKey.generate()
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PUBLIC_RAW = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
LIFE = timedelta(hours=24)
RSA = rsa.generate_private_key(65537, 2048)
ODD_NAMES: list[Any] = [
    "", "../../../../dev/null", "' OR 1=1 --", "https://evil.example/k", "\u0000", 7, None, ["x"], {},
]  # fmt: skip


def pem_of(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ring_with(signing, *others):
    return Ring(signing, others, issuer="carrel", lifetime=LIFE)


SECRET_RING = ring_with(Key.of_secret(SECRET.encode()))
PAIR_RING = ring_with(Key.of_private(PRIVATE))
WHO = Claims(uuid4(), TenantId(uuid4()), uuid4(), "owner", 1)
LIMITS = Filter(frozenset({"a", "ü"}), frozenset({uuid4(), uuid4()}), frozenset({uuid4()}))
GRANT = Grant(TenantId(uuid4()), KeyId(uuid4()), frozenset({"read", "search"}), LIMITS, "a customer")
ODD_FILTERS: list[Any] = [{}, None, [], "", {"tags": None}]
ODD_TYPES = ("JWT", "rt+jwt", "AT+JWT", "TT+JWT", None, "at+jwt ", "tt+jwt ")
ODD_SCOPES: list[Any] = [[], None, "read", ["admin"], ["read", "admin"], ["operator"], ["token"], ["account"], [1]]


def b64(value):
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def opened(token):
    """Header and claims of a good token."""
    return tuple(json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])


def hs256(header, claims, key=None):
    """A token signed with the secret, whatever it says: what only a mistake of ours would let through."""
    signed = (header if isinstance(header, bytes) else b64(header)) + b"."
    signed += claims if isinstance(claims, bytes) else b64(claims)
    return (signed + b"." + b64(hmac.digest(SECRET.encode() if key is None else key, signed, hashlib.sha256))).decode()


def forgeries(good, pair):
    """By name: access tokens that must not be believed, made from a good one of each algorithm."""
    return {**forged(good, pair), **odd_sessions(good)}


def forged(good, pair):
    """What must not be believed, of whichever form of tokens."""
    return {
        **wrong_algorithms(good),
        **wrong_keys(good, pair),
        **odd_headers(good),
        **odd_claims(good),
        **odd_forms(good),
    }


def wrong_algorithms(good):
    (header, claims), (_, second, _) = opened(good), good.split(".")

    def headed(**changes):
        return hs256({**header, **changes}, claims)

    return {
        **{f"alg {alg!r}": headed(alg=alg) for alg in ("none", "NONE", "None", "nOnE", "", "HS512", "hs256", "RS256")},
        **{f"alg {alg!r}, unsigned": f"{b64({**header, 'alg': alg}).decode()}.{second}." for alg in ("none", "NONE")},
        "alg is a list": headed(alg=["HS256"]),
        "alg EdDSA with the secret's name": headed(alg="EdDSA"),
        "alg is missing": hs256({"typ": header["typ"], "kid": header["kid"]}, claims),
    }


def wrong_keys(good, pair):
    (header, claims), (pair_header, _) = opened(good), opened(pair)
    private = ed25519.Ed25519PrivateKey.generate()
    unnamed = {name: value for name, value in pair_header.items() if name != "alg"}
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(private.public_key()))

    return {
        "signed with the public key as PEM": hs256({**pair_header, "alg": "HS256"}, claims, PUBLIC_PEM),
        "signed with the public key as bytes": hs256({**pair_header, "alg": "HS256"}, claims, PUBLIC_RAW),
        "signed with nothing": hs256(header, claims, b""),
        "signed with another secret": hs256(header, claims, b"x" * 32),
        "signed with another pair": jwt.encode(claims, private, "EdDSA", headers=unnamed),
        "signed with RSA": jwt.encode(claims, RSA, "RS256", headers=unnamed),
        "the pair's header on a secret's signature": hs256(pair_header, claims),
        "jwk of one's own": jwt.encode(claims, private, "EdDSA", headers={**unnamed, "jwk": jwk}),
    }


def odd_headers(good):
    header, claims = opened(good)

    def headed(**changes):
        return hs256({**header, **changes}, claims)

    return {
        **{f"kid {kid!r}": headed(kid=kid) for kid in ODD_NAMES},
        "kid is missing": hs256({"alg": "HS256", "typ": header["typ"]}, claims),
        "jku": headed(jku="https://evil.example/jwks.json"),
        "x5u": headed(x5u="https://evil.example/cert.pem"),
        "x5c": headed(x5c=["MIIB"]),
        "crit": headed(crit=["exp"]),
        "b64": headed(b64=False, crit=["b64"]),
        "zip": headed(zip="DEF"),
        **{f"typ {typ!r}": headed(typ=typ) for typ in ODD_TYPES},
    }


def odd_claims(good):
    header, claims = opened(good)
    hour = 3600

    def signed(**changes):
        return hs256(header, {**claims, **changes})

    def without(name):
        return hs256(header, {key: value for key, value in claims.items() if key != name})

    return {
        "audience of others": signed(aud="another"),
        "audience among others": signed(aud=[claims["aud"], "another"]),
        "issuer of others": signed(iss="another"),
        "issuer in a list": signed(iss=["carrel"]),
        **{f"without {name}": without(name) for name in sorted(claims)},
        "an extra claim": signed(admin=True),
        "expired": signed(iat=claims["iat"] - hour, exp=claims["iat"] - hour + 900),
        "begins later": signed(iat=claims["iat"] + hour, exp=claims["exp"] + hour),
        "exp as text": signed(exp=str(claims["exp"])),
        "exp as a fraction": signed(exp=claims["exp"] + 0.5),
        "exp true": signed(exp=True),
        "exp beyond time": signed(exp=10**30),
        "exp infinite": hs256(header, b64(json.dumps({**claims, "exp": float("inf")}).encode())),
        "iat as text": signed(iat="now"),
        "sub is a number": signed(sub=1),
        "tenant is no id": signed(tid="*"),
        "tenant is a number": signed(tid=1),
        "tenant is nobody": signed(tid=None),
    }


def odd_sessions(good):
    (header, claims), (first, _, signature) = opened(good), good.split(".")

    def signed(**changes):
        return hs256(header, {**claims, **changes})

    return {
        "session of another jti": signed(sid=str(uuid4())),
        "session is a number": signed(sid=1),
        "sub is no id": signed(sub="admin"),
        "role changed, not signed": f"{first}.{b64({**claims, 'role': 'admin'}).decode()}.{signature}",
        "a tenant token": TENANT,
        "the claims of a tenant token": hs256(header, opened(TENANT)[1]),
        "a tenant token with our type": hs256(header, {**opened(TENANT)[1], "aud": claims["aud"]}),
        "the type of a tenant token": hs256({**header, "typ": "tt+jwt"}, claims),
        "the audience of a tenant token": signed(aud="carrel:tenant-token"),
    }


def forged_grants(good, pair):
    """By name: tenant tokens that must not be believed."""
    (header, claims), (first, _, signature) = opened(good), good.split(".")

    def signed(**changes):
        return hs256(header, {**claims, **changes})

    def unsigned(**changes):
        return f"{first}.{b64({**claims, **changes}).decode()}.{signature}"

    def filtered(**changes):
        return signed(flt={**claims["flt"], **changes})

    wide: dict[str, Any] = {"tags": None, "documents": None, "collections": None}
    return {
        **forged(good, pair),
        "filter changed, not signed": unsigned(flt=wide),
        "filter emptied, not signed": unsigned(flt={**claims["flt"], "tags": ["another"]}),
        "scopes changed, not signed": unsigned(scp=["read", "search", "write"]),
        "key changed, not signed": unsigned(key=uuid4().hex),
        "later end, not signed": unsigned(exp=claims["exp"] + 3600),
        **{f"scopes {scopes!r}": signed(scp=scopes) for scopes in ODD_SCOPES},
        **{f"filter {limits!r}": signed(flt=limits) for limits in ODD_FILTERS},
        "filter with more": filtered(readers=None),
        "tags of nothing": filtered(tags=[]),
        "tags as text": filtered(tags="a"),
        "tags that are no text": filtered(tags=[1]),
        "documents that are no ids": filtered(documents=["*"]),
        "documents that are numbers": filtered(documents=[1]),
        "documents of nothing": filtered(documents=[]),
        "collections as an object": filtered(collections={}),
        "key is no id": signed(key="*"),
        "key is a number": signed(key=1),
        "key is a list": signed(key=[claims["key"]]),
        "an access token": GOOD,
        "the claims of an access token": hs256(header, opened(GOOD)[1]),
        "an access token with our type": hs256(header, {**opened(GOOD)[1], "aud": claims["aud"]}),
        "the type of an access token": hs256({**header, "typ": "at+jwt"}, claims),
        "the audience of an access token": signed(aud="carrel"),
    }


def odd_forms(good):
    (header, claims), (first, second, signature) = opened(good), good.split(".")
    other = str(uuid4())

    return {
        "tenant changed, not signed": f"{first}.{b64({**claims, 'tid': other}).decode()}.{signature}",
        "a claim twice": hs256(header, b64(json.dumps(claims)[:-1].encode() + b',"tid":"' + other.encode() + b'"}')),
        "a header twice": hs256(b64(json.dumps(header)[:-1].encode() + b',"alg":"none"}'), claims),
        "claims are a list": hs256(header, b64([claims])),
        "claims are no JSON": hs256(header, b64(b"{")),
        "header is no JSON": hs256(b64(b"\xff"), claims),
        "claims nested deeply": hs256(header, b64(b"[" * 100_000)),
        "signature cut": good[:-1],
        "signature half": f"{first}.{second}.{signature[:20]}",
        "signature empty": f"{first}.{second}.",
        "signature longer": good + "AA",
        "signature spelled otherwise": f"{first}.{second}.{respelled(signature)}",
        "padded": good + "=",
        "in standard base64": good.replace("-", "+").replace("_", "/") + "+",
        "two parts": f"{first}.{second}",
        "four parts": good + ".x",
        "five parts": "..".join((first, second, signature)),
        "a line end inside": f"{first}.{second}\n.{signature}",
        "a space inside": f"{first} .{second}.{signature}",
        "dots only": "..",
        "beyond ASCII": good + "é",
        "1 MB": f"{first}.{'A' * 1_000_000}.{signature}",
        "1 MB of parts": "." * 1_000_000,
    }


def respelled(signature):
    """The same bytes by another last character: two of its bits stand for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]


GOOD, PAIR = SECRET_RING.issue(WHO, now()), PAIR_RING.issue(WHO, now())
TENANT, TENANT_PAIR = [GRANT.signed(ring, now(), now() + LIFE) for ring in (SECRET_RING, PAIR_RING)]
FORGED, FORGED_GRANTS = forgeries(GOOD, PAIR), forged_grants(TENANT, TENANT_PAIR)


class TestReading:
    @pytest.mark.parametrize("ring", [SECRET_RING, PAIR_RING])
    def test_gives_back_what_was_issued(self, ring):
        found = ring.read(ring.issue(WHO, now()).encode())

        assert found is not None
        assert found[0] == WHO

    def test_the_forger_of_these_tests_can_make_good_ones(self):
        """Else every refusal below might have another reason."""
        header, claims = opened(GOOD)

        assert SECRET_RING.read(hs256(header, claims).encode()) is not None

    @pytest.mark.parametrize("name", sorted(FORGED))
    def test_believes_no_forgery(self, name):
        rings = (SECRET_RING, PAIR_RING, ring_with(Key.of_private(PRIVATE), Key.of_secret(SECRET.encode())))

        assert [ring.read(FORGED[name].encode()) for ring in rings] == [None, None, None]

    @pytest.mark.parametrize("ring", [SECRET_RING, PAIR_RING])
    def test_gives_back_what_was_granted(self, ring):
        end = now() + timedelta(minutes=5)
        wide = replace(GRANT, filter=Filter(), subject="", scopes=frozenset({"write"}))

        for grant in (GRANT, wide):
            assert grants.read(ring, grant.signed(ring, now(), end).encode()) == (grant, end.replace(microsecond=0))

    def test_the_forger_can_make_good_grants(self):
        assert grants.read(SECRET_RING, hs256(*opened(TENANT)).encode()) is not None

    @pytest.mark.parametrize("name", sorted(FORGED_GRANTS))
    def test_believes_no_forged_grant(self, name):
        rings = (SECRET_RING, PAIR_RING, ring_with(Key.of_private(PRIVATE), Key.of_secret(SECRET.encode())))

        assert [grants.read(ring, FORGED_GRANTS[name].encode()) for ring in rings] == [None, None, None]

    def test_tells_grants_apart_by_all_that_they_allow(self):
        others = [
            replace(GRANT, tenant=TenantId(uuid4())),
            replace(GRANT, key=KeyId(uuid4())),
            replace(GRANT, scopes=frozenset({"read"})),
            replace(GRANT, filter=replace(LIMITS, tags=None)),
            replace(GRANT, filter=replace(LIMITS, documents=None)),
            replace(GRANT, filter=replace(LIMITS, collections=None)),
            replace(GRANT, subject="another customer"),
        ]

        assert len({one.bearer for one in (GRANT, replace(GRANT), *others)}) == len(others) + 1

    def test_issues_the_same_token_for_the_same_moment(self):
        moment = now()

        assert SECRET_RING.issue(WHO, moment) == SECRET_RING.issue(WHO, moment)

    def test_allows_for_clocks_that_differ_a_little(self):
        assert SECRET_RING.read(SECRET_RING.issue(WHO, now() + timedelta(seconds=3)).encode()) is not None
        assert SECRET_RING.read(SECRET_RING.issue(WHO, now() - LIFE - timedelta(seconds=7)).encode()) is None


class TestRotation:
    def test_believes_the_former_key_until_it_is_taken_away(self):
        old, new = Key.of_secret(SECRET.encode()), Key.of_secret(b"y" * 32)
        token = ring_with(old).issue(WHO, now()).encode()

        assert ring_with(new, old).read(token) is not None
        assert ring_with(new).read(token) is None

    def test_leads_from_a_secret_to_a_pair(self):
        both = ring_with(Key.of_private(PRIVATE), Key.of_secret(SECRET.encode()))

        assert both.read(GOOD.encode()) is not None
        assert opened(both.issue(WHO, now()))[0]["alg"] == "EdDSA"

    def test_publishes_public_keys_and_nothing_else(self):
        former = ed25519.Ed25519PrivateKey.generate()
        ring = ring_with(Key.of_private(PRIVATE), Key.of_public(former.public_key()), Key.of_secret(SECRET.encode()))

        keys = ring.published()["keys"]

        assert len(keys) == 2
        assert all(set(key) == {"kty", "crv", "x", "kid", "use", "alg"} for key in keys)
        checked = jwt.PyJWK(next(key for key in keys if key["kid"] == opened(PAIR)[0]["kid"]))
        assert jwt.decode(PAIR, checked, algorithms=["EdDSA"], audience="carrel")["sub"] == str(WHO.user)
        assert SECRET_RING.published() == {"keys": []}


class TestTheKeysOfTheSettings:
    async def test_are_generated_once_for_all_instances_outside_production(self, database):
        first, second = [await ring_of(Tokens(), database, production=False) for _ in range(2)]

        assert second.read(first.issue(WHO, now()).encode()) is not None

    async def test_are_never_generated_in_production(self, database):
        with pytest.raises(TokenKeyMissing) as refused:
            await ring_of(Tokens(), database, production=True)

        assert "JWT_SECRET" in str(refused.value.hint)

    async def test_may_be_given_as_text_as_one_line_or_as_a_file(self, database, tmp_path):
        pem, file = pem_of(PRIVATE), tmp_path / "key.pem"
        file.write_text(pem)

        for given in (pem, pem.replace("\n", "\\n"), str(file)):
            ring = await ring_of(Tokens.model_validate({"private_key": given}), database, production=True)
            assert ring.read(PAIR.encode()) is not None

    async def test_believe_former_ones(self, database):
        settings = Tokens.model_validate(
            {"secret": "z" * 32, "previous_secret": SECRET, "previous_public_key": PUBLIC_PEM.decode()}
        )

        ring = await ring_of(settings, database, production=True)

        assert ring.read(GOOD.encode()) is not None
        assert ring.read(PAIR.encode()) is not None

    @pytest.mark.parametrize(
        "given",
        [
            {"secret": "short"},
            {"secret": "é" * 15},
            {"secret": SECRET, "previous_secret": "short"},
            {"private_key": "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"},
            {"private_key": "nowhere/key.pem"},
            {"private_key": "\x00"},
            {"private_key": pem_of(ec.generate_private_key(ec.SECP256R1()))},
            {"private_key": PUBLIC_PEM.decode()},
            {"secret": SECRET, "previous_public_key": "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----"},
            {"secret": SECRET, "previous_public_key": pem_of(PRIVATE)},
        ],
    )
    async def test_that_cannot_be_used_are_named(self, database, given):
        with pytest.raises(TokenKeyUnusable) as refused:
            await ring_of(Tokens(**given), database, production=True)

        assert "JWT_" in refused.value.detail
        assert SECRET not in refused.value.detail


class TestTheDoor:
    async def test_opens_for_no_forgery_and_always_says_the_same(self, database, links):
        async with opened_town(database, settings_of(secret=SECRET)) as town:
            lina = await town.register()
            good = lina.tokens["access_token"]
            told = set()
            for name, forged in forgeries(good, PAIR).items():
                header = f"Bearer {forged}".encode("latin-1").replace(b"\n", b" ")
                answer = await town.http.get("/api/auth/me", headers={b"Authorization": header})
                assert answer.status_code == 401, name
                told.add((answer.json()["code"], answer.json()["detail"], answer.headers["www-authenticate"]))

            assert (await lina.call("GET", "/api/auth/me")).status_code == 200
        assert len(told) == 1
        assert len(FORGED) >= 40

    async def test_opens_for_no_token_that_names_what_the_session_is_not(self, database, links):
        """Signed with the right key: what a leaked key would allow is all that is left, and these are not even that."""
        async with opened_town(database, settings_of(secret=SECRET)) as town:
            lina, other = await town.register(), await town.register()
            header, claims = opened(lina.tokens["access_token"])
            _, theirs = opened(other.tokens["access_token"])
            changes = [{"tid": theirs["tid"]}, {"sub": theirs["sub"]}, {"sid": theirs["sid"], "jti": theirs["jti"]}]
            for change in changes:
                token = hs256(header, {**claims, **change})
                answer = await town.http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
                assert (answer.status_code, answer.json()["code"]) == (401, "invalid-credentials")

    async def test_does_not_take_a_refresh_token_or_a_key_of_the_role_claim(self, database, links):
        async with opened_town(database, settings_of(secret=SECRET)) as town:
            lina = await town.register()
            header, claims = opened(lina.tokens["access_token"])
            await town.change("UPDATE memberships SET role = 'viewer' WHERE user_id = %(user)s", user=lina.id)
            boasting = hs256(header, {**claims, "role": "owner"})
            refreshing = lina.tokens["refresh_token"]

            boasted = await town.http.get("/api/organization/members", headers={"Authorization": f"Bearer {boasting}"})
            refreshed = await town.http.get("/api/auth/me", headers={"Authorization": f"Bearer {refreshing}"})

        assert boasted.status_code == 403
        assert refreshed.status_code == 401
