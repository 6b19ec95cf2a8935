import importlib
import sys
from types import ModuleType

import pytest
import typer
from fastapi import FastAPI
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tools.docs import Offer, check, commands, endpoints, offers, variables


class Cache(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CACHE_")

    enabled: bool = True
    level: str = Field(default="info", validation_alias=AliasChoices("LOG_LEVEL", "OLD_LEVEL"))
    workers: int = Field(default=1, validation_alias="workers")


def test_a_setting_is_named_by_its_prefix_and_field():
    assert variables(Cache, "enabled") == ["CACHE_ENABLED"]


def test_a_setting_with_aliases_has_only_those_names():
    assert variables(Cache, "level") == ["LOG_LEVEL", "OLD_LEVEL"]
    assert variables(Cache, "workers") == ["WORKERS"]


def test_commands_are_spelled_as_they_are_typed_and_hidden_ones_are_left_out():
    app, keys = typer.Typer(), typer.Typer()
    app.add_typer(keys, name="keys")

    @app.command()
    def serve(): ...

    @keys.command("create")
    def make(): ...

    @app.command(hidden=True)
    def child(): ...

    assert [offer.name for offer in commands(app)] == ["carrel serve", "carrel keys create"]


def test_endpoints_are_every_operation_of_the_api():
    app = FastAPI()

    @app.get("/api/things/{thing_id}")
    @app.delete("/api/things/{thing_id}")
    def thing(thing_id: str): ...

    names = [offer.name for offer in endpoints(app.openapi())]

    assert names == ["DELETE /api/things/{thing_id}", "GET /api/things/{thing_id}"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CACHE_ENABLED", "Set `CACHE_ENABLED=false`."),
        ("not-text", "## not-text\n"),
        ("carrel keys create", "    carrel keys create --name me\n"),
        ("GET /api/things/{thing_id}", "`GET /api/things/{thing_id}`"),
        ("GET /api/things", "| GET | `/api/things` |"),
        ("GET /api/things", "`GET /api/things?limit=10`"),
        ("GET /health", "GET /health."),
    ],
)
def test_is_found_in_the_text(name, text):
    assert Offer("thing", name, "").is_in(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CACHE_ENABLED", "MY_CACHE_ENABLED and CACHE_ENABLED_TOO"),
        ("not-text", "not-text-at-all, why-not-text"),
        ("carrel keys", "carrel keyserver"),
        ("GET /api/things", "GET /api/things/{thing_id}"),
        ("GET /api/things", "POST /api/things"),
        ("GET /health", "GET /health/ready"),
    ],
)
def test_a_longer_or_another_name_does_not_count(name, text):
    assert not Offer("thing", name, "").is_in(text)


@pytest.fixture
def given(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    return write


PROBLEM = 'class Gone(Problem):\n    code, title, status = "gone-away", "Gone", 410\n'


def test_an_error_code_without_a_page_is_found_where_it_is_declared(tmp_path, given):
    given("src/carrel/search/errors.py", PROBLEM)
    given("README.md", "gone-away")

    (finding,) = check(tmp_path)

    expected = "src/carrel/search/errors.py:1: The error code `gone-away` appears nowhere in docs/."
    assert str(finding) == expected


def test_an_error_code_with_a_page_is_fine(tmp_path, given):
    given("src/carrel/search/errors.py", PROBLEM)
    given("docs/problems/search.md", "# gone-away\n")

    assert list(check(tmp_path)) == []


def test_an_event_without_a_page_is_found_where_it_is_declared(tmp_path, given):
    given("src/carrel/news/events.py", '"""News."""\n\n\nclass Arrived:\n    """It is here."""\n')

    (finding,) = check(tmp_path)

    assert str(finding) == "src/carrel/news/events.py:4: The event `Arrived` appears nowhere in docs/."


def test_a_part_that_does_not_exist_yet_is_said_to_be_missing(tmp_path, capsys):
    assert list(offers(tmp_path)) == []

    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" is not there yet")[0] for line in said] == [
        "carrel.infra.settings",
        "carrel.entry.cli",
        "carrel.entry.web",
    ]


def test_a_part_that_exists_is_asked(tmp_path, given, monkeypatch):
    given("src/carrel/entry/cli/__init__.py", "app = ...\n")
    app = typer.Typer()
    app.command("serve")(lambda: None)
    app.command("doctor")(lambda: None)
    product = ModuleType("carrel.entry.cli")
    vars(product)["app"] = app
    monkeypatch.setitem(sys.modules, "carrel.entry.cli", product)

    assert list(offers(tmp_path)) == [
        Offer("command", "carrel serve", "src/carrel/entry/cli/__init__.py"),
        Offer("command", "carrel doctor", "src/carrel/entry/cli/__init__.py"),
    ]


def test_a_setting_is_found_at_its_own_line(tmp_path, given, monkeypatch):
    given("src/carrel/infra/settings.py", SETTINGS)
    monkeypatch.setitem(sys.modules, "carrel.infra.settings", given_module("given_settings", tmp_path, monkeypatch))

    assert [(offer.name, offer.line) for offer in offers(tmp_path)] == [
        ("DATABASE_URL", 7),
        ("SERVER_HOST", 11),
        ("SERVER_URL", 12),
    ]


SETTINGS = """from pydantic_settings import BaseSettings, SettingsConfigDict


class Database(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DATABASE_")

    url: str = ""

class Server(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SERVER_")
    host: str = "127.0.0.1"
    url: str = ""
"""


def given_module(name, folder, monkeypatch):
    (folder / f"{name}.py").write_text(SETTINGS)
    monkeypatch.syspath_prepend(folder)
    return importlib.import_module(name)


def test_a_part_that_exists_but_cannot_be_imported_is_a_failure(tmp_path, given, monkeypatch):
    given("src/carrel/entry/web.py", "")
    monkeypatch.setitem(sys.modules, "carrel.entry.web", None)

    with pytest.raises(ImportError):
        list(offers(tmp_path))
