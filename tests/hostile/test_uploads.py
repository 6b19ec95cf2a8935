"""Bodies that are too large, empty, of the wrong kind, broken or noise."""

import random
from collections.abc import AsyncIterator

import pytest

from tests.hostile.conftest import untouched
from tests.house import problem

pytestmark = pytest.mark.anyio

URL = "/api/documents"
MEBIBYTE = 2**20
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
END = b"\r\n--x--\r\n"


async def flood(megabytes: int, head: bytes = HEAD) -> AsyncIterator[bytes]:
    """A body that is made as it is sent."""
    yield head
    for _ in range(megabytes):
        yield b"a" * MEBIBYTE
    yield END


async def test_ten_megabytes_of_noise_end_as_a_failed_document(acme, worker):
    noise = random.Random(7).randbytes(10 * MEBIBYTE)

    answer = await acme.upload(noise, "noise.txt")

    assert answer.status_code == 202
    document = await acme.ended(answer.json()["id"])
    assert (document["status"], document["error"]["code"]) == ("failed", "not-text")
    assert document["size_bytes"] == len(noise)
    stats = await acme.get("/api/stats")
    assert (stats["index"]["documents"], stats["jobs"]["failed"]) == (0, 1)


async def test_an_empty_file_is_refused(acme):
    async with untouched(acme):
        answer = await acme.upload(b"", "empty.txt")

        assert problem(answer, 422)["code"] == "empty-document"


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/octet-stream",
        "application/xml",
        "application/x-www-form-urlencoded",
        "nonsense",
        "",
        None,
    ],
)
async def test_a_body_of_another_kind_is_refused(acme, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    async with untouched(acme):
        answer = await acme.call("POST", URL, content=b"some text", headers=headers)

        assert problem(answer, 415)["code"] == "unsupported-media-type"


@pytest.mark.parametrize("announced", [True, False])
async def test_three_hundred_megabytes_are_refused(acme, announced):
    headers = {**FORM, **({"Content-Length": str(300 * MEBIBYTE)} if announced else {})}
    async with untouched(acme):
        answer = await acme.call("POST", URL, content=flood(0 if announced else 300), headers=headers)

        refused = problem(answer, 413)

    assert refused["code"] == "too-large"
    assert refused["limit_bytes"] >= 200 * MEBIBYTE


@pytest.mark.parametrize("path", ["/api/documents", "/api/search", "/api/admin/api-keys"])
@pytest.mark.parametrize("announced", [True, False])
async def test_json_beyond_its_limit_is_refused(acme, path, announced):
    headers = {"Content-Type": "application/json"}
    if announced:
        headers["Content-Length"] = str(33 * MEBIBYTE)
    async with untouched(acme):
        content = flood(0 if announced else 33, head=b'{"content": "')
        answer = await acme.call("POST", path, content=content, headers=headers)

        assert problem(answer, 413)["code"] == "too-large"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (HEAD + b"never ends", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; boundary=x"),
        (b"no boundary at all", "multipart/form-data; boundary=x"),
        (HEAD + b"text" + END, "multipart/form-data"),
        (HEAD + b"text" + END, "multipart/form-data; boundary="),
        (HEAD + b"text" + END, "multipart/form-data; boundary=" + "x" * 10_000),
        (HEAD + b"text" + END, "multipart/form-data; boundary=y"),
        (b"--x\r\n\r\ntext" + END, "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\ntext" + END, "multipart/form-data; boundary=x"),
        (b"--x\r\nX-A: " + b"a" * 10**6 + b"\r\n\r\ntext" + END, "multipart/form-data; boundary=x"),
        (b"--x\r\n" + b"X-A: a\r\n" * 10**5 + b"\r\ntext" + END, "multipart/form-data; boundary=x"),
        (b"--x\r\nContent\x00-Disposition: form-data\r\n\r\ntext" + END, "multipart/form-data; boundary=x"),
        (HEAD + b"one\r\n" + HEAD + b"two" + END, "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nA\r\n' * 1000 + HEAD + b"text" + END,
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n' + b"a" * 10**6 + b"\r\n" + HEAD + b"t" + END,
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\xfe\r\n' + HEAD + b"text" + END,
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="tags"\r\n\r\na\x00b\r\n' + HEAD + b"text" + END,
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'
            + b"[" * 50_000
            + b"\r\n"
            + HEAD
            + b"t"
            + END,
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="colour"\r\n\r\nred\r\n' + HEAD + b"text" + END,
            "multipart/form-data; boundary=x",
        ),
        (b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nA' + END, "multipart/form-data; boundary=x"),
    ],
)
async def test_a_broken_form_is_refused(acme, content, content_type):
    async with untouched(acme):
        answer = await acme.call("POST", URL, content=content, headers={"Content-Type": content_type})

        problem(answer, 400, 413, 415, 422)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a\x00b.txt", "\u202etxt.exe", "/", "..", "a" * 10_000 + ".txt", "con\r\nX: y", "\ud800.txt"],
)
async def test_a_file_of_any_name_is_stored_under_a_name_of_ours(acme, name):
    quoted = name.encode("utf-8", "surrogatepass").replace(b"\r\n", b"%0D%0A")
    content = b'--x\r\nContent-Disposition: form-data; name="file"; filename="' + quoted + b'"\r\n\r\ntext' + END

    answer = await acme.call("POST", URL, content=content, headers=FORM)

    if answer.status_code >= 400:
        problem(answer)
        return
    document = answer.json()
    assert document["filename"] is None or len(document["filename"]) <= 255
    assert not {"/", "\x00", "\u202e"} & set(document["filename"] or "")
    assert f"{acme.tenant}/{document['id']}/1" in await acme.home.objects()
