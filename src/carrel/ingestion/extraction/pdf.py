"""PDF: the text of each page in the order in which it was written, by pypdf; by PDFium where pypdf finds faults.

pypdf gives Arabic in logical order and bounds what streams unpack to. PDFium repairs more broken files, but it can
be kept busy without end: it never gets a file that went over a limit. Pictures are not looked at.
"""

import io
import re
from collections.abc import Iterable
from typing import Any

import pypdf
import pypdfium2
from pypdf.errors import FileNotDecryptedError, LimitReachedError

# Imported although unused here: pypdf asks for them at the first page, when the sandbox allows no import any more.
from pypdf import _text_extraction, filters  # noqa: F401  # isort: skip
from pypdf._codecs import _codecs  # noqa: F401  # isort: skip

from carrel.ingestion.extraction.draft import Draft
from carrel.ingestion.extraction.errors import damaged, encrypted, over_limit
from carrel.ingestion.extraction.model import Content, Source
from carrel.ingestion.extraction.pdf_lines import Lines

_WRONG_PASSWORD = 4
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?")
_LARGEST_STREAM = 32 * 2**20
"""What people read on a page takes less than a megabyte; taking 60 apart costs 20 s."""

_LIMITS: Any = {
    **dict.fromkeys(
        (
            "array_based_stream_maximum_output_length",
            "lzw_maximum_output_length",
            "run_length_maximum_output_length",
            "zlib_maximum_output_length",
        ),
        _LARGEST_STREAM,
    ),
    # No program is ever started for a picture, and nobody here sets the limits by their old names.
    "jbig2dec_binary": None,
    "disable_legacy_handling": True,
}
_MADE_UP = ("Microsoft Word - ", "Microsoft PowerPoint - ")


def read(source: Source) -> Content:
    try:
        with pypdf.apply_configuration(**_LIMITS):
            return _by_pypdf(source.data)
    except FileNotDecryptedError as error:
        raise encrypted("The document") from error
    except LimitReachedError as error:
        raise over_limit(
            "A part of the document unpacks to too much, or the document refers to itself.", "size"
        ) from error
    except RecursionError as error:
        raise over_limit("The document is nested too deeply.", "depth") from error
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - whatever a broken file does to pypdf, PDFium has a try at it
        return _by_pdfium(source.data)


def _by_pypdf(data: bytes) -> Content:
    document = pypdf.PdfReader(io.BytesIO(data))
    if document.is_encrypted and not document.decrypt(""):
        raise FileNotDecryptedError
    draft = _drafted(_lines(page) for page in document.pages)
    said = document.metadata
    if said is None:
        return draft.done()
    return draft.done(title=_title(said.title), author=_word(said.author), created=_moment(said))


def _by_pdfium(data: bytes) -> Content:
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _WRONG_PASSWORD:
            raise encrypted("The document") from error
        raise damaged("The document") from error
    try:
        draft = _drafted(page.get_textpage().get_text_range() for page in document)
        said = document.get_metadata_dict(skip_empty=True)
    except pypdfium2.PdfiumError as error:
        raise damaged("The document") from error
    finally:
        document.close()
    return draft.done(title=_title(said.get("Title")), author=said.get("Author"))


def _lines(page: pypdf.PageObject) -> str:
    lines = Lines()
    page.extract_text(visitor_text=lines.take)
    return lines.text()


def _drafted(pages: Iterable[str]) -> Draft:
    draft = Draft()
    for number, text in enumerate(pages, start=1):
        draft.page(number)
        draft.block(text)
    return draft


def _title(said: object) -> str | None:
    title = _word(said) or ""
    for beginning in _MADE_UP:
        title = title.removeprefix(beginning)
    return title if title.lower() != "untitled" else None


def _word(said: object) -> str | None:
    return said if isinstance(said, str) else None


def _moment(said: pypdf.DocumentInformation) -> str | None:
    found = _DATE.match(str(said.creation_date_raw or ""))
    if not found:
        return None
    year, month, day, *clock = found.groups()
    return f"{year}-{month}-{day}" + (f"T{':'.join(clock)}" if all(clock) else "")
