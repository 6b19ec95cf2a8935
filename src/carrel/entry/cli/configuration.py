"""The settings, read as a whole, so that a wrong one is found before anything is started."""

from functools import cached_property
from urllib.parse import urlsplit

from pydantic import ValidationError

from carrel.core.errors import Problem
from carrel.infra import settings as defined
from carrel.infra.settings import Client, Redis, Settings

REDIS_FORMS = {"redis", "rediss", "unix"}


class SettingInvalid(Problem):
    """A value in the environment or in `.env` cannot be used. Nothing was started."""

    code, title, status = "setting-invalid", "A setting cannot be used", 503


def read() -> Settings:
    """Every setting, known to be usable in form. Raises `SettingInvalid` for the first that is not."""
    try:
        settings = Settings()
        for name, member in vars(Settings).items():
            if isinstance(member, cached_property):
                getattr(settings, name)
        Client()
    except ValidationError as error:
        raise _invalid(error) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingInvalid(
            f"The file .env cannot be read: {error}.", hint="Make it a readable text file in UTF-8, or remove it."
        ) from error
    _check_redis(settings.redis)
    return settings


def _invalid(error: ValidationError) -> SettingInvalid:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not first["loc"]:
        return SettingInvalid(f"{message}.", hint="Correct it in the environment or in .env.")
    variable = _variable(error.title, str(first["loc"][0]))
    return SettingInvalid(
        f"{variable} cannot be used: {message[:1].lower()}{message[1:]}.",
        hint=f"Correct {variable} in the environment or in .env.",
    )


def _variable(owner: str, place: str) -> str:
    """The variable behind a place of an error, which is a field's name or already that of the variable."""
    group = getattr(defined, owner, Settings)
    return (
        f"{group.model_config.get('env_prefix', '')}{place}".upper() if place in group.model_fields else place.upper()
    )


def _check_redis(redis: Redis) -> None:
    # Its value may hold a password, so it is not repeated.
    if redis.url is not None and not _names_a_redis(redis.url.get_secret_value()):
        raise SettingInvalid(
            "REDIS_URL cannot be used: it is no address of a Redis.", hint="Write it as redis://:password@host:6379/0."
        )


def _names_a_redis(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in REDIS_FORMS and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
