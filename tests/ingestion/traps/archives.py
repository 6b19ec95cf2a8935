"""Archives that are traps, in the dress of every format that is an archive."""

import io
import struct
import zipfile
from collections.abc import Callable

from tests.ingestion.corpus import office, paged, plain
from tests.ingestion.corpus.words import ENGLISH

MEGABYTE = 1 << 20

DRESSES: dict[str, tuple[Callable[[], bytes], str]] = {
    "docx": (lambda: office.word(ENGLISH).data, "word/document.xml"),
    "xlsx": (lambda: office.workbook(ENGLISH).data, "xl/worksheets/sheet1.xml"),
    "pptx": (lambda: office.slides(ENGLISH).data, "ppt/slides/slide1.xml"),
    "odt": (lambda: office.open_document(ENGLISH).data, "content.xml"),
    "epub": (lambda: paged.book(ENGLISH).data, "OPS/book.opf"),
    "zip": (lambda: office.zipped({"rules.txt": plain.text(ENGLISH).data, "data.xml": b"<a>words</a>"}), "data.xml"),
}
"""A sound file of each format, and the part that is changed in it."""


def changed(data: bytes, *, replace: dict[str, bytes] | None = None, without: str = "", **added: bytes) -> bytes:
    """The same archive with parts replaced, left out or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != without:
                new.writestr(name, (replace or {}).get(name, old.read(name)))
        for name, content in added.items():
            new.writestr(name, content)
    return file.getvalue()


def with_entry(data: bytes, name: str, content: bytes = b"words", mode: int = 0) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        # The library changes separators in names to those of this system, as hostile programs do not.
        entry.filename = entry.orig_filename = name
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
    return file.getvalue()


def patched(data: bytes, offset: int, layout: str, value: int) -> bytes:
    """The same archive with a field changed in each entry of its directory."""
    changing = bytearray(data)
    at = changing.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into(layout, changing, at + offset, value)
        at = changing.find(b"PK\x01\x02", at + 4)
    return bytes(changing)


def overlapping(data: bytes) -> bytes:
    """The directory lists the largest entry under further names; all share its bytes, so no ratio is odd."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
    end = data.rindex(b"PK\x05\x06")
    directory_at = struct.unpack_from("<I", data, end + 16)[0]
    name = largest.filename.encode()
    at = data.index(name, directory_at) - 46
    length = 46 + len(name) + sum(struct.unpack_from("<HH", data, at + 30))
    copies = [bytearray(data[at : at + length]) for _ in range(50)]
    for number, copy in enumerate(copies):
        copy[46 : 46 + len(name)] = f"{number:0{len(name)}}".encode()[: len(name)]
    directory = data[directory_at:end] + b"".join(map(bytes, copies))
    entries = struct.unpack_from("<H", data, end + 10)[0] + len(copies)
    return (
        data[:directory_at]
        + directory
        + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, entries, entries, len(directory), directory_at, 0)
    )


def many(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.txt", b"x")
    return file.getvalue()


def nested(depth: int, content: bytes = b"words") -> bytes:
    data = office.zipped({"a.txt": content})
    for _ in range(depth):
        data = office.zipped({"inner.zip": data})
    return data


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "haha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10))
    + "]><a>words &k;</a>"
).encode()
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>words &x;</a>'
REMOTE = b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>words</a>'
PARAMETER = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/a.dtd"> %x;]><a>words</a>'
DEEP = b"<a>" * 100_000 + b"words" + b"</a>" * 100_000

_SYMBOLIC_LINK, _DEVICE = 0o120777, 0o060666

TRAPS: dict[str, Callable[[bytes, str], bytes]] = {
    "ratio": lambda data, part: changed(data, replace={part: b" " * 8 * MEGABYTE}),
    "added-ratio": lambda data, _: with_entry(data, "zeros.bin", bytes(40 * MEGABYTE)),
    "climbs": lambda data, _: with_entry(data, "../../etc/cron.d/job"),
    "climbs-within": lambda data, _: with_entry(data, "a/b/../../../c"),
    "absolute": lambda data, _: with_entry(data, "/etc/passwd"),
    "drive": lambda data, _: with_entry(data, "C:\\windows\\system.ini"),
    "backslashes": lambda data, _: with_entry(data, "..\\..\\x"),
    "link": lambda data, _: with_entry(data, "link", b"/etc/passwd", _SYMBOLIC_LINK),
    "device": lambda data, _: with_entry(data, "device", b"", _DEVICE),
    "overlap": lambda data, _: overlapping(data),
    "password": lambda data, _: patched(data, 8, "<H", 1),
    "method": lambda data, _: patched(data, 10, "<H", 14),
    "declares-much": lambda data, _: patched(data, 24, "<I", 0xFFFFFFF0),
    "declares-nothing": lambda data, _: patched(data, 24, "<I", 0),
    "wrong-sum": lambda data, _: patched(data, 16, "<I", 0xDEADBEEF),
    "offset": lambda data, _: patched(data, 42, "<I", 0x7FFFFFFF),
    "truncated": lambda data, _: data[: len(data) // 2],
    "no-directory": lambda data, _: data[: data.index(b"PK\x01\x02")],
    "missing-part": lambda data, part: changed(data, without=part),
    "no-xml": lambda data, part: changed(data, replace={part: b"\x00\xff not XML"}),
    "empty-part": lambda data, part: changed(data, replace={part: b""}),
    "laughs": lambda data, part: changed(data, replace={part: LAUGHS}),
    "outside": lambda data, part: changed(data, replace={part: OUTSIDE}),
    "remote": lambda data, part: changed(data, replace={part: REMOTE}),
    "parameter": lambda data, part: changed(data, replace={part: PARAMETER}),
    "deep": lambda data, part: changed(data, replace={part: DEEP}),
}


def loose() -> dict[str, Callable[[], bytes]]:
    """Traps that are archives of nothing in particular."""
    return {
        "zip-nested-once": lambda: nested(1),
        "zip-nested-twice": lambda: nested(2),
        "zip-nested-forty": lambda: nested(40),
        "zip-nested-bomb": lambda: nested(1, b" " * 8 * MEGABYTE),
        "zip-entries": lambda: many(10_001),
        "zip-100000-entries": lambda: many(100_000),
        "zip-empty": lambda: office.zipped({}),
        "zip-of-folders": lambda: office.zipped({"a/": b"", "b/": b""}),
        "zip-of-pictures": lambda: office.zipped({"a.png": b"\x89PNG\r\n\x1a\n" + bytes(20)}),
        "zip-of-nothing": lambda: office.zipped({"a.txt": b"", "b.txt": b" \n"}),
        "zip-of-protected": lambda: office.zipped({"a.zip": patched(office.zipped({"a": b"words"}), 8, "<H", 1)}),
        "zip-total": lambda: office.zipped({f"{n}.bin": bytes(range(256)) * 4_000 + bytes(n) for n in range(300)}),
        "zip-quine-like": lambda: office.zipped(
            {"r.zip": office.zipped({"r.zip": office.zipped({"r.zip": b"PK\x03\x04"})})}
        ),
        "zip-twice-named": _twice_named,
        "zip-name-of-controls": lambda: office.zipped({"a\x1b[31m\u202etxt.exe": b"some words"}),
        "zip-name-of-4000": lambda: office.zipped({"x" * 4_000: b"some words"}),
        "zip-with-comment": lambda: with_comment(office.zipped({"a.txt": b"some words"})),
        "zip-behind-garbage": lambda: b"PK\x03\x04" + bytes(1_000) + office.zipped({"a.txt": b"some words"}),
        "zip-magic-only": lambda: b"PK\x03\x04",
        "zip-end-only": lambda: b"PK\x05\x06" + bytes(18),
        "zip-64-lies": lambda: (
            b"PK\x03\x04"
            + bytes(60)
            + b"PK\x06\x06"
            + b"\xff" * 52
            + b"PK\x06\x07"
            + b"\xff" * 16
            + b"PK\x05\x06"
            + b"\xff" * 16
            + bytes(2)
        ),
        "docx-in-zip-bomb": lambda: office.zipped(
            {"a.docx": changed(DRESSES["docx"][0](), replace={"word/document.xml": b" " * 8 * MEGABYTE})}
        ),
    }


def with_comment(data: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = b"PK\x05\x06" * 1_000
    return file.getvalue()


def _twice_named() -> bytes:
    data = office.zipped({"a.txt": b"first", "b.txt": b"second"})
    return data.replace(b"b.txt", b"a.txt")
