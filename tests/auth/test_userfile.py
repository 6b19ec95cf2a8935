import csv
import io
import json

import pytest
from argon2 import PasswordHasher
from argon2.low_level import Type
from hypothesis import given
from hypothesis import strategies as st

from carrel.auth.errors_people import UserFileInvalid
from carrel.auth.schemas_people import Carried, Entry
from carrel.auth.userfile import form_of, harmless, original, parsed, written

names = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40).filter(
    lambda text: text == text.strip()
)
people = st.builds(
    Carried,
    email=st.from_regex(r"[a-z=+][a-z0-9=+-]{0,10}@[a-z]{1,10}\.org", fullmatch=True),
    name=names,
    tier=st.sampled_from(["free", "pro", "enterprise", "admin"]),
    operator=st.booleans(),
    enabled=st.booleans(),
    organization=st.from_regex(r"[a-z0-9]{1,10}(-[a-z0-9]{1,5})?", fullmatch=True),
    role=st.sampled_from(["viewer", "member", "admin", "owner"]),
    password_hash=st.none(),
)


def error(entry: Entry) -> str:
    return entry.error or ""


def file(*rows):
    return "\n".join(["email,name,tier,organization,role,password", *rows])


@given(st.lists(people, max_size=5, unique_by=lambda one: one.email), st.sampled_from(["csv", "json"]))
def test_what_is_written_is_read_as_it_was(written_people, form):
    entries = parsed(written(written_people, form), form)

    assert [entry.error for entry in entries] == [None] * len(written_people)
    for one, entry in zip(written_people, entries, strict=True):
        assert entry.line is not None
        said = entry.line.model_dump()
        assert said["name"] == (one.name or None)
        for name in ("email", "tier", "operator", "enabled", "organization", "role"):
            assert said[name] == getattr(one, name)


@given(st.text())
def test_no_cell_begins_like_a_formula(text):
    assert not harmless(text).startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert original(harmless(text)) == text


def test_a_name_that_is_a_formula_is_written_as_text():
    evil = Carried("x@example.org", '=HYPERLINK("http://x.test")', "free", False, True, None, None, None)

    [row] = csv.DictReader(io.StringIO(written([evil], "csv")))

    assert row["name"] == '\'=HYPERLINK("http://x.test")'


def test_hashes_are_written_only_when_asked_for():
    lina = Carried("x@example.org", "", "free", False, True, None, None, "$argon2id$secret")

    for form in ("csv", "json"):
        assert "secret" not in written([lina], form)
        assert "secret" in written([lina], form, hashes=True)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("no address,,,,,", "no e-mail address"),
        (",,,,,", "email"),
        ("x@example.org,,gold,,,", "tier"),
        ("x@example.org,,,,owner,", "needs an organization"),
        ("x@example.org,,,acme,king,", "role"),
        (f"x@example.org,{'n' * 201},,,,", "name"),
        ("x@example.org,a\u202eb,,,,", "name"),
        ("x@example.org,,,,,,,,", "more cells"),
        ("pаypal@example.org,,,,,", "mixes alphabets"),
    ],
)
def test_says_what_is_wrong_with_a_line(row, reason):
    good, bad = parsed(file("good@example.org,,,,,", row), "csv")

    assert good.error is None
    assert reason in error(bad)
    assert bad.number == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name\nLina",
        "email,email\nx@example.org,x@example.org",
        "email,salary\nx@example.org,1",
        'email\n"x@example.org',
        "email\n" + "x" * 200_000,
    ],
)
def test_refuses_what_is_no_csv_of_users(text):
    with pytest.raises(UserFileInvalid) as refused:
        parsed(text, "csv")

    assert refused.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"email": "x@example.org"}', "[" * 100_000])
def test_refuses_what_is_no_json_of_users(text):
    with pytest.raises(UserFileInvalid):
        parsed(text, "json")


def test_takes_no_column_that_is_not_known_from_json():
    [entry] = parsed(json.dumps([{"email": "x@example.org", "id": "1"}]), "json")

    assert "id" in error(entry)


def test_somebody_may_stand_in_several_lines_but_is_one_person():
    entries = parsed(
        file(
            "x@example.org,Lina,pro,acme,owner,",
            "X@EXAMPLE.org,Lina,pro,herons,viewer,",
            "x@example.org,Lina,pro,acme,viewer,",
            "x@example.org,Lina,free,third,viewer,",
        ),
        "csv",
    )

    assert [entry.error is None for entry in entries] == [True, False, False, False]
    assert "repeats line 2" in error(entries[2])
    assert "contradicts line 2" in error(entries[3])


@pytest.mark.parametrize("name", ["users.txt", "users", "csv", "users.csv.exe"])
def test_knows_two_forms(name):
    assert (form_of("users.CSV"), form_of("a.b.json")) == ("csv", "json")
    with pytest.raises(UserFileInvalid):
        form_of(name + ".")


class TestHashes:
    @pytest.mark.parametrize(
        ("hasher", "reason"),
        [
            (PasswordHasher(1, 8, 1, type=Type.I), "Argon2id"),
            (PasswordHasher(1, 8, 1, type=Type.D), "Argon2id"),
            (PasswordHasher(17, 8, 1), "cost too much"),
        ],
    )
    def test_of_another_kind_are_refused(self, hasher, reason):
        assert reason in self.error_of(hasher.hash("x"))

    @pytest.mark.parametrize(
        "hashed",
        [
            "secret",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
            "$argon2id$",
        ],
    )
    def test_of_other_makes_are_refused(self, hashed):
        assert self.error_of(hashed)

    def test_of_argon2id_are_taken(self):
        assert self.error_of(PasswordHasher(1, 8, 1).hash("x")) is None

    def error_of(self, hashed):
        [entry] = parsed(json.dumps([{"email": "x@example.org", "password_hash": hashed}]), "json")
        return entry.error
