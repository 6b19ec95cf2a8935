"""Word, Excel, PowerPoint and OpenDocument files, made by the libraries that others use, or by hand."""

import io
import zipfile
from datetime import date, datetime
from xml.sax.saxutils import escape

import docx
import openpyxl
import pptx
from pptx.util import Inches

from tests.ingestion.corpus.case import MADE, Case
from tests.ingestion.corpus.words import Words, lines

_MOMENT = datetime.fromisoformat(MADE)


def word(words: Words) -> Case:
    document = docx.Document()
    _describe(document.core_properties, words)
    document.add_heading(words.first, 1)
    document.add_paragraph(words.opening)
    for item in words.items:
        document.add_paragraph(item, style="List Bullet")
    document.add_heading(words.second, 2)
    halves = document.add_paragraph()
    for piece in words.middle.partition(", "):
        halves.add_run(piece).bold = True
    table = document.add_table(rows=0, cols=3)
    for row in words.rows:
        for cell, said in zip(table.add_row().cells, row, strict=True):
            cell.text = said
    document.add_page_break()
    document.add_heading(words.third, 1)
    document.add_paragraph(f"{words.closing}\t{words.note}")
    for item in words.items:
        document.add_paragraph(item, style="List Number")
    document.sections[0].header.paragraphs[0].text = "left out"
    first, second = words.items
    text = (
        f"{words.first}\n\n{words.opening}\n\n- {first}\n- {second}\n\n{words.second}\n\n{words.middle}\n\n"
        f"{lines(words.rows)}\n\n{words.third}\n\n{words.closing}\t{words.note}\n\n1. {first}\n2. {second}"
    )
    headings = ((1, words.first), (2, words.second), (1, words.third))
    return _case("docx", words, _bytes(document), text, headings)


def word_by_hand(words: Words) -> Case:
    """What the library cannot write: notes, tracked changes, text boxes, content controls, fields, strict names."""
    body = f"""
      <w:p><w:pPr><w:pStyle w:val="berschrift1"/></w:pPr><w:r><w:t>{words.first}</w:t></w:r></w:p>
      <w:p><w:r><w:t>{words.opening}</w:t></w:r><w:r><w:footnoteReference w:id="7"/></w:r></w:p>
      <w:sdt><w:sdtPr/><w:sdtContent><w:p>
        <w:del><w:r><w:delText>gone</w:delText></w:r></w:del>
        <w:ins><w:r><w:t xml:space="preserve">{words.items[0]} </w:t></w:r></w:ins>
        <w:hyperlink><w:r><w:t>{words.items[1]}</w:t></w:r></w:hyperlink>
        <w:r><w:instrText>PAGE</w:instrText></w:r>
      </w:p></w:sdtContent></w:sdt>
      <w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>{words.middle}</w:t></w:r></w:p>
        </w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent><w:p><w:r><w:t>twice</w:t></w:r></w:p></w:txbxContent>
        </mc:Fallback></mc:AlternateContent></w:r></w:p>
      <w:tbl><w:tr><w:tc><w:p><w:r><w:t>{words.second}</w:t></w:r></w:p>
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>{words.third}</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:tc>
        <w:tc><w:p/></w:tc><w:tc><w:p><w:r><w:t>{words.rows[0][0]}</w:t></w:r></w:p>
        <w:p><w:r><w:t>{words.rows[0][1]}</w:t></w:r></w:p></w:tc></w:tr></w:tbl>
      <w:p><w:r><w:t>{words.closing}</w:t></w:r>
        <w:r><w:br/></w:r><w:r><w:t>A</w:t><w:noBreakHyphen/><w:t>Z</w:t></w:r></w:p>
    """
    names = (
        'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    styles = '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    notes = f'<w:footnote w:id="7"><w:p><w:r><w:t>{words.note}</w:t></w:r></w:p></w:footnote>'
    data = zipped(
        {
            "_rels/.rels": relations(("officeDocument", "word/document.xml")),
            "word/document.xml": f"<w:document {names}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(("styles", "styles.xml"), ("footnotes", "/word/notes.xml")),
            "word/styles.xml": f"<w:styles {names}>{styles}</w:styles>",
            "word/notes.xml": f"<w:footnotes {names}>{notes}</w:footnotes>",
        }
    )
    text = (
        f"{words.first}\n\n{words.opening}[1]\n\n{words.items[0]} {words.items[1]}\n\n{words.middle}\n\n"
        f"{words.second} {words.third}\t\t{words.rows[0][0]} {words.rows[0][1]}\n\n"
        f"{words.closing}\nA\u2011Z\n\n[1] {words.note}"
    )
    return Case("by-hand.docx", data, text, "docx", words.language, words.first, ((1, words.first),))


def slides(words: Words) -> Case:
    show = pptx.Presentation()
    _describe(show.core_properties, words)
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = words.first
    first.placeholders[1].text = "\n".join((words.opening, *words.items))
    first.notes_slide.notes_text_frame.text = words.note
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = words.second
    table = second.shapes.add_table(3, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for down, row in enumerate(words.rows):
        for across, said in enumerate(row):
            table.cell(down, across).text = said
    show.slides.add_slide(show.slide_layouts[6])
    third = show.slides.add_slide(show.slide_layouts[6])
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = words.closing
    text = (
        f"{words.first}\n\n{words.opening}\n{words.items[0]}\n{words.items[1]}\n\n{words.note}\n\n"
        f"{words.second}\n\n{lines(words.rows)}\n\n{words.closing}"
    )
    headings = ((1, words.first), (1, words.second))
    return _case("pptx", words, _bytes(show), text, headings, ((1, words.first), (2, words.second), (4, words.closing)))


def workbook(words: Words) -> Case:
    book = openpyxl.Workbook()
    _describe(book.properties, words)
    book.properties.creator = words.author
    sheet = book.active
    sheet.title = words.first
    for row in words.rows:
        sheet.append(row)
    sheet.append([])
    sheet.append([words.opening, 12, 0.1 + 0.2, True, date(2024, 5, 1), _MOMENT, None])
    sheet["A6"], sheet["D6"] = "=1+1", 1234567.5
    book.create_sheet("empty")
    book.create_sheet(words.second).append([words.closing, f"{words.items[0]}\n{words.items[1]}"])
    text = (
        f"{words.first}\n\n{lines(words.rows)}\n{words.opening}\t12\t0.3\tTRUE\t2024-05-01\t2025-03-01 08:30\n"
        f"\t\t\t1234567.5\n\n{words.second}\n\n{words.closing}\t{words.items[0]} {words.items[1]}"
    )
    headings = ((1, words.first), (1, words.second))
    return _case("xlsx", words, _bytes(book), text, headings, ((1, words.first), (3, words.second)))


def open_document(words: Words) -> Case:
    def paragraph(said: str) -> str:
        return f"<text:p>{escape(said)}</text:p>"

    items = "".join(f"<text:list-item>{paragraph(item)}</text:list-item>" for item in words.items)
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell>{paragraph(cell)}</table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in words.rows
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table", "meta")
    )
    content = f"""<office:document-content {names}><office:body><office:text>
      <text:tracked-changes>{paragraph("gone")}</text:tracked-changes>
      <text:h text:outline-level="1">{escape(words.first)}</text:h>
      <text:p>{escape(words.opening)}<text:note><text:note-citation>1</text:note-citation><text:note-body>
        {paragraph(words.note)}</text:note-body></text:note></text:p>
      <text:list>{items}</text:list>
      <text:section><text:h text:outline-level="2">{escape(words.second)}</text:h></text:section>
      <text:p>{escape(words.middle)}<text:tab/>A<text:s text:c="3"/>B<text:line-break/>C</text:p>
      <table:table>{rows}</table:table>
    </office:text></office:body></office:document-content>"""
    about = (
        f'<office:document-meta {names} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
        f"<dc:title>{escape(words.title)}</dc:title><meta:initial-creator>{words.author}</meta:initial-creator>"
        f"<meta:creation-date>{MADE}.123</meta:creation-date><dc:language>{words.language}-XX</dc:language>"
        "</office:meta></office:document-meta>"
    )
    data = zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": content,
            "meta.xml": about,
        }
    )
    text = (
        f"{words.first}\n\n{words.opening} [{words.note}]\n\n- {words.items[0]}\n- {words.items[1]}\n\n"
        f"{words.second}\n\n"
        f"{words.middle}\tA   B\nC\n\n{lines(words.rows)}"
    )
    return _case("odt", words, data, text, ((1, words.first), (2, words.second)))


def zipped(members: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def relations(*targets: tuple[str, str]) -> str:
    listed = "".join(
        f'<Relationship Id="r{number}" Type="http://x/{role}" Target="{target}"/>'
        for number, (role, target) in enumerate(targets)
    )
    return f"<Relationships>{listed}</Relationships>"


def _describe(properties, words: Words) -> None:
    properties.title, properties.author, properties.created = words.title, words.author, _MOMENT
    properties.language = words.language


def _bytes(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def _case(
    kind: str,
    words: Words,
    data: bytes,
    text: str,
    headings: tuple[tuple[int, str], ...],
    pages: tuple[tuple[int, str], ...] = (),
) -> Case:
    return Case(
        f"rules.{kind}",
        data,
        text,
        kind,
        words.language,
        words.title,
        headings,
        pages,
        words.author,
        MADE,
    )
