"""PDF files that are traps, put together by hand."""

import io
import zlib
from collections.abc import Callable

from pypdf import PdfWriter

MEGABYTE = 1 << 20

_TEXT = b"BT /F1 12 Tf 72 700 Td (some words) Tj ET"


def pdf(*objects: bytes, root: int = 1, trailer: bytes = b"", xref: bool = True) -> bytes:
    """A file of numbered objects with a valid table of their places."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    start = len(out)
    if xref:
        out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
        out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root %d 0 R %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        root,
        trailer,
        start,
    )
    return bytes(out)


def stream(data: bytes, said: bytes = b"") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), said, data)


def page(content: bytes, resources: bytes = b"/Font << /F1 5 0 R >>", *more: bytes, trailer: bytes = b"") -> bytes:
    """One page; the content stream is object 4, the font 5, and whatever else is needed comes from 6 on."""
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %b >> >>" % resources,
        content,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        *more,
        trailer=trailer,
    )


def flate(data: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        data = zlib.compress(data, 9)
    return stream(data, b"/Filter [%b]" % (b"/FlateDecode " * times))


def tree(kids: bytes, count: int = 1) -> bytes:
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> "
        b">>",
        stream(_TEXT),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )


def forms(depth: int, times: int) -> bytes:
    """Forms that draw the next form several times each."""
    objects = []
    for number in range(depth):
        following = 7 + number
        last = number == depth - 1
        content = _TEXT if last else b"/X Do " * times
        resources = b"/Font << /F1 5 0 R >>" if last else b"/XObject << /X %d 0 R >>" % following
        said = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << %b >>" % resources
        objects.append(stream(content, said))
    return page(stream(b"/X Do"), b"/XObject << /X 6 0 R >>", *objects)


def to_unicode(cmap: bytes) -> bytes:
    font = b"/Font << /F1 6 0 R >>"
    return page(
        stream(_TEXT),
        font,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 7 0 R >>",
        stream(b"begincmap\n" + cmap + b"\nendcmap"),
    )


def picture(said: bytes, data: bytes) -> bytes:
    return page(
        stream(b"/I Do " + _TEXT),
        b"/Font << /F1 5 0 R >> /XObject << /I 6 0 R >>",
        stream(data, b"/Type /XObject /Subtype /Image /ColorSpace /DeviceRGB /BitsPerComponent 8 " + said),
    )


FINE = page(stream(_TEXT))


def protected(user: str, owner: str) -> bytes:
    writer = PdfWriter(io.BytesIO(FINE))
    writer.encrypt(user, owner, algorithm="AES-256")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


TRAPS: dict[str, Callable[[], bytes]] = {
    "fine": lambda: FINE,
    "magic-only": lambda: b"%PDF-1.7\n",
    "password": lambda: protected("secret", "secret"),
    "password-of-the-owner": lambda: protected("", "secret"),
    "garbage": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 40,
    "truncated": lambda: FINE[: len(FINE) // 2],
    "without-table": lambda: pdf(*[b"<< >>"] * 3, xref=False),
    "wrong-start": lambda: FINE.replace(b"startxref\n", b"startxref\n9"),
    "read-by-pdfium": lambda: FINE.replace(b"endstream", b"endstrm"),
    "no-root": lambda: FINE.replace(b"/Root 1 0 R", b""),
    "root-is-page": lambda: FINE.replace(b"/Root 1 0 R", b"/Root 3 0 R"),
    "root-refers-to-itself": lambda: pdf(b"1 0 R"),
    "no-pages": lambda: tree(b"", 0),
    "scan": lambda: page(stream(b"q 600 0 0 700 0 0 cm Q")),
    "pages-of-themselves": lambda: tree(b"2 0 R"),
    "pages-of-themselves-twice": lambda: tree(b"2 0 R 2 0 R 3 0 R"),
    "page-loop": lambda: pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R /Count 1 >>",
    ),
    "count-of-a-billion": lambda: tree(b"3 0 R", 10**9),
    "count-negative": lambda: tree(b"3 0 R", -5),
    "same-page-3000-times": lambda: tree(b"3 0 R " * 3_000, 3_000),
    "kids-of-nothing": lambda: tree(b"99 0 R null 7 /Name (x)", 5),
    "deep-arrays": lambda: page(b"[" * 50_000 + b"]" * 50_000),
    "deep-dictionaries": lambda: page(b"<< /A " * 50_000 + b">>" * 50_000),
    "deep-arrays-in-content": lambda: page(stream(b"[" * 100_000 + b"]" * 100_000 + _TEXT)),
    "open-string": lambda: page(stream(b"BT (some words" + b"(" * 100_000)),
    "stream-bomb": lambda: page(flate(b"(a) Tj " * (100 * MEGABYTE // 7))),
    "stream-bomb-of-bombs": lambda: page(flate(b" " * 100 * MEGABYTE, times=3)),
    "stream-of-spaces": lambda: page(flate(b" " * 60 * MEGABYTE)),
    "filters-1000": lambda: page(stream(zlib.compress(_TEXT), b"/Filter [%b]" % (b"/FlateDecode " * 1_000))),
    "filters-unknown": lambda: page(stream(_TEXT, b"/Filter /Nonsense")),
    "lzw-bomb": lambda: page(stream(b"\x80\x0b\x60\x50" * MEGABYTE, b"/Filter /LZWDecode")),
    "run-length-bomb": lambda: page(stream(b"\x81 " * 8 * MEGABYTE, b"/Filter /RunLengthDecode")),
    "ascii-hex": lambda: page(stream(_TEXT.hex().encode() + b"zz>", b"/Filter /ASCIIHexDecode")),
    "predictor-bomb": lambda: page(
        stream(zlib.compress(_TEXT), b"/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 2147483647 >>")
    ),
    "length-negative": lambda: page(b"<< /Length -1 >>\nstream\n%b\nendstream" % _TEXT),
    "length-huge": lambda: page(b"<< /Length 99999999999 >>\nstream\n%b\nendstream" % _TEXT),
    "length-of-itself": lambda: page(b"<< /Length 4 0 R >>\nstream\n%b\nendstream" % _TEXT),
    "form-of-itself": lambda: page(
        stream(b"/X Do " + _TEXT),
        b"/Font << /F1 5 0 R >> /XObject << /X 6 0 R >>",
        stream(b"/X Do", b"/Type /XObject /Subtype /Form /Resources << /XObject << /X 6 0 R >> >>"),
    ),
    "forms-deep": lambda: forms(2_000, 1),
    "font-of-itself": lambda: page(stream(_TEXT), b"/Font << /F1 6 0 R >>", b"<< /Type /Font /ToUnicode 6 0 R >>"),
    "font-missing": lambda: page(stream(_TEXT), b"/Font << /F1 99 0 R >>"),
    "font-is-a-number": lambda: page(stream(_TEXT), b"/Font << /F1 7 >>"),
    "font-descends-into-itself": lambda: page(
        stream(_TEXT), b"/Font << /F1 6 0 R >>", b"<< /Type /Font /Subtype /Type0 /DescendantFonts [6 0 R] >>"
    ),
    "widths-of-a-billion": lambda: page(
        stream(_TEXT),
        b"/Font << /F1 6 0 R >>",
        b"<< /Type /Font /Subtype /Type0 /Encoding /Identity-H /DescendantFonts [7 0 R] >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /W [0 1000000000 500] >>",
    ),
    "range-of-a-billion": lambda: to_unicode(b"1 beginbfrange <00000000> <3fffffff> <0041> endbfrange"),
    "range-backwards": lambda: to_unicode(b"1 beginbfrange <ff> <00> <0041> endbfrange"),
    "range-of-long-words": lambda: to_unicode(b"1 beginbfrange <00> <ff> <%b> endbfrange" % (b"0041" * 50_000)),
    "map-open": lambda: to_unicode(b"100000000 beginbfchar <00>"),
    "picture-of-a-billion-pixels": lambda: picture(b"/Width 32000 /Height 32000", b""),
    "picture-bomb": lambda: picture(
        b"/Width 16000 /Height 16000 /Filter /FlateDecode", zlib.compress(bytes(40 * MEGABYTE), 9)
    ),
    "picture-jbig2": lambda: picture(b"/Width 9 /Height 9 /Filter /JBIG2Decode", b"\xff" * 100),
    "picture-inline": lambda: page(stream(b"BI /W 99999 /H 99999 ID " + b"\x00" * 1_000 + b" EI " + _TEXT)),
    "picture-inline-open": lambda: page(stream(b"BI /W 9 /H 9 ID " + b"E" * 100_000)),
    "previous-table-is-itself": lambda: page(stream(_TEXT), trailer=b"/Prev 9"),
    "size-of-the-table": lambda: FINE.replace(b"/Size 6", b"/Size 2147483647"),
    "table-of-a-billion": lambda: FINE.replace(b"xref\n0 6", b"xref\n0 999999999"),
    "title-of-a-megabyte": lambda: page(
        stream(_TEXT), b"/Font << /F1 5 0 R >>", b"<< /Title (%b) >>" % (b"t" * MEGABYTE), trailer=b"/Info 6 0 R"
    ),
    "title-of-itself": lambda: page(
        stream(_TEXT), b"/Font << /F1 5 0 R >>", b"<< /Title 6 0 R /CreationDate 6 0 R >>", trailer=b"/Info 6 0 R"
    ),
    "null-bytes": lambda: page(stream(_TEXT.replace(b"some", b"\\000\\000"))),
    "half-characters": lambda: to_unicode(b"1 beginbfchar <73> <d800> endbfchar"),
    "numbers-huge": lambda: page(stream(b"9" * 100_000 + b" 0 Td " + _TEXT)),
    "matrix-of-nonsense": lambda: page(stream(b"1e308 1e308 1e308 1e308 1e308 1e308 cm " * 50 + _TEXT)),
    "saved-states": lambda: page(stream(b"q " * 500_000 + _TEXT)),
    "object-stream-of-itself": lambda: pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>", stream(b"2 0 << /Type /Pages >>", b"/Type /ObjStm /N 100000000 /First 4")
    ),
    "garbage-before": lambda: b"\n" * 1_000 + FINE,
    "two-files": lambda: FINE + FINE,
}
SLOW: dict[str, Callable[[], bytes]] = {
    "forms-exponential": lambda: forms(12, 10),
    "same-page-300000-times": lambda: tree(b"3 0 R " * 300_000, 300_000),
    "stream-of-text": lambda: page(flate(b"(a) Tj " * (70 * MEGABYTE // 7))),
}
