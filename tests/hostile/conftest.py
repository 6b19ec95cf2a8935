"""The whole application, for everything that wants to break it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.house import (
    Organisation,
    acme_fixture,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
    worker_fixture,
)

__all__ = [
    "acme_fixture",
    "home_fixture",
    "house_dsn_fixture",
    "minilm_fixture",
    "running_home_fixture",
    "worker_fixture",
]


@asynccontextmanager
async def untouched(organisation: Organisation) -> AsyncIterator[None]:
    """Nothing of an organisation may be different after the block: no row, no count, no stored byte."""
    before = await _state(organisation)
    yield
    assert await _state(organisation) == before


async def _state(organisation: Organisation) -> dict[str, Any]:
    rows: dict[str, Any] = organisation.rows()
    # That a key was used is written down beside the request, once a minute.
    rows["api_keys"] = [{**key, "last_used_at": None} for key in rows["api_keys"]]
    return {**rows, "objects": await organisation.home.objects()}
