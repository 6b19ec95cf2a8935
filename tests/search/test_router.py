"""What the endpoint adds to the service: validation, scopes, form and metrics."""

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.house import KEY, problem

pytestmark = pytest.mark.anyio

URL = "/api/search"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": " \t\n\u00a0\u2003"}, "query"),
        ({"query": "x" * 4001}, "query"),
        ({"query": None}, "query"),
        ({"query": ["lease"]}, "query"),
        ({"query": "lease", "type": "magic"}, "type"),
        ({"query": "lease", "limit": 0}, "limit"),
        ({"query": "lease", "limit": 101}, "limit"),
        ({"query": "lease", "limit": 1e30}, "limit"),
        ({"query": "lease", "limit": 2.5}, "limit"),
        ({"query": "lease", "fusion": "linear"}, "fusion"),
        ({"query": "lease", "group_by": "tag"}, "group_by"),
        ({"query": "lease", "explain": "perhaps"}, "explain"),
        ({"query": "lease", "colour": "red"}, "colour"),
        ({"query": "lease", "filters": {"colour": "red"}}, "filters.colour"),
        ({"query": "lease", "filters": {"document_id": "no-uuid"}}, "filters.document_id"),
        ({"query": "lease", "filters": {"status": "lost"}}, "filters.status"),
        ({"query": "lease", "filters": {"tags": [7]}}, "filters.tags"),
        ({"query": "lease", "filters": {"tags": ["x"] * 101}}, "filters.tags"),
        ({"query": "lease", "filters": []}, "filters"),
    ],
)
async def test_what_is_wrong_is_named(acme, body, field):
    answer = await acme.call("POST", URL, json=body)

    wrong = [error["field"] for error in problem(answer, 422)["errors"]]
    assert any(one.startswith(f"body.{field}") for one in wrong)


async def test_a_key_for_searching_is_enough_and_a_key_for_reading_is_not(acme):
    body = {"query": "lease"}

    assert (await acme.call("POST", URL, scope="search", json=body)).status_code == 200
    assert (await acme.call("POST", URL, scope="admin", json=body)).status_code == 200
    for scope in ("read", "write"):
        assert problem(await acme.call("POST", URL, scope=scope, json=body), 403)["scope"] == "search"


async def test_an_answer_has_all_its_members(acme, worker):
    await acme.indexed("The lease ends in May.", external_id="lease", title="Lease", tags=["a"])

    found = await acme.search("lease")

    assert found.keys() == {
        "query", "type", "results", "total", "total_relation", "took_ms", "cached", "explanation",
    }  # fmt: skip
    assert (found["query"], found["type"], found["cached"], found["explanation"]) == ("lease", "hybrid", False, None)
    assert found["results"][0].keys() == {
        "document_id", "chunk_id", "external_id", "version", "title", "filename", "doc_type", "language", "tags",
        "score", "text", "page", "start", "end", "heading_path", "explanation",
    }  # fmt: skip
    assert 0 < found["took_ms"] < 60_000


async def test_explained_it_says_where_the_time_went_and_what_was_asked(acme, worker):
    await acme.indexed("The lease ends in May.")

    told = (await acme.search("lease", explain=True, filters={"language": "en", "tags": None}))["explanation"]

    assert (told["fusion"], told["cache"], told["filters"]) == ("recipe", "off", {"language": ["en"]})
    assert told["candidates"] == {"words": 1, "vector": 1, "fused": 1}
    assert all(milliseconds >= 0 for milliseconds in told["timing_ms"].values())


async def test_every_search_is_measured(acme):
    def count() -> float:
        return REGISTRY.get_sample_value("search_duration_seconds_count", {"type": "keyword"}) or 0

    before = count()
    await acme.search("lease", type="keyword")

    assert count() == before + 1


async def test_the_same_body_in_other_spellings_of_json_is_the_same_question(acme, worker):
    await acme.indexed("عقد الإيجار ينتهي في مايو.")
    escaped = '{"query": "\\u0639\\u0642\\u062f"}'

    answers: list[httpx.Response] = [
        await acme.call("POST", URL, content=content, headers={"Content-Type": kind})
        for content, kind in [
            ('{"query": "عقد"}'.encode(), "application/json"),
            (escaped.encode(), "application/json; charset=utf-8"),
            (b"\xef\xbb\xbf" + escaped.encode(), "application/vnd.api+json"),
        ]
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({str(answer.json()["results"]) for answer in answers}) == 1
    assert answers[0].json()["results"]


async def test_without_a_body_or_with_another_type_it_is_refused(acme):
    answers = [
        await acme.call("POST", URL),
        await acme.call("POST", URL, content=b"query=lease", headers={"Content-Type": "text/plain"}),
        await acme.call("POST", URL, data={"query": "lease"}),
    ]

    assert [problem(answer, 415)["code"] for answer in answers] == ["unsupported-media-type"] * 3
    empty = await acme.home.http.post(
        URL, content=b"", headers={KEY: acme.keys["all"], "Content-Type": "application/json"}
    )
    problem(empty, 400, 422)
