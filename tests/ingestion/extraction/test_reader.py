import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.errors import Problem
from carrel.core.text import canonical
from carrel.ingestion.extraction import Extracted, PageStart, extract
from carrel.ingestion.extraction.errors import NoTextFound, NotText, UnsupportedType

names = st.sampled_from(
    [None, "a", "a.txt", "a.md", "a.html", "a.py", "a.json", "a.csv", "a.pdf", ".", "عقد.md", "\ud800"]
)
types = st.sampled_from(
    [None, "", "text/html; charset=cp1256", "text/plain", "application/json", "x", ";;", "a/b;charset=zip"]
)


def read(content, filename=None, declared_type=None):
    data = content if isinstance(content, bytes) else content.encode()
    return extract(data, filename=filename, declared_type=declared_type)


class TestAnyBytes:
    @settings(deadline=None)
    @given(st.binary(max_size=400), names, types)
    def test_give_a_text_or_a_problem(self, data, filename, declared_type):
        answer = answer_to(data, filename, declared_type)

        if isinstance(answer, Problem):
            assert answer.detail.endswith(".")
            assert answer.hint
        else:
            assert_is_sound(answer)

    @settings(deadline=None)
    @given(st.text(max_size=300), names, types)
    def test_that_are_text_give_that_text_unless_it_has_a_form(self, text, filename, declared_type):
        data = ("Some words first. " + text).encode("utf-8", "replace")

        found = extract(data, filename=filename, declared_type=declared_type)

        assert_is_sound(found)
        if found.doc_type in {"text", "markdown", "code"} and found.encoding == "utf-8":
            assert found.text == canonical(data.decode())


def answer_to(data, filename, declared_type):
    try:
        return extract(data, filename=filename, declared_type=declared_type)
    except Problem as refused:
        return refused


def assert_is_sound(found):
    assert found.text.strip()
    assert found.text == canonical(found.text)
    starts = [heading.start for heading in found.headings]
    assert starts == sorted(starts)
    assert all(0 <= start < len(found.text) for start in starts)


class TestType:
    @pytest.mark.parametrize(
        ("content", "filename", "declared_type", "doc_type", "kind"),
        [
            ("plain words", "a.txt", None, "text", "text"),
            ("plain words", None, None, "text", "text"),
            ("# not a title", "a.txt", None, "text", "text"),
            ("# Title\n\nwords", "a.md", "application/octet-stream", "markdown", "markdown"),
            ("words", None, "text/markdown; charset=utf-8", "markdown", "markdown"),
            ("## Part\n\nwords", None, None, "markdown", "markdown"),
            ("see [this](https://example.org)", None, None, "markdown", "markdown"),
            ("def f():\n    pass\n", "a.py", "text/plain", "code", "code"),
            ("FROM scratch", "Dockerfile", None, "code", "code"),
            ("#!/bin/sh\nls", None, None, "code", "code"),
            ("<p>words</p>", "a.html", None, "html", "text"),
            ("<p>words</p>", None, "text/html", "html", "text"),
            ("<div class='a'>words</div>", None, None, "html", "text"),
            ("<!-- x --><!DOCTYPE html><p>words", "a.txt", "text/plain", "html", "text"),
            ("<?xml version='1.0'?><html><p>words", "a.md", None, "html", "text"),
            ("<html>{{ words }}</html>", "a.vue", None, "code", "code"),
            ("1 < 2, nothing else", "a.html", None, "text", "text"),
            ('{"a": "words"}', "a.json", None, "json", "code"),
            ('{"a": "words"}', None, None, "json", "code"),
            ('{"a": 1}\n{"a": 2}\n', "a.jsonl", None, "json", "code"),
            ("<?xml version='1.0'?><a>words</a>", None, None, "xml", "text"),
            ("<a>words</a>", "a.xml", None, "xml", "text"),
            ("<a>words</a>", None, "application/xml", "xml", "text"),
            ("<svg><text>words</text></svg>", "a.svg", None, "code", "code"),
            ("words", "a.xml", None, "text", "text"),
            ("From: a@b.c\nTo: d@e.f\nSubject: words\n\nwords", None, None, "eml", "text"),
            ("Received: by somebody\n\nwords", "a.eml", None, "eml", "text"),
            ("no header, words", "a.eml", "message/rfc822", "text", "text"),
            ("From: here\n\nwords", None, None, "text", "text"),
            ("{\\rtf1 words}", "a.txt", None, "rtf", "text"),
            ("plain words", "a.json", None, "text", "text"),
            ("a,b\n1,2\n", "a.csv", None, "csv", "text"),
            ("words that only claim to be a PDF", "a.pdf", "application/pdf", "text", "text"),
            ("[" * 100_000 + "]" * 100_000, None, None, "text", "text"),
        ],
    )
    def test_is_told_by_content_first(self, content, filename, declared_type, doc_type, kind):
        found = read(content, filename, declared_type)

        assert (found.doc_type, found.kind) == (doc_type, kind)

    @pytest.mark.parametrize(
        ("data", "name", "code"),
        [
            (b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG image", "png"),
            (b"\xff\xd8\xff\xe0" + bytes(50), "a JPEG image", "jpeg"),
            (b"GIF89a" + bytes(20), "a GIF image", "gif"),
            (gzip.compress(b"words"), "a gzip archive", "gzip"),
            (b"\x7fELF" + bytes(60), "a program", "program"),
            (b"SQLite format 3\x00" + bytes(80), "a SQLite database", "sqlite"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(80), "an old Microsoft Office document", "ole"),
        ],
        ids=str.split("png jpeg gif gzip program sqlite ole"),
    )
    @pytest.mark.parametrize("filename", ["a.txt", "a.html", None])
    def test_that_is_no_text_is_refused_by_its_name(self, data, name, code, filename):
        with pytest.raises(UnsupportedType, match="cannot be read here") as refused:
            read(data, filename, "text/plain")

        assert name in refused.value.detail
        assert refused.value.facts == {"looks_like": code}
        assert refused.value.status == 415

    @pytest.mark.parametrize(
        "content", ["The ftyp box", "BMW cars", "II* is a name", "PAR10 words", "MZ and more", "ID3x"]
    )
    def test_is_text_even_where_it_begins_like_something_else(self, content):
        assert read(content).text == content

    def test_of_bytes_that_mean_nothing_is_not_text(self):
        with pytest.raises(NotText, match="not text"):
            read(bytes(range(256)) * 10, "a.txt")


def test_a_heading_keeps_a_mark_that_the_text_keeps():
    found = read("<h1>One</h1><h2>\ufeffTwo</h2>", "a.html")

    assert [found.text[heading.start :].startswith(heading.text) for heading in found.headings] == [True, True]


class TestText:
    @pytest.mark.parametrize(
        "content", ["", " \r\n\t ", "\ufeff", "\ufeff  \n", "\x00\x00", "<p> </p>", "<!-- words -->"]
    )
    def test_that_is_not_there_is_a_problem(self, content):
        with pytest.raises(NoTextFound, match=r"empty|no text"):
            read(content, "a.html")

    def test_of_markdown_stays_as_it_was_written(self):
        content = "\ufeff---\r\n# Title\r\n\r\nعقد 👩‍👩‍👧‍👦 `code`\r\n"

        found = read(content, "a.md")

        assert found.text == content[1:]
        assert found.title == "Title"
        assert [(heading.start, heading.level, heading.text) for heading in found.headings] == [(5, 1, "Title")]

    def test_of_an_old_encoding_is_read_and_the_encoding_recorded(self):
        found = read("عقد الإيجار بين الطرفين".encode("cp1256"), "a.txt")

        assert (found.text, found.encoding, found.language) == ("عقد الإيجار بين الطرفين", "cp1256", "ar")

    def test_is_read_in_the_encoding_that_was_declared(self):
        found = read("Žluťoučký kůň".encode("cp1250"), "a.txt", 'text/plain; charset="windows-1250"')

        assert (found.text, found.encoding) == ("Žluťoučký kůň", "cp1250")

    def test_of_json_stays_as_it_was_written(self):
        content = json.dumps({"name": "عقد", "list": [1, 2]}, indent=1, ensure_ascii=False)

        assert read(content, "a.json").text == content


def test_the_page_of_a_place_is_the_last_that_began():
    found = Extracted(
        "one two three", "text", "text/plain", None, "en", "utf-8", "text", pages=(PageStart(0, 1), PageStart(4, 2))
    )

    assert [found.page_at(position) for position in (0, 3, 4, 12)] == [1, 1, 2, 2]
    assert read("no pages here").page_at(3) is None
