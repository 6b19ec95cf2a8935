import pytest

from tools.house import check


@pytest.fixture
def findings(tmp_path):
    """What the house lints say about one module of the product."""

    def look(code, *, module="search/service.py"):
        target = tmp_path / "src" / "carrel" / module
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
        return list(check(tmp_path, {}))

    return look


BAD = {
    "a commit": "await db.commit()",
    "an HTTPException by its module": "raise fastapi.HTTPException(404)",
    "an HTTPException imported": "from fastapi import HTTPException",
    "an HTTPException of the framework below": "from starlette.exceptions import HTTPException as Refused",
    "the environment": "os.environ['HOME']",
    "the environment by getenv": "os.getenv('HOME')",
    "the environment imported": "from os import environ",
    "a print": "print('hello')",
    "a hash of a string": "bucket = hash(name) % 10",
    "a naive now": "datetime.now()",
    "a naive now by its module": "datetime.datetime.now()",
    "utcnow": "datetime.utcnow()",
    "a naive today": "date.today()",
    "a naive timestamp": "datetime.fromtimestamp(0)",
}

GOOD = {
    "a hash method": "class Key:\n    def __hash__(self):\n        return hash(self.name)",
    "a digest": "hashlib.blake2b(name).digest()",
    "a time with a zone": "datetime.now(UTC)",
    "a time with a named zone": "datetime.now(tz=UTC)",
    "a timestamp with a zone": "datetime.fromtimestamp(0, UTC)",
    "the clock": "now()",
    "a console": "console.print('hello')",
    "another commit": "commit(order)",
    "another environ": "request.environ['PATH_INFO']",
    "another HTTPException": "except_ = http.client.HTTPException",
    "os without its environment": "os.urandom(8)",
}


@pytest.mark.parametrize("code", BAD.values(), ids=BAD.keys())
def test_is_found_in_a_room(findings, code):
    (finding,) = findings(f"x = 1\n{code}\n")

    assert str(finding).startswith("src/carrel/search/service.py:2: ")


@pytest.mark.parametrize("code", GOOD.values(), ids=GOOD.keys())
def test_is_fine_in_a_room(findings, code):
    assert findings(f"{code}\n") == []


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("infra/db/transaction.py", "await db.commit()"),
        ("infra/settings.py", "os.environ['HOME']"),
        ("infra/web/problems.py", "from starlette.exceptions import HTTPException"),
        ("entry/cli/keys.py", "print('key')"),
        ("entry/cli.py", "print('key')"),
    ],
)
def test_is_fine_at_home(findings, module, code):
    assert findings(f"{code}\n", module=module) == []


def test_settings_of_another_room_are_not_the_settings(findings):
    assert findings("os.environ['HOME']\n", module="search/settings.py")


class TestRooms:
    @pytest.mark.parametrize("part", ["service", "schemas", "events", "errors"])
    def test_show_others_their_public_modules(self, findings, part):
        assert findings(f"from carrel.jobs.{part} import Thing\nfrom carrel.jobs import {part}\n") == []

    @pytest.mark.parametrize(
        "code",
        [
            "from carrel.jobs.repository import Jobs",
            "from carrel.jobs import repository",
            "import carrel.jobs.repository",
            "from carrel.jobs.fairness import weight",
        ],
    )
    def test_hide_everything_else(self, findings, code):
        (finding,) = findings(f"{code}\n")

        assert "is private to jobs" in finding.sentence

    def test_see_their_own_modules(self, findings):
        assert findings("from carrel.jobs.fairness import weight\n", module="jobs/service.py") == []

    def test_see_the_ground_and_the_rock(self, findings):
        assert findings("from carrel.infra.db import Transaction\nfrom carrel.core import clock\n") == []

    def test_are_open_to_the_roof(self, findings):
        assert findings("from carrel.jobs.router import router\n", module="entry/wiring.py") == []


class TestProblems:
    def test_need_a_code_that_no_other_has(self, findings):
        code = """
from carrel.core.errors import Problem
class Gone(Problem):
    code, title, status = "gone", "Gone", 410
class Lost(Problem):
    code = "gone"
"""
        (finding,) = findings(code, module="search/errors.py")

        assert finding.line == 5
        assert finding.sentence == "The code `gone` belongs to Gone in src/carrel/search/errors.py already."

    def test_need_a_code_at_all(self, findings):
        (finding,) = findings("class Gone(errors.Problem):\n    status = 410\n", module="search/errors.py")

        assert finding.sentence == "`Gone` has no `code` of its own."

    def test_may_share_a_base_without_a_code(self, findings):
        code = """
class Refused(Problem):
    status = 403
class TooMany(Refused):
    code: ClassVar[str] = "too-many"
class TooLarge(Refused):
    code = "too-large"
"""
        assert findings(code, module="search/errors.py") == []

    def test_of_a_base_are_problems_too(self, findings):
        code = """
class Refused(Problem):
    code = "refused"
class TooMany(Refused):
    code = "refused"
"""
        (finding,) = findings(code, module="search/errors.py")

        assert finding.line == 4

    def test_are_not_every_class_with_a_code(self, findings):
        code = 'class A:\n    code = "same"\nclass B:\n    code = "same"\n'

        assert findings(code, module="search/schemas.py") == []
