from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.documents.multipart import PARTS, Form, Head
from carrel.infra.web.errors import BadRequest

pytestmark = pytest.mark.anyio

BOUNDARY = b"edge"


async def arriving(chunks):
    for chunk in chunks:
        yield chunk


def written(parts, boundary=BOUNDARY):
    out = b"".join(
        b"--%b\r\nContent-Disposition: form-data; name=%b\r\n\r\n%b\r\n" % (boundary, name, data)
        for name, data in parts
    )
    return out + b"--%b--\r\n" % boundary


async def read(chunks, boundary=BOUNDARY):
    form = Form(boundary, arriving(chunks))
    found = []
    while (head := await form.next()) is not None:
        found.append((head.name, b"".join([piece async for piece in form.data()])))
    return found


@settings(deadline=None, max_examples=60)
@given(
    contents=st.lists(
        st.lists(st.sampled_from([b"\r\n", b"--edge", b"--edge--", b"-", b"\n", b"\r", b"x", b"\0", b"edge"])).map(
            b"".join
        ),
        max_size=4,
    ),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
async def test_parts_come_out_as_they_went_in_however_the_body_was_cut(contents, cuts):
    # A delimiter inside a part would end it, which is what senders choose boundaries for.
    parts = [(f"p{n}", data) for n, data in enumerate(contents) if b"\r\n--edge" not in b"\r\n" + data]
    body = written([(name.encode(), data) for name, data in parts])
    ends = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    chunks = [body[a:b] for a, b in pairwise(ends)]

    assert await read(chunks) == parts


@pytest.mark.parametrize("cut", range(1, 60, 7))
async def test_a_form_that_ends_early_is_refused(cut):
    body = written([(b"file", b"content")])

    with pytest.raises(BadRequest):
        await read([body[: -cut - 3]])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"--other\r\n\r\nx\r\n--other--\r\n",
        b"--edge\r\n\r\nno name\r\n--edge--\r\n",
        b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nBad Header: x\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\nA: " + b"x" * 200_000 + b"\r\n\r\nx\r\n--edge--\r\n",
        b"--edge\r\n" + b"A: x\r\n" * 500 + b"\r\nx\r\n--edge--\r\n",
        written([(b"a", b"")] * (PARTS + 1)),
    ],
    ids=range(9),
)
async def test_a_malformed_form_is_refused(body):
    with pytest.raises(BadRequest):
        await read([body])


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", f"multipart/form-data; boundary={'x' * 300}"]
)
def test_a_form_without_a_usable_boundary_is_refused(kind):
    with pytest.raises(BadRequest):
        Form.of(kind, arriving([]))


async def test_an_unread_part_is_skipped_and_the_end_is_said_again():
    form = Form(BOUNDARY, arriving([written([(b"a", b"x" * 100), (b"b", b"y")])]))

    heads = [await form.next(), await form.next()]

    assert [head and head.name for head in heads] == ["a", "b"]
    assert [await form.next(), await form.next()] == [None, None]


async def test_names_may_be_written_in_any_language():
    head = (
        'Content-Disposition: form-data; name="file"; filename="عقد \\"1\\".txt"\r\nContent-Type: text/plain'.encode()
    )
    form = Form(BOUNDARY, arriving([b"--edge\r\n" + head + b"\r\n\r\nx\r\n--edge--"]))

    part = await form.next()

    assert part == Head("file", 'عقد "1".txt', "text/plain")
