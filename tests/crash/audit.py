"""What must be true when everything is over: each promise kept, once."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from carrel.infra.postgres import read_dsn
from tests.crash.load import Post
from tests.server import Server

POLL = 0.2
ENDED = {"indexed", "failed"}
PER_CHUNK = ("chunks", "forward_rows", "embeddings")
PER_DOCUMENT = ("documents", "document_versions", "document_texts", "index_documents")

Document = Mapping[str, Any]


def wait_for_the_end(server: Server, patience: float = 60.0) -> list[Document]:
    """All documents, once each of them is `indexed` or `failed`. Fails when none has ended for `patience` seconds."""
    end, fewest = time.monotonic() + patience, sys.maxsize
    while True:
        found = list(documents(server.client))
        left = sum(one["status"] not in ENDED for one in found)
        if not left:
            return found
        if left < fewest:
            end, fewest = time.monotonic() + patience, left
        assert time.monotonic() < end, f"{left} of {len(found)} documents do not end: {_unfinished(server)}"
        time.sleep(POLL)


def _unfinished(server: Server) -> str:
    with psycopg.connect(read_dsn(server.data_dir / "postgres"), row_factory=dict_row) as connection:
        jobs = connection.execute("SELECT * FROM jobs WHERE state IN ('queued', 'running')").fetchall()
        workers = connection.execute("SELECT *, now() FROM job_workers").fetchall()
    return f"{jobs}\n{workers}\n{server.pids()}\n{server.said()}"


def documents(client: httpx.Client) -> Iterator[Document]:
    return _walk(client, "/api/documents")


def _walk(client: httpx.Client, path: str) -> Iterator[Document]:
    cursor: dict[str, str] = {}
    while True:
        page = _json(client.get(path, params={"limit": 200, **cursor}))
        yield from page["data"]
        if not page["has_more"]:
            return
        cursor = {"cursor": page["next_cursor"]}


def _json(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json()


@dataclass(frozen=True, slots=True)
class Audit:
    """Compares what senders were promised with what the server has. The server must be at rest."""

    server: Server
    post: Post
    found: list[Document]

    def all_of_it(self) -> None:
        assert not self.post.refused, self.post.refused
        self.every_promise_is_kept_once()
        chunks = self.every_document_has_its_chunks_once()
        self.the_numbers_agree(chunks)
        self.every_word_is_found_once()
        self.every_row_has_its_reason(chunks)
        self.every_stored_byte_has_its_reason()

    def every_promise_is_kept_once(self) -> None:
        promised, there = set(self.post.accepted), Counter(one["id"] for one in self.found)
        assert not promised - set(there), "lost"
        assert not set(there) - promised, "stored although nobody was told, or stored twice"
        failed = {one["id"]: one["error"] for one in self.found if one["status"] != "indexed"}
        assert not failed, failed
        total = _json(self.server.client.get("/api/documents", params={"offset": 0, "limit": 1}))["total"]
        assert total == len(promised) == sum(there.values())

    def every_document_has_its_chunks_once(self) -> int:
        """How many chunks there are."""
        total = 0
        for one in self.found:
            path = f"/api/documents/{one['id']}"
            chunks, text = list(_walk(self.server.client, f"{path}/chunks")), self.post.accepted[one["id"]].text
            assert one["chunk_count"] == len(chunks) > 0
            assert [chunk["position"] for chunk in chunks] == list(range(len(chunks)))
            assert len({chunk["id"] for chunk in chunks}) == len(chunks)
            assert [chunk["text"] for chunk in chunks] == [text[chunk["start"] : chunk["end"]] for chunk in chunks]
            assert "".join("".join(chunk["text"] for chunk in chunks).split()) == "".join(text.split())
            total += len(chunks)
        return total

    def the_numbers_agree(self, chunks: int) -> None:
        numbers, count = _json(self.server.client.get("/api/stats")), len(self.found)
        assert (numbers["index"]["documents"], numbers["index"]["chunks"]) == (count, chunks)
        assert numbers["documents"]["by_status"] == {"indexed": count}
        assert numbers["documents"]["storage_bytes"] == sum(one["size_bytes"] for one in self.found)
        assert numbers["jobs"] == {"queued": 0, "running": 0, "succeeded": count, "failed": 0, "cancelled": 0}

    def every_word_is_found_once(self) -> None:
        for document_id, letter in self.post.accepted.items():
            answer = self.server.client.post("/api/search", json={"query": letter.word, "type": "keyword"})
            hits = _json(answer)
            assert ([hit["document_id"] for hit in hits["results"]], hits["total"]) == ([document_id], 1), letter.word

    def every_row_has_its_reason(self, chunks: int) -> None:
        """Past the API: rows that no answer shows would be found by nobody, and kept for ever."""
        dsn = read_dsn(self.server.data_dir / "postgres")
        with psycopg.connect(dsn, autocommit=True) as connection:
            counted = {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (None,)
                for table in (*PER_CHUNK, *PER_DOCUMENT)
            }
        expected = dict.fromkeys(PER_CHUNK, (chunks,)) | dict.fromkeys(PER_DOCUMENT, (len(self.found),))
        assert counted == expected

    def every_stored_byte_has_its_reason(self) -> None:
        """An object without a document can only be what an attempt left behind that was killed half-way."""
        root = self.server.data_dir / "objects"
        sizes = {path.relative_to(root).parts: path.stat().st_size for path in root.rglob("*") if path.is_file()}
        arriving = [parts for parts in sizes if parts[0] == "incoming"]
        by_document = {parts[1]: size for parts, size in sizes.items() if parts[0] != "incoming"}
        expected = {one["id"]: one["size_bytes"] for one in self.found}
        assert len(by_document) + len(arriving) == len(sizes), "a document has several objects"
        assert {key: by_document.get(key) for key in expected} == expected
        abandoned = len(by_document) - len(expected) + len(arriving)
        assert abandoned <= self.post.broken.total(), f"{abandoned} objects belong to nothing"
