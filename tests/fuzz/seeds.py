"""What the fuzzers start from, and the dress that gives their bytes a way past the checks of archives."""

import zipfile
from collections.abc import Callable, Iterator, Mapping

from tests.ingestion.corpus import containers, office, paged, plain
from tests.ingestion.corpus.words import ARABIC, GERMAN
from tests.ingestion.traps import pdfs, texts

ENDINGS = ("txt", "md", "html", "json", "csv", "xml", "rtf", "eml", "pdf", "zip", "docx", "xlsx", "pptx", "odt", "epub")

_MAKERS = {
    "txt": (plain.text, plain.old_text),
    "md": (plain.markdown,),
    "html": (paged.page,),
    "json": (plain.escaped, plain.one_line),
    "csv": (plain.table,),
    "xml": (plain.xml,),
    "rtf": (plain.rich_text,),
    "eml": (containers.message, containers.attachments),
    "pdf": (paged.pdf,),
    "zip": (containers.archive,),
}
_TRAPS = {
    "pdf": pdfs.TRAPS,
    "rtf": texts.RTF,
    "eml": texts.MAIL,
    "xml": texts.XML,
    "json": texts.JSON,
    "csv": texts.CSV,
}
_SMALL = 4_000


def seeds(ending: str) -> Iterator[bytes]:
    """Sound files and small traps of a format; of archives, the parts that the dress takes."""
    for make in _MAKERS.get(ending, ()):
        for words in (GERMAN, ARABIC):
            yield make(words).data
    for trap in _TRAPS.get(ending, {}).values():
        if len(data := trap()) < _SMALL:
            yield data
    for part in _PARTS.get(ending, {}).values():
        yield part.encode()


_WORD = 'xmlns:w="urn:w"'
_PARTS: Mapping[str, Mapping[str, str]] = {
    "docx": {
        "word/document.xml": (
            f'<w:document {_WORD}><w:body><w:p><w:pPr><w:pStyle w:val="a"/><w:numPr>'
            '<w:ilvl w:val="0"/><w:numId w:val="1"/>'
            "</w:numPr><w:outlineLvl w:val='1'/></w:pPr><w:r><w:t>some</w:t><w:tab/>"
            "<w:footnoteReference w:id='1'/></w:r></w:p>"
            "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>words</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
        ),
        "word/styles.xml": (
            f'<w:styles {_WORD}><w:style w:styleId="a"><w:name w:val="heading 1"/><w:basedOn w:val="b"/></w:style>'
            "</w:styles>"
        ),
        "word/numbering.xml": (
            f'<w:numbering {_WORD}><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="3"/>'
            '<w:numFmt w:val="upperRoman"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum><w:num w:numId="1">'
            '<w:abstractNumId w:val="1"/></w:num></w:numbering>'
        ),
        "word/footnotes.xml": (
            f'<w:footnotes {_WORD}><w:footnote w:id="1"><w:p><w:r><w:t>x</w:t></w:r></w:p></w:footnote></w:footnotes>'
        ),
    },
    "xlsx": {
        "xl/worksheets/sheet1.xml": (
            '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" s="1"><v>45413.5</v></c>'
            '<c t="b"><v>1</v></c><c t="inlineStr"><is><t>w</t></is></c><c t="e"><v>#REF!</v></c>'
            "</row></sheetData></worksheet>"
        ),
        "xl/workbook.xml": (
            '<workbook xmlns:r="urn:r"><workbookPr date1904="1"/><sheets><sheet name="S" r:id="r1"/>'
            "</sheets></workbook>"
        ),
        "xl/styles.xml": (
            '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[h]:mm;@"/></numFmts><cellXfs><xf numFmtId="0"/>'
            '<xf numFmtId="22"/><xf numFmtId="164"/></cellXfs></styleSheet>'
        ),
        "xl/sharedStrings.xml": "<sst><si><t>some</t><rPh><t>x</t></rPh></si></sst>",
    },
    "pptx": {
        "ppt/slides/slide1.xml": (
            '<p:sld xmlns:p="urn:p" xmlns:a="urn:a"><p:cSld><p:spTree><p:sp><p:nvSpPr><p:nvPr><p:ph type="title"/>'
            "</p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>some</a:t></a:r><a:br/></a:p></p:txBody></p:sp><p:grpSp/><p:graphicFrame>"
            "<a:tbl><a:tr><a:tc><a:p><a:r><a:t>words</a:t></a:r></a:p></a:tc></a:tr></a:tbl></p:graphicFrame></p:spTree>"
            "</p:cSld></p:sld>"
        ),
        "ppt/presentation.xml": (
            '<p:p xmlns:p="urn:p" xmlns:r="urn:r"><p:sldIdLst><p:sldId id="1" r:id="r1"/></p:sldIdLst></p:p>'
        ),
    },
    "odt": {
        "content.xml": (
            '<o:d xmlns:o="urn:o" xmlns:text="urn:t" xmlns:table="urn:b"><text:h text:outline-level="2">some</text:h>'
            '<text:p>a<text:s text:c="2"/><text:tab/><text:note><text:p>n</text:p></text:note></text:p>'
            "<text:list><text:list-item><text:p>i</text:p></text:list-item></text:list><table:table>"
            "<table:table-row><table:table-cell><text:p>c</text:p></table:table-cell></table:table-row></table:table></o:d>"
        ),
        "meta.xml": '<m><o:meta xmlns:o="urn:o"><title>t</title><creation-date>2025-01-01</creation-date></o:meta></m>',
    },
    "epub": {
        "OPS/book.opf": (
            '<package><metadata><title>t</title><date>2025</date></metadata><manifest><item id="a" href="a.xhtml" '
            'media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine></package>'
        ),
        "OPS/a.xhtml": "<html><head><title/></head><body><h1>some</h1><p>words<br/>more</p></body></html>",
        "META-INF/container.xml": '<container><rootfile full-path="OPS/book.opf"/></container>',
    },
}
_FIXED: Mapping[str, Mapping[str, str]] = {
    "docx": {
        "_rels/.rels": office.relations(("officeDocument", "word/document.xml")),
        "word/_rels/document.xml.rels": office.relations(
            ("styles", "styles.xml"), ("numbering", "numbering.xml"), ("footnotes", "footnotes.xml")
        ),
    },
    "xlsx": {
        "_rels/.rels": office.relations(("officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": office.relations(
            ("styles", "styles.xml"), ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")
        ),
    },
    "pptx": {
        "_rels/.rels": office.relations(("officeDocument", "ppt/presentation.xml")),
        "ppt/_rels/presentation.xml.rels": office.relations(("x", "x"), ("slide", "slides/slide1.xml")),
    },
    "odt": {"mimetype": "application/vnd.oasis.opendocument.text", "META-INF/manifest.xml": "<manifest/>"},
    "epub": {"mimetype": "application/epub+zip"},
}


def dressed(ending: str, data: bytes) -> bytes:
    """A sound archive in which the part whose beginning the bytes share, else the first, is replaced by them."""
    parts = _PARTS[ending]
    chosen = max(parts, key=lambda name: _shared(parts[name].encode(), data))
    contents: dict[str, str | bytes] = {**_FIXED[ending], **parts, chosen: data}
    return office.zipped(contents, zipfile.ZIP_STORED)


def _shared(one: bytes, other: bytes) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _dress(ending: str) -> Callable[[bytes], bytes]:
    return lambda data: dressed(ending, data)


DRESS = {ending: _dress(ending) for ending in _PARTS}
