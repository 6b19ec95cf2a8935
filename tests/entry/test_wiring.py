"""Everything that a route or a task asks for is there, made for whoever asks."""

import asyncio
import inspect
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from carrel.admin.billing import Billing
from carrel.admin.service import Operation
from carrel.core.ids import TenantId, uuid7
from carrel.entry.house import LazyModel, opened
from carrel.entry.web import ROUTERS
from carrel.entry.wiring import LISTENERS, TASKS, Tools, for_jobs, registry
from carrel.infra.db import Role
from carrel.infra.db.errors import DatabaseUnavailable
from carrel.infra.settings import Database, Objects, Redis, Settings
from carrel.infra.web import Caller, Scope
from carrel.infra.web.app import build
from carrel.infra.web.errors import Forbidden
from carrel.infra.web.routing import unit_routes
from tests.house import (
    acme_fixture,
    eventually,
    home_fixture,
    house_dsn_fixture,
    minilm_fixture,
    running_home_fixture,
)

__all__ = ["acme_fixture", "home_fixture", "house_dsn_fixture", "minilm_fixture", "running_home_fixture"]
pytestmark = pytest.mark.anyio


def asked_for(dependant: Any) -> set[type]:
    """What the parameters of a route name with `provided(...)`, theirs included."""
    found: set[type] = set()
    for inner in dependant.dependencies:
        found |= asked_for(inner)
        if getattr(inner.call, "__qualname__", "") == "provided.<locals>.provide":
            found.add(inspect.getclosurevars(inner.call).nonlocals["kind"])
    return found


def wanted() -> set[type]:
    return set().union(*(asked_for(route.dependant) for route in unit_routes(build(ROUTERS, Objects()))))


class TestRequests:
    async def test_are_given_everything_that_any_route_asks_for_and_nothing_is_left_over(self, home):
        given = home.app.state.kit.providers

        assert wanted() == set(given)
        assert len(wanted()) > 5

    async def test_are_given_things_of_their_callers_organisation(self, home):
        tenant = TenantId(uuid7())
        scope = Scope(home.app.state.kit, Caller(tenant, "key:1", "test", frozenset({"read"})))

        bound = [
            made.tenant for kind in wanted() if (made := made_for(scope, kind)) is not None and hasattr(made, "tenant")
        ]

        assert bound
        assert set(bound) == {tenant}
        await scope.abandon()


def made_for(scope: Scope, kind: type) -> Any:
    # What is for people is made for people only, and what is for operators for operators.
    return None if kind.__module__.startswith(("carrel.auth", "carrel.admin")) else scope.provide(kind)


class TestOperators:
    @pytest.mark.parametrize("kind", [Operation, Billing])
    async def test_alone_are_given_what_reaches_all_organisations(self, home, kind):
        tenant, kit = TenantId(uuid7()), home.app.state.kit
        nobody = Scope(kit, Caller(tenant, "key:1", "test", frozenset({"admin", "owner", "account"})))
        operator = Scope(kit, Caller(tenant, "key:1", "test", frozenset({"operator"})))

        with pytest.raises(Forbidden):
            nobody.provide(kind)
        assert operator.provide(kind)

    async def test_work_in_one_unit_which_no_other_role_joins(self, home):
        scope = Scope(home.app.state.kit, Caller(TenantId(uuid7()), "key:1", "test", frozenset({"operator"})))

        role = await scope.operator.value("SELECT current_user")

        assert role == Role.OPERATOR
        assert scope.db is scope.operator
        with pytest.raises(RuntimeError, match="another role"):
            _ = scope.gate
        await scope.abandon()


class TestJobs:
    def test_of_every_event_are_tasks_that_workers_know(self):
        known = registry(5)

        for event, listening in LISTENERS.items():
            assert list(known.listeners(event)) == list(listening)
            assert all(known.knows(each) and known.find(each.name) is each for each in listening)
        assert len({each.name for each in TASKS}) == len(TASKS)

    async def test_are_given_what_they_ask_for(self, home):
        given = for_jobs(home.house, home.model, home.sandbox)

        asked = {name for each in TASKS for name in inspect.getclosurevars(each.function).globals if name[0].isupper()}
        assert {kind.__name__ for kind in given} <= asked


async def test_the_recipe_names_everything_that_the_rows_of_an_index_depend_on(home):
    tools = Tools(await home.model.get())

    recipe = tools.recipe

    assert recipe.model == "all-MiniLM-L6-v2/int8"
    assert recipe.dimension == 384
    assert all((recipe.splitter, recipe.analyser))


def settings_for(dsn: str | None, folder: Path) -> Settings:
    settings = Settings(data_dir=folder)
    settings.__dict__["database"] = Database(url=dsn, pool_size=2)
    settings.__dict__["redis"] = Redis(url=None)
    return settings


class TestAHouse:
    async def test_needs_a_database(self, tmp_path):
        with pytest.raises(RuntimeError, match="DATABASE_URL"):
            async with opened(settings_for(None, tmp_path), purpose="test"):
                pass

    async def test_brings_an_empty_database_up_to_date_and_closes_what_it_opened(self, house_dsn, tmp_path):
        name = f"empty_{uuid7().hex}"
        with psycopg.connect(house_dsn, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
            try:
                dsn = make_conninfo(house_dsn, dbname=name)
                async with opened(settings_for(dsn, tmp_path), purpose="test") as house:
                    assert await house.database_check() == await house.reads_check() == await house.disk_check() == "ok"
                    assert await house.cache_check() == "off"

                async def is_left() -> bool:
                    clients = "SELECT FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
                    return not server.execute(clients, [name]).fetchall()

                # The server notices the end of a connection a moment after its client.
                assert await eventually(is_left)
            finally:
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def test_that_finds_no_database_says_so(self, tmp_path):
        dsn = f"host={tmp_path} user=nobody dbname=nothing connect_timeout=1"

        with pytest.raises(DatabaseUnavailable):
            async with opened(settings_for(dsn, tmp_path), purpose="test"):
                pass


class TestALazyModel:
    async def test_is_loaded_once_for_all_who_wait_for_it(self, home, minilm, monkeypatch):
        loaded = 0

        def load(settings: Settings, data_dir: Path) -> Any:
            nonlocal loaded
            loaded += 1
            return minilm

        monkeypatch.setattr("carrel.entry.house.load_model", load)
        model = LazyModel(home.house.settings, home.house.data_dir)

        encoders = await asyncio.gather(*(model.get() for _ in range(5)))
        model.close()

        assert loaded == 1
        assert all(encoder is encoders[0] for encoder in encoders)

    async def test_that_could_not_be_loaded_is_tried_again(self, home, minilm, monkeypatch):
        answers: list[Any] = [OSError("The disk is away."), minilm]

        def load(settings: Settings, data_dir: Path) -> Any:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr("carrel.entry.house.load_model", load)
        model = LazyModel(home.house.settings, home.house.data_dir)

        with pytest.raises(OSError, match="away"):
            await model.get()

        assert (await model.get()).embedder is minilm
        model.close()

    async def test_is_not_lost_when_the_first_who_waits_goes_away(self, home, minilm, monkeypatch):
        loaded = 0

        def load(settings: Settings, data_dir: Path) -> Any:
            nonlocal loaded
            loaded += 1
            return minilm

        monkeypatch.setattr("carrel.entry.house.load_model", load)
        model = LazyModel(home.house.settings, home.house.data_dir)
        first = asyncio.create_task(model.get())
        await asyncio.sleep(0)
        first.cancel()

        encoder = await model.get()
        model.close()

        assert (loaded, encoder.embedder) == (1, minilm)

    def test_that_was_never_needed_is_closed_without_being_loaded(self, tmp_path):
        LazyModel(Settings(data_dir=tmp_path), tmp_path).close()
