"""Messages and archives beyond what the corpus holds."""

import pytest

from carrel.ingestion.extraction import extract
from carrel.ingestion.extraction.errors import NoTextFound, UnsupportedType
from tests.ingestion.corpus.office import zipped

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(20)


def mail(rest, *, more=""):
    return extract(
        f"From: a@b.c\nTo: d@e.f\nDate: never\n{more}{rest}".encode("latin-1"), filename=None, declared_type=None
    )


def archive(members):
    return extract(zipped(members), filename="a.zip", declared_type=None)


class TestMail:
    def test_of_html_only_is_read_as_the_page_it_is(self):
        found = mail("Content-Type: text/html\n\n<h1>One</h1><p>words<script>out</script>")

        assert found.text.endswith("One\n\nwords")
        assert [heading.text for heading in found.headings] == ["One"]

    def test_without_a_plain_alternative_gives_the_page(self):
        body = "--x\nContent-Type: text/plain\n\n \n--x\nContent-Type: text/html\n\n<p>words\n--x--"

        found = mail(f"Content-Type: multipart/alternative; boundary=x\n\n{body}")

        assert found.text.endswith("never\n\nwords")

    @pytest.mark.parametrize(
        ("subject", "expected"),
        [
            ("=?utf-8?q?caf=C3=A9?= =?utf-8?q?_noir?=", "café noir"),
            ("=?windows-1256?b?xdHWxw==?=", "إرضا"),
            ("=?nonsense?q?words?=", "words"),
            ("folded\n words", "folded words"),
            ("caf\xe9", "café"),
        ],
    )
    def test_headers_are_decoded(self, subject, expected):
        assert mail("\nwords", more=f"Subject: {subject}\n").title == expected

    def test_with_a_date_that_is_none_has_none(self):
        assert mail("\nwords").created is None

    def test_behind_the_line_of_a_mailbox_is_a_mail(self):
        data = b"From a@b.c Tue Jun  3 10:00:00 2025\nFrom: a@b.c\nTo: d@e.f\nSubject: x\n\nwords"

        assert extract(data, filename=None, declared_type=None).doc_type == "eml"


class TestArchive:
    def test_with_one_part_that_can_be_read_names_the_others(self):
        found = archive({"a.png": PICTURE, "b.txt": "words"})

        assert found.text == "a.png\n\nb.txt\n\nwords"
        assert [heading.text for heading in found.headings] == ["a.png", "b.txt"]

    def test_without_any_fails_for_the_reason_of_the_first(self):
        with pytest.raises(UnsupportedType, match="PNG"):
            archive({"a.png": PICTURE, "b.txt": ""})

    def test_of_rubbish_only_holds_nothing(self):
        with pytest.raises(NoTextFound):
            archive({"__MACOSX/a": "words", "b/.DS_Store": "words"})

    def test_has_no_pages_of_its_parts(self):
        from tests.ingestion.corpus import paged
        from tests.ingestion.corpus.words import ENGLISH

        assert archive({"a.pdf": paged.pdf(ENGLISH).data}).pages == ()
