"""What a file is, seen from its first bytes. Only what is more than text is named here."""

import re
from dataclasses import dataclass

from carrel.ingestion.extraction.archive import beginning_of, names_in


@dataclass(frozen=True, slots=True)
class Sign:
    """A recognised format: its short code, and its name as a person would say it."""

    code: str
    name: str


_SIGNATURES = (
    (rb"%PDF-", "pdf", "a PDF document"),
    (rb"\{\\rtf", "rtf", "a rich text (RTF) document"),
    (rb"%!PS", "postscript", "a PostScript document"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole", "an old Microsoft Office document"),
    (rb"\x89PNG\r\n\x1a\n", "png", "a PNG image"),
    (rb"\xff\xd8\xff", "jpeg", "a JPEG image"),
    (rb"GIF8[79]a", "gif", "a GIF image"),
    (rb"RIFF.{4}WEBP", "webp", "a WebP image"),
    (rb"BM.{4}\x00\x00\x00\x00", "bmp", "a BMP image"),
    (rb"II\*\x00|MM\x00\*", "tiff", "a TIFF image"),
    (rb"\x00\x00\x01\x00.\x00", "icon", "an icon"),
    (rb"\x00\x00\x00.ftyp(?:heic|heix|mif1|avif)", "heif", "a HEIF image"),
    (rb"\x00\x00\x00.ftyp|RIFF.{4}AVI |\x1a\x45\xdf\xa3", "video", "a video"),
    (rb"RIFF.{4}WAVE|ID3[\x02-\x04]|OggS\x00|fLaC\x00", "sound", "a sound recording"),
    (rb"\x1f\x8b\x08", "gzip", "a gzip archive"),
    (rb"BZh[1-9]1AY&SY", "bzip2", "a bzip2 archive"),
    (rb"\xfd7zXZ\x00", "xz", "an xz archive"),
    (rb"7z\xbc\xaf\x27\x1c", "7z", "a 7z archive"),
    (rb"Rar!\x1a\x07", "rar", "a RAR archive"),
    (rb"\x28\xb5\x2f\xfd", "zstd", "a Zstandard archive"),
    (rb".{257}ustar[\x00 ]", "tar", "a tar archive"),
    (rb"\x7fELF|MZ.{62,1024}PE\x00\x00|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|\x00asm", "program", "a program"),
    (rb"SQLite format 3\x00", "sqlite", "a SQLite database"),
    (rb"PAR1\x15", "parquet", "a Parquet table"),
    (rb"\x93NUMPY", "numpy", "a NumPy array"),
    (rb"OTTO\x00|\x00\x01\x00\x00\x00|wOF[F2]|ttcf\x00", "font", "a font"),
)
_SIGNS = tuple((re.compile(pattern, re.DOTALL), Sign(code, name)) for pattern, code, name in _SIGNATURES)
_ARCHIVES = (
    ("word/document", Sign("docx", "a Word document (DOCX)")),
    ("xl/workbook.xml", Sign("xlsx", "an Excel workbook (XLSX)")),
    ("ppt/presentation.xml", Sign("pptx", "a PowerPoint presentation (PPTX)")),
    ("META-INF/container.xml", Sign("epub", "an EPUB book")),
)
_ARCHIVE = Sign("zip", "a ZIP archive")
_OTHER_OFFICE = Sign("office", "an Office file of a kind that is not read here, or one without its main part")
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OPEN_TEXT = Sign("odt", "an OpenDocument text")
_OPEN_OTHER = Sign("odf", "an OpenDocument table, presentation or drawing")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROTECTED = Sign("ole-encrypted", "a protected Office document")

# The first line is a header, and among the first ones is that of every message, or those that say whose it is.
_FIRST_HEADER = re.compile(rb"(?:From [^\r\n]+\r?\n)?[A-Za-z][A-Za-z0-9-]{0,60}:[^\r\n]*\r?\n")
_HEADER = re.compile(
    rb"^(From|Date|Subject|To|Message-ID|MIME-Version|Received|Return-Path):", re.IGNORECASE | re.MULTILINE
)
_MAIL = Sign("eml", "an e-mail")


def recognise(data: bytes) -> Sign | None:
    """The sign of a format that is more than text; None when the bytes carry none."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(data)
    if data.startswith(_OLD_OFFICE) and "EncryptedPackage".encode("utf-16-le") in data:
        return _PROTECTED
    start = data[:2048].lstrip(b" \t\r\n")
    found = next((sign for pattern, sign in _SIGNS if pattern.match(start)), None)
    return found or (_MAIL if _is_mail(data[:16_384]) else None)


def _archive(data: bytes) -> Sign:
    """What an archive holds, by the names in its directory: bytes of other entries may look like anything."""
    names = names_in(data) or ()
    if "mimetype" in names:
        said = beginning_of(data, "mimetype").decode("ascii", "replace")
        if said.startswith(_OPEN_DOCUMENT):
            return _OPEN_TEXT if said.removeprefix(_OPEN_DOCUMENT).startswith("text") else _OPEN_OTHER
    otherwise = _OTHER_OFFICE if "[Content_Types].xml" in names else _ARCHIVE
    return next((sign for part, sign in _ARCHIVES if any(name.startswith(part) for name in names)), otherwise)


def _is_mail(beginning: bytes) -> bool:
    if not _FIRST_HEADER.match(beginning):
        return False
    header = re.split(rb"\r?\n\r?\n", beginning, maxsplit=1)[0]
    found = {name.lower() for name in _HEADER.findall(header)}
    return b"from" in found and len(found) > 2
