"""Health, metrics and numbers of the whole application."""

import asyncio
import os
import socket
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from structlog.testing import capture_logs

from carrel import __version__
from carrel.infra import shared_cache
from carrel.infra.settings import Redis
from tests.conftest import SERVER
from tests.house import KEY, eventually, opened_home, problem

pytestmark = pytest.mark.anyio


@contextmanager
def away(dsn):
    """The database of this module, as if its server had gone: connections are cut and none is accepted."""
    database = str(conninfo_to_dict(dsn)["dbname"])
    name = sql.Identifier(database)
    with psycopg.connect(os.environ[SERVER], autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        try:
            yield
        finally:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class TestHealth:
    async def test_of_a_house_in_order(self, home):
        alive, ready, report = [await home.http.get(path) for path in ("/health", "/health/ready", "/api/health")]

        assert [answer.status_code for answer in (alive, ready, report)] == [200, 200, 200]
        assert alive.json() == {"status": "ok", "version": __version__}
        assert ready.json() == {"status": "ready", "checks": {"database": "ok", "disk": "ok"}}
        assert report.json()["checks"] == {"database": "ok", "disk": "ok", "cache": "off", "vector_index": "ok"}
        assert report.json()["status"] == "healthy"
        assert report.json()["timestamp"].endswith("Z")

    async def test_while_the_database_is_away_and_after_it_is_back(self, home, acme):
        with away(home.dsn):
            alive, ready, report, stats = await asyncio.gather(
                home.http.get("/health"),
                home.http.get("/health/ready"),
                home.http.get("/api/health"),
                acme.call("GET", "/api/stats"),
            )

        assert alive.status_code == 200
        assert ready.status_code == 503
        assert ready.json()["status"] == "not ready"
        assert ready.json()["checks"]["disk"] == "ok"
        assert ready.json()["checks"]["database"] not in {"", "ok"}
        assert (report.status_code, report.json()["status"]) == (200, "degraded")
        assert report.json()["checks"].keys() == {"database", "disk", "cache", "vector_index"}
        refused = problem(stats, 503)
        assert refused["code"] == "database-unavailable"
        assert int(stats.headers["retry-after"]) >= 1
        for answer in (ready, report, stats):
            assert not any(word in answer.text for word in ("password", "host=", "dbname", "psycopg"))

        async def is_back() -> bool:
            return (await home.http.get("/health/ready")).status_code == 200

        assert await eventually(is_back)

    async def test_with_too_little_disk_space_it_is_not_ready(self, home, monkeypatch):
        monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 7 * 2**20})())

        answer = await home.http.get("/health/ready")

        assert answer.status_code == 503
        assert answer.json()["checks"]["disk"] == "only 7 MB are free in the data directory"

    async def test_without_its_data_directory_it_is_not_ready(self, home, tmp_path):
        house = replace(home.house, data_dir=tmp_path / "gone")

        assert (await house.disk_check()).startswith("the data directory cannot be read")


class TestRedis:
    async def test_that_cannot_be_reached_degrades_the_house_and_is_said_once(
        self, house_dsn, tmp_path, minilm, closed_port, monkeypatch
    ):
        monkeypatch.setattr(shared_cache, "REST", 0.0)
        settings = Redis(url=SecretStr(f"redis://:hunter2@127.0.0.1:{closed_port}/0"))
        with capture_logs() as logs:
            async with opened_home(house_dsn, tmp_path, minilm, redis=settings) as home:
                reports = [await home.http.get("/api/health") for _ in range(3)]
                ready = await home.http.get("/health/ready")
                organisation = await home.organisation()
                stats = await organisation.get("/api/stats")
                found = await organisation.search("lease")

        assert [answer.status_code for answer in (*reports, ready)] == [200] * 4
        assert {answer.json()["status"] for answer in reports} == {"degraded"}
        assert reports[0].json()["checks"]["cache"] == stats["cache"]["redis"] == "unreachable"
        assert found["results"] == []
        said = [entry for entry in logs if "redis" in entry["event"]]
        assert [entry["log_level"] for entry in said] == ["warning"]
        assert "hunter2" not in str(logs) + reports[0].text


class TestMetrics:
    async def test_are_text_for_prometheus_with_templates_of_routes(self, home, acme):
        document = await acme.add("Some text.")
        await acme.get(f"/api/documents/{document['id']}")
        await acme.search("lease")

        answer = await home.http.get("/metrics")

        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert 'http_requests_total{method="GET",route="/api/documents/{document_id}",status="200"}' in answer.text
        assert "search_duration_seconds_bucket" in answer.text
        assert document["id"] not in answer.text
        assert str(acme.tenant) not in answer.text

    async def test_do_not_grow_with_what_strangers_ask_for(self, home):
        async def series() -> set[str]:
            text = (await home.http.get("/metrics")).text
            return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}

        async def ask(number: int) -> None:
            await home.http.get(f"/nothing/{number}")
            await home.http.request(f"METHOD{number}", "/api/documents")
            await home.http.request(f"METHOD{number}", f"/nothing/{number}")
            await home.http.post("/api/search", headers={KEY: f"key{number}"})

        await series()
        await ask(0)
        before = await series()
        for number in range(1, 10):
            await ask(number)

        assert await series() == before


class TestStatistics:
    async def test_count_what_there_is(self, acme):
        async with acme.home.working():
            first = await acme.indexed("The lease ends in May. " * 100, title="Lease")
            second = await acme.indexed("Rent is due in June.")
            failed = await acme.ended((await acme.upload(bytes(range(256)) * 8)).json()["id"])
        waiting = await acme.add("Waiting.")

        assert await acme.get("/api/stats") == {
            "documents": {
                "total": 4,
                "by_status": {"indexed": 2, "failed": 1, "queued": 1},
                "storage_bytes": sum(one["size_bytes"] for one in (first, second, failed, waiting)),
            },
            "index": {
                "documents": 2,
                "chunks": first["chunk_count"] + second["chunk_count"],
                "model": "all-MiniLM-L6-v2/int8",
            },
            "jobs": {"queued": 1, "running": 0, "succeeded": 2, "failed": 1, "cancelled": 0},
            "cache": {"enabled": False, "redis": "off", "hits": 0, "misses": 0},
        }

    async def test_go_down_again_when_documents_go(self, acme):
        async with acme.home.working():
            document = await acme.indexed("The lease ends in May.")
            await acme.call("DELETE", f"/api/documents/{document['id']}")

        stats = await acme.get("/api/stats")
        assert stats["documents"] == {"total": 0, "by_status": {}, "storage_bytes": 0}
        assert (stats["index"]["documents"], stats["index"]["chunks"]) == (0, 0)

    async def test_of_one_organisation_are_its_own(self, home, acme):
        other = await home.organisation("Other")
        async with home.working():
            await acme.indexed("The lease ends in May.")

        stats = await other.get("/api/stats")

        assert stats["documents"] == {"total": 0, "by_status": {}, "storage_bytes": 0}
        assert stats["index"] == {"documents": 0, "chunks": 0, "model": None}
        assert set(stats["jobs"].values()) == {0}

    async def test_need_a_key_for_reading(self, acme):
        for scope in ("search", "write"):
            problem(await acme.call("GET", "/api/stats", scope=scope), 403)
        assert (await acme.call("GET", "/api/stats", scope="read")).status_code == 200
