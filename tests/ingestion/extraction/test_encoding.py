import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.text import canonical
from carrel.ingestion.extraction.encoding import decode
from carrel.ingestion.extraction.errors import NotText

GERMAN = "Die Prüfung der Verträge läuft über das Büro in München, größere Änderungen werden schriftlich erklärt."
FRENCH = "Le café est fermé à cause de l'été, et le propriétaire a été prévenu."
SPANISH = "El niño comió mañana por la tarde en la habitación."
ARABIC = "تلتزم الشركة بدفع الإيجار في أول كل شهر، ويجوز للمؤجر إنهاء العقد عند التأخر عن السداد."
RUSSIAN = "Договор аренды заключён между сторонами на срок двенадцать месяцев."
JAPANESE = "賃貸借契約は両当事者の間で十二か月の期間で締結され、合意により延長することができます。"
CHINESE = "租赁合同由双方签订，期限为十二个月，经双方同意可以延长。"
KOREAN = "임대차 계약은 당사자 사이에 열두 달 동안 체결되며 합의로 연장될 수 있습니다."


@settings(deadline=None)
@given(st.text())
def test_utf_8_is_read_as_it_was_written(text):
    visible = "words " + text.replace("\x00", "")

    assert decode(visible.encode("utf-8", "replace")).text == canonical(visible.encode("utf-8", "replace").decode())


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), min_size=1), st.sampled_from(["16", "32"])
)
def test_a_byte_order_mark_decides(text, width):
    found = decode(text.encode(f"utf-{width}"))

    assert found.text == canonical(text)
    assert found.encoding == f"utf-{width}"


@settings(deadline=None)
@given(st.binary(max_size=500), st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["utf-16", "zip", "idna"])))
def test_any_bytes_are_text_or_not_text(data, declared):
    try:
        found = decode(data, declared)
    except NotText:
        return
    assert found.text == canonical(found.text)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((text, "cp1252") for text in (GERMAN, FRENCH, SPANISH, "naïve café", "It’s a “quoted” line – with dashes…")),
        *((text, "cp1256") for text in (ARABIC, "مرحبا بالعالم", "العقد Lease رقم 12")),
        *((text, "cp1251") for text in (RUSSIAN, "Привет, мир")),
        *((text, "shift_jis") for text in (JAPANESE, "こんにちは世界")),
        *((text, "gb18030") for text in (CHINESE, "你好，世界")),
        *((text, "euc_kr") for text in (KOREAN, "안녕하세요 세계")),
        *((text, encoding) for text in (GERMAN, ARABIC, "hello there") for encoding in ("utf-16-le", "utf-16-be")),
    ],
)
def test_a_text_without_any_mark_is_recognised(text, encoding):
    found = decode(text.encode(encoding))

    assert found.text == text


@pytest.mark.parametrize("text", [GERMAN, ARABIC, JAPANESE, CHINESE, KOREAN])
def test_a_long_text_is_recognised_by_its_beginning(text):
    encoding = {GERMAN: "cp1252", ARABIC: "cp1256", JAPANESE: "shift_jis", CHINESE: "gb18030", KOREAN: "euc_kr"}[text]

    found = decode((text + "\n").encode(encoding) * 3_000)

    assert found.encoding == encoding
    assert found.text == (text + "\n") * 3_000


def test_the_declared_encoding_beats_a_guess_but_not_the_evidence():
    assert decode("Žluťoučký kůň".encode("cp1250"), "windows-1250").text == "Žluťoučký kůň"
    assert decode("Žluťoučký kůň".encode(), "windows-1250").text == "Žluťoučký kůň"
    assert decode(b"caf\xe9", "ISO-8859-1").text == "café"


@pytest.mark.parametrize("declared", ["zip", "idna", "unicode_escape", "no-such", "a\x00b", "", "utf-7"])
def test_what_is_no_character_set_of_documents_is_not_believed(declared):
    assert decode(b"caf\xe9 \\u0041 +AGE-", declared).text == "café \\u0041 +AGE-"


def test_one_broken_character_does_not_spoil_a_text():
    data = (ARABIC * 3).encode()[:-1]

    found = decode(data)

    assert found.encoding == "utf-8"
    assert found.text.startswith(ARABIC)


def test_a_mark_survives_a_lost_last_byte():
    assert decode(("hello there" * 10).encode("utf-16")[:-1]).text.startswith("hello there")


def test_a_few_zero_bytes_are_replaced_one_for_one():
    assert decode(b"a\x00b" + b" and so on" * 10).text == "a\ufffdb" + " and so on" * 10


@pytest.mark.parametrize("size", [300, 5_000, 300_000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_random_bytes_are_not_text(size, mark):
    chance = random.Random(size)

    for _ in range(20):
        with pytest.raises(NotText, match="not text"):
            decode(mark + chance.randbytes(size))


def test_a_desert_of_zero_bytes_is_not_text():
    with pytest.raises(NotText):
        decode(bytes(1_000) + b"some words" + bytes(1_000))
