"""The whole application, for the tests of organisations over HTTP."""

from tests.house import (
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
