"""What a file is, seen from its first bytes. Only what is no text is named here."""

import re
from dataclasses import dataclass


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
_PARTS_OF_ARCHIVES = (
    (b"word/document.xml", Sign("docx", "a Word document (DOCX)")),
    (b"xl/workbook.xml", Sign("xlsx", "an Excel workbook (XLSX)")),
    (b"ppt/presentation.xml", Sign("pptx", "a PowerPoint presentation (PPTX)")),
    (b"application/epub+zip", Sign("epub", "an EPUB book")),
    (b"application/vnd.oasis.opendocument", Sign("odf", "an OpenDocument file")),
)
_ARCHIVE = Sign("zip", "a ZIP archive")


def recognise(data: bytes) -> Sign | None:
    """The sign of a format that is no text; None when the bytes carry none."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return next((sign for part, sign in _PARTS_OF_ARCHIVES if part in data), _ARCHIVE)
    start = data[:2048].lstrip(b" \t\r\n")
    return next((sign for pattern, sign in _SIGNS if pattern.match(start)), None)
