import pytest

from carrel.entry.cli import configuration
from carrel.entry.cli.configuration import SettingInvalid


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No `.env` but the test's own is read."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_any_setting_all_is_well():
    assert configuration.read().server.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SERVER_PORT", "99999"),
        ("WORKERS", "many"),
        ("JOB_LEASE", "soon"),
        ("DATABASE_POOL_SIZE", "-1"),
        ("ENVIRONMENT", "home"),
        ("MODEL_PRECISION", "int4"),
        ("REDIS_URL", "localhost"),
        ("REDIS_URL", "redis://localhost:port"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_by_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingInvalid) as refused:
        configuration.read()

    assert refused.value.detail.startswith(f"{name} cannot be used: ")
    assert refused.value.hint


def test_the_file_beside_it_counts_as_well(elsewhere):
    (elsewhere / ".env").write_text("SERVER_PORT=-1\n")

    with pytest.raises(SettingInvalid, match="SERVER_PORT"):
        configuration.read()


def test_a_file_that_is_no_text_is_named(elsewhere):
    (elsewhere / ".env").write_bytes(b"\xff\xfe\x00SERVER")

    with pytest.raises(SettingInvalid, match=r"\.env"):
        configuration.read()


@pytest.mark.parametrize("url", ["redis://:p%40ss@localhost:6379/0", "rediss://cache", "unix:///run/redis.sock", ""])
def test_addresses_of_redis_are_taken(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)

    assert configuration.read().redis.url is None or url
