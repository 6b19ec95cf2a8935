"""All traps, each with what must be said about it: the code of a problem, or `read` where nothing is wrong with it."""

from collections.abc import Callable, Iterator

from tests.ingestion.traps import archives, pdfs, texts

IN_ANY_DRESS = {
    "ratio": "content-over-limit",
    "added-ratio": "content-over-limit",
    "climbs": "unsafe-content",
    "climbs-within": "unsafe-content",
    "absolute": "unsafe-content",
    "drive": "unsafe-content",
    "backslashes": "unsafe-content",
    "link": "unsafe-content",
    "device": "unsafe-content",
    "overlap": "unsafe-content",
    "password": "encrypted",
    "method": "damaged",
    "declares-much": "content-over-limit",
    "declares-nothing": "damaged",
    "wrong-sum": "damaged",
    "offset": "unsafe-content",
    "truncated": "damaged",
    "no-directory": "damaged",
    "missing-part": "damaged",
    "no-xml": "damaged",
    "empty-part": "damaged",
    "laughs": "unsafe-content",
    "outside": "unsafe-content",
    "remote": "no-text-found",
    "parameter": "unsafe-content",
    "deep": "content-over-limit",
}
"""What is said about a trap in archives, whatever format they are of."""

IN_SOME_DRESS = {
    "missing-part.docx": "unsupported-type",
    "missing-part.xlsx": "read",
    "missing-part.zip": "read",
    "no-xml.zip": "read",
    "empty-part.zip": "read",
    "remote.xlsx": "read",
    "remote.pptx": "read",
    "remote.zip": "read",
}

OTHERS = {
    "content-over-limit": (
        "zip-nested-twice.zip zip-nested-forty.zip zip-nested-bomb.zip zip-entries.zip zip-100000-entries.zip "
        "zip-total.zip zip-quine-like.zip docx-in-zip-bomb.zip deep.xml parts.eml parts-deeper.eml "
        "messages-deep.eml messages-deeper.eml attached-bomb.eml deep-arrays.pdf deep-arrays-in-content.pdf "
        "stream-bomb.pdf stream-bomb-of-bombs.pdf stream-of-spaces.pdf filters-1000.pdf run-length-bomb.pdf "
        "predictor-bomb.pdf length-huge.pdf length-of-itself.pdf widths-of-a-billion.pdf range-of-a-billion.pdf "
        "range-of-long-words.pdf table-of-a-billion.pdf numbers-huge.pdf"
    ),
    "damaged": (
        "zip-with-comment.zip zip-magic-only.zip zip-64-lies.zip magic.rtf magic-only.pdf garbage.pdf "
        "truncated.pdf without-table.pdf root-refers-to-itself.pdf pages-of-themselves.pdf page-loop.pdf"
    ),
    "encrypted": ("zip-of-protected.zip protected-office.txt password.pdf"),
    "no-text-found": (
        "zip-empty.zip zip-of-folders.zip zip-of-nothing.zip zip-end-only.zip marks-only.xml nothing.rtf "
        "spaces.txt no-pages.pdf scan.pdf kids-of-nothing.pdf deep-dictionaries.pdf open-string.pdf lzw-bomb.pdf "
        "forms-deep.pdf font-missing.pdf font-is-a-number.pdf picture-inline.pdf picture-inline-open.pdf "
        "object-stream-of-itself.pdf"
    ),
    "not-text": ("zeros.txt random.txt"),
    "read": (
        "zip-nested-once.zip zip-name-of-controls.zip zip-name-of-4000.zip zip-behind-garbage.zip remote.xml "
        "open.xml undeclared-entity.xml attributes.xml attribute-of-20-mb.xml text-of-20-mb.xml names.xml "
        "spaces-of-names.xml wrong-encoding.xml no-encoding.xml seven-bits.xml controls.xml comments.xml "
        "include.xml deep.json deep-objects.json open-string.json escapes.json half-characters.json "
        "backslashes.json digits.json commas.json quotes.json open-quote.csv quotes.csv columns.csv "
        "delimiters.csv null-bytes.csv returns.csv braces.rtf closing.rtf numbers.rtf half-characters.rtf "
        "controls.rtf page-of-nonsense.rtf cells.rtf picture.rtf binary.rtf hex.rtf headers.eml "
        "header-of-5-mb.eml header-of-encoded-words.eml header-of-folds.eml header-of-nonsense.eml parts-deep.eml "
        "boundary-empty.eml boundary-absent.eml boundary-of-spaces.eml open.eml charset-of-nonsense.eml "
        "charset-zlib.eml charset-idna.eml base64-of-nonsense.eml uuencode.eml quoted-printable.eml "
        "attached-name.eml attached-name-climbs.eml attached-program.eml page-with-laughs.eml newlines.txt "
        "one-word.txt marks.txt joiners.txt directions.txt wide-half.txt fences.txt hashes.txt bars.txt fine.pdf "
        "read-by-pdfium.pdf "
        "wrong-start.pdf no-root.pdf root-is-page.pdf pages-of-themselves-twice.pdf count-of-a-billion.pdf "
        "count-negative.pdf same-page-3000-times.pdf filters-unknown.pdf ascii-hex.pdf length-negative.pdf "
        "form-of-itself.pdf font-of-itself.pdf font-descends-into-itself.pdf range-backwards.pdf map-open.pdf "
        "picture-of-a-billion-pixels.pdf picture-bomb.pdf picture-jbig2.pdf previous-table-is-itself.pdf "
        "size-of-the-table.pdf title-of-a-megabyte.pdf title-of-itself.pdf null-bytes.pdf half-characters.pdf "
        "matrix-of-nonsense.pdf saved-states.pdf garbage-before.pdf two-files.pdf password-of-the-owner.pdf"
    ),
    "unsafe-content": ("zip-twice-named.zip laughs.xml laughs-wide.xml outside.xml parameter.xml quadratic.xml"),
    "unsupported-type": ("zip-of-pictures.zip picture.txt old-office.txt gzip.txt"),
}
_LISTS = {
    "xml": texts.XML,
    "json": texts.JSON,
    "csv": texts.CSV,
    "rtf": texts.RTF,
    "eml": texts.MAIL,
    "txt": texts.PLAIN,
    "pdf": pdfs.TRAPS,
}


def traps() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names and makers; the ending of a name is that of the file."""
    for dress, (sound, part) in archives.DRESSES.items():
        for name, make in archives.TRAPS.items():
            yield f"{name}.{dress}", _dressed(make, sound, part)
    for name, loose in archives.loose().items():
        yield f"{name}.zip", loose
    for ending, listed in _LISTS.items():
        for name, single in listed.items():
            yield f"{name}.{ending}", single


def expected(name: str) -> str:
    """The code that is due for a trap. Raises `KeyError` for one that is not in the table."""
    if name in IN_SOME_DRESS:
        return IN_SOME_DRESS[name]
    stem, _, ending = name.rpartition(".")
    if ending in archives.DRESSES and stem in IN_ANY_DRESS:
        return IN_ANY_DRESS[stem]
    return _BY_NAME[name]


def _dressed(make: Callable[[bytes, str], bytes], sound: Callable[[], bytes], part: str) -> Callable[[], bytes]:
    return lambda: make(sound(), part)


_BY_NAME = {name: code for code, names in OTHERS.items() for name in names.split()}
