import timeit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.core.language import detect, plausible, script

LANGUAGES = [
    ("en", "What is the notice period for a lease?"),
    ("en", "termination of contracts"),
    ("en", "Run `pip install` in a shell and open the dashboard."),
    ("fr", "Quel est le délai de préavis ?"),
    ("fr", "Les parties conviennent d'un loyer mensuel."),
    ("de", "Wie lang ist die Kündigungsfrist?"),
    ("de", "größe"),
    ("es", "¿Cuál es el plazo de preaviso?"),
    ("es", "La casa está en la ciudad"),
    ("it", "Qual è il termine di preavviso?"),
    ("it", "La casa è nella città di Roma"),
    ("pt", "Não há informações sobre a casa"),
    ("nl", "Wat is de opzegtermijn?"),
    ("ar", "ما هي مدة الإخطار في عقد الإيجار؟"),
    ("ar", "عقد"),
    ("fa", "این یک متن فارسی است که برای آزمایش نوشته شده"),
    ("ur", "کرایہ کا معاہدہ کیسے ختم ہوتا ہے؟"),
    ("ru", "Какой срок уведомления?"),
    ("uk", "Договір оренди укладено між сторонами, її термін"),
    ("bg", "Договорът за наем е сключен между страните"),
    ("sr", "Уговор о закупу је закључен између страна"),
    ("be", "Дамова аб арэндзе заключана паміж бакамі, тэрмін яе ўказаны"),
    ("el", "Η σύμβαση μίσθωσης"),
    ("he", "חוזה השכירות"),
    ("ja", "賃貸借契約は延長することができます。"),
    ("zh", "租赁合同由双方签订，期限为十二个月。"),
    ("ko", "임대차 계약은 연장될 수 있습니다."),
    ("th", "สัญญาเช่าบ้าน"),
    ("hi", "किराया अनुबंध की अवधि"),
]
OTHERS = [
    "",
    "123 --- 456 !",
    "👩‍👩‍👧‍👦",
    "Umowa najmu została zawarta na czas określony między stronami i nie może być wypowiedziana",
    "Kira sözleşmesi taraflar arasında bir yıl süreyle imzalanmıştır ve yenilenebilir",
    "Hyresavtalet har ingåtts mellan parterna och kan sägas upp när som helst",
    "Perjanjian sewa ini dibuat antara para pihak untuk jangka waktu satu tahun",
    "Hợp đồng thuê nhà được ký kết giữa hai bên trong thời hạn một năm",
    "ქირავნობის ხელშეკრულება",
]


@pytest.mark.parametrize(("code", "text"), LANGUAGES)
def test_a_sentence_is_known_by_its_letters_and_words(code, text):
    assert detect(text) == code


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_not_known_is_not_guessed(text):
    assert detect(text) == "und"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latin", "plain words"),
        ("latin", "Größe"),
        ("arabic", "عقد API الإيجار"),
        ("cyrillic", "договор"),
        ("han", "租赁合同"),
        ("kana", "こんにちは"),
        ("hangul", "안녕"),
        ("devanagari", "किराया"),
        ("other", "ქირავნობის"),
        ("common", "12 + 3"),
        ("common", ""),
    ],
)
def test_the_script_is_that_of_most_letters(name, text):
    assert script(text) == name


def test_a_claimed_language_must_be_written_in_its_script():
    assert plausible("en", "plain words")
    assert plausible("ar", "عقد الإيجار")
    assert plausible("sr", "Ugovor o zakupu")
    assert not plausible("en", "عقد الإيجار")
    assert not plausible("ar", "plain words")


@settings(deadline=None)
@given(st.text())
def test_any_text_has_an_answer_of_two_letters_or_none(text):
    assert detect(text) == "und" or len(detect(text)) == 2
    assert script(text)


def test_the_end_of_a_long_text_costs_nothing():
    text = "Какой срок уведомления и кто его устанавливает? " * 3

    short = min(timeit.repeat(lambda: detect(text), number=100, repeat=5)) / 100
    long = min(timeit.repeat(lambda: detect(text * 10_000), number=1, repeat=5))

    assert short < 0.001  # about 10 microseconds on an idle machine
    assert long < 0.05
