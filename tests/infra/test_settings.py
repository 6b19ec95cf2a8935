"""What the environment and `.env` may say, and what of it is refused."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from carrel.infra.settings import (
    Database,
    Extraction,
    Jobs,
    Objects,
    Redis,
    Server,
    Settings,
    Web,
    inherited_environment,
)


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No variable of whoever runs the tests, and no `.env` of the checkout."""
    for name in list(os.environ):
        if name.startswith(("DATABASE_", "JOB_", "REDIS_", "SERVER_", "EXTRACTION_")) or name in {
            "WORKERS", "LOG_LEVEL", "RUST_LOG", "ADMIN_API_KEY", "DATA_DIR", "ENVIRONMENT", "JSON_MAX_BYTES",
            "CORS_ORIGINS", "ALLOWED_HOSTS", "PUBLIC_URL",
        }:  # fmt: skip
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


class TestEnvironment:
    def test_is_not_needed(self):
        settings = Settings()

        assert (settings.data_dir, settings.server.port, settings.database.url) == (Path("data"), 8080, None)

    def test_names_are_the_prefix_and_the_field(self, monkeypatch):
        monkeypatch.setenv("DATABASE_POOL_SIZE", "7")
        monkeypatch.setenv("SERVER_PORT", "0")
        monkeypatch.setenv("WORKERS", "3")
        monkeypatch.setenv("JSON_MAX_BYTES", "12")

        assert (Database().pool_size, Server().port, Server().workers, Objects().json_max_bytes) == (7, 0, 3, 12)

    def test_gives_durations_in_seconds(self, monkeypatch):
        monkeypatch.setenv("JOB_LEASE", "1.5")

        assert Jobs().lease == timedelta(seconds=1.5)

    @pytest.mark.parametrize("name", ["LOG_LEVEL", "RUST_LOG"])
    def test_names_the_level_of_the_log_in_two_ways(self, monkeypatch, name):
        monkeypatch.setenv(name, "debug")

        assert Settings().log_level == "debug"

    def test_that_is_blank_counts_as_unset(self, monkeypatch):
        for name in ("DATABASE_URL", "REDIS_URL", "ADMIN_API_KEY"):
            monkeypatch.setenv(name, "")

        settings = Settings()

        assert (settings.database.url, settings.redis.url, settings.admin_api_key) == (None, None, None)

    def test_goes_before_the_file(self, monkeypatch):
        Path(".env").write_text("JOB_CONCURRENCY=2\nJOB_PER_TENANT=9\nSOMETHING_ELSE=x\n")
        monkeypatch.setenv("JOB_CONCURRENCY", "3")

        assert (Jobs().concurrency, Jobs().per_tenant) == (3, 9)

    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            (Server, "SERVER_PORT", "65536"),
            (Server, "WORKERS", "0"),
            (Database, "DATABASE_POOL_SIZE", "1"),
            (Database, "DATABASE_STATEMENT_TIMEOUT", "soon"),
            (Jobs, "JOB_CONCURRENCY", "many"),
            (Extraction, "EXTRACTION_MEMORY_MB", "63"),
            (Settings, "ENVIRONMENT", "moon"),
        ],
    )
    def test_that_cannot_be_is_refused(self, monkeypatch, kind, name, value):
        monkeypatch.setenv(name, value)

        with pytest.raises(ValidationError):
            kind()


class TestSecrets:
    def test_are_not_shown(self, monkeypatch):
        monkeypatch.setenv("ADMIN_API_KEY", "ck_hidden")
        monkeypatch.setenv("REDIS_URL", "redis://:hidden@cache")

        assert "hidden" not in repr(Settings()) + repr(Redis()) + str(Settings().model_dump())
        url = Redis().url
        assert url is not None
        assert url.get_secret_value() == "redis://:hidden@cache"


def test_a_child_inherits_the_environment_with_changes(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "old")
    monkeypatch.setenv("SERVER_PORT", "1")

    inherited = inherited_environment(DATABASE_URL="new")

    assert (inherited["DATABASE_URL"], inherited["SERVER_PORT"]) == ("new", "1")
    assert os.environ["DATABASE_URL"] == "old"


class TestWeb:
    def test_lets_in_no_other_origin_and_any_name_unless_told(self):
        assert (Web().cors_origins, Settings().hosts) == ((), ("*",))

    def test_takes_origins_with_commas_between_them(self, monkeypatch):
        monkeypatch.setenv("CORS_ORIGINS", "https://app.example.org, http://localhost:5173")

        assert Web().cors_origins == ("https://app.example.org", "http://localhost:5173")

    @pytest.mark.parametrize(
        "origin",
        ["app.example.org", "https://app.example.org/", "https://*.example.org", "null", "*, https://a.example"],
    )
    def test_refuses_what_is_no_origin(self, monkeypatch, origin):
        monkeypatch.setenv("CORS_ORIGINS", origin)

        with pytest.raises(ValidationError):
            Web()

    def test_answers_in_production_to_the_public_name_and_at_its_own_addresses(self, monkeypatch):
        monkeypatch.setenv("PUBLIC_URL", "https://carrel.example.org/search")
        monkeypatch.setenv("SERVER_HOST", "2001:db8::7")

        assert set(Settings(environment="production").hosts) == {
            "carrel.example.org", "[2001:db8::7]", "127.0.0.1", "localhost", "[::1]",
        }  # fmt: skip

    def test_answers_to_the_names_that_are_given(self, monkeypatch):
        monkeypatch.setenv("ALLOWED_HOSTS", "Carrel.Example.org, *.example.net")

        assert {"carrel.example.org", "*.example.net", "127.0.0.1"} <= set(Settings().hosts)
        assert "*" not in Settings().hosts

    @pytest.mark.parametrize("name", ["https://example.org", "example.org:8080", "exa mple.org", "a.*.example"])
    def test_refuses_what_is_no_name_of_a_host(self, monkeypatch, name):
        monkeypatch.setenv("ALLOWED_HOSTS", name)

        with pytest.raises(ValidationError):
            Web()
