"""A real server whose worker is killed over an erasure: the next one ends it, and nothing is left."""

import os
import signal
import time
from typing import Any

import psycopg
import pytest

from carrel.infra.postgres import read_dsn
from tests.house import TENANT_TABLES
from tests.server import Server, shared_model_cache

ALL = "/api/admin/organizations"
ROUNDS = 4
PATIENCE = 60.0
LETTERS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory, worker_id):
    folder, models = tmp_path_factory.mktemp("killed"), shared_model_cache(tmp_path_factory, worker_id)
    with Server(folder, model_cache=models, JOB_LEASE="2", RATE_LIMIT_ENABLED="false") as it:
        yield it


def furnished(server: Server, number: int) -> dict[str, Any]:
    body = {"name": "Acme", "slug": f"acme-{number}", "with_key": True}
    made = server.client.post(ALL, json=body).json()
    for letter in range(LETTERS):
        answer = server.client.post(
            "/api/documents",
            headers={"X-API-Key": made["key"]},
            json={"content": f"Letter {letter}. " + "The lease ends in May. " * 200},
        )
        assert answer.status_code == 202, answer.text
    return dict(made["organization"])


def report_of(server: Server, organization: dict[str, Any]) -> dict[str, Any]:
    return dict(server.client.get(f"{ALL}/{organization['id']}/erasure").json())


def until(server: Server, organization: dict[str, Any], *states: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while (report := report_of(server, organization))["state"] not in states:
        assert time.monotonic() < end, report
        time.sleep(0.005)
    return report


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whenever_the_worker_dies_everything_is_gone_in_the_end(server, number):
    organization = furnished(server, number)
    server.client.delete(f"{ALL}/{organization['id']}", params={"confirm": organization["slug"]})

    until(server, organization, "erasing", "erased")
    time.sleep(0.03 * number)
    os.kill(server.pid("worker"), signal.SIGKILL)
    report = until(server, organization, "erased", "stopped")

    assert report["nothing_left"], report
    assert set(report["after"]["rows"].values()) == {0}
    assert list((server.data_dir / "objects" / organization["id"]).rglob("*")) == []
    with psycopg.connect(read_dsn(server.data_dir / "postgres")) as connection:
        for (table,) in connection.execute(TENANT_TABLES).fetchall():
            left = connection.execute(
                f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [organization["id"]]
            ).fetchone()
            assert left == (0,), table
