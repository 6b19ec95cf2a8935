import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carrel.index import analysis, arabic
from carrel.index.analysis import ANALYSER, STEMMERS, analyse, term_id
from carrel.index.stopwords import STOP_WORDS

texts = st.text(max_size=120)
languages = st.sampled_from(["", "en", "fr", "de", "es", "ar", "tr", "ru", "ja", "hi", "fa", "uk"])


class TestAnyLanguage:
    @settings(deadline=None)
    @given(texts, languages)
    @example("ẛ̣ ﬁ Å é ẞ", "en")
    def test_the_same_text_gives_the_same_terms_however_it_is_encoded(self, text, language):
        composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))

        assert analyse(composed, language) == analyse(decomposed, language)

    @settings(deadline=None)
    @given(texts, languages)
    def test_terms_are_never_empty_and_hold_no_space(self, text, language):
        for term in analyse(text, language):
            assert term
            assert not any(letter.isspace() for letter in term)

    @settings(deadline=None)
    @given(texts, texts, languages)
    def test_paragraphs_are_analysed_one_after_the_other(self, first, second, language):
        assert analyse(f"{first}\n\n{second}", language) == analyse(first, language) + analyse(second, language)

    @settings(deadline=None)
    @given(st.text(st.characters(max_codepoint=127), max_size=120), languages)
    def test_plain_ascii_is_not_treated_differently_for_being_fast(self, text, language):
        assert analyse(f"{text} √", language) == analyse(text, language)

    def test_punctuation_and_nothing_give_no_terms(self):
        assert analyse("", "en") == []
        assert analyse(" ... -- ( ) + # _ ' 😀 ", "en") == []

    def test_repeated_words_are_kept_in_their_order(self):
        assert analyse("Lease, rent, LEASE", "en") == ["leas", "rent", "leas"]

    @pytest.mark.parametrize("code", ["en", "EN", "en-GB", "en_US"])
    def test_a_region_does_not_change_the_language(self, code):
        assert analyse("the leases", code) == ["leas"]

    @pytest.mark.parametrize("code", ["", "und", "xx", "simple"])
    def test_an_unknown_language_is_casefolded_and_no_more(self, code):
        assert analyse("The Leases café", code) == ["the", "leases", "café"]

    def test_a_very_long_word_is_one_term_and_not_stemmed(self):
        word = "abc" * 70_000

        assert analyse(f"{word} and {word}", "en") == [word, word]


class TestLetters:
    def test_ligatures_and_full_width_letters_are_plain_ones(self):
        assert analyse("ﬁne Ｆｕｌｌ H₂O", "") == ["fine", "full", "h2o"]

    def test_a_trademark_sign_does_not_grow_into_the_word(self):
        assert analyse("Carrel™ Carrel®", "") == ["carrel", "carrel"]

    def test_soft_hyphens_and_invisible_joiners_do_not_divide_a_word(self):
        assert analyse("in\u00adfor\u200dma\ufefftion", "") == ["information"]

    def test_all_decimal_digits_become_ascii_digits(self):
        assert analyse("١٢٣ ۴۵۶ ७८९ １０", "ar") == ["123", "456", "789", "10"]

    def test_words_are_divided_at_underscores_and_hyphens(self):
        assert analyse("read_file two-dimensional", "") == ["read", "file", "two", "dimensional"]

    def test_names_of_programming_languages_are_kept_whole(self):
        assert analyse("C++ and C#, in F#; count++ issue#12", "en") == ["c++", "c#", "f#", "count", "issu", "12"]

    def test_vowel_signs_do_not_divide_words_of_south_asia(self):
        assert analyse("हिन्दी भाषा", "") == ["हिन्दी", "भाषा"]


class TestApostrophes:
    @pytest.mark.parametrize("apostrophe", ["'", "\u2019", "\u02bc", "\uff07"])
    def test_an_english_genitive_is_the_word_itself(self, apostrophe):
        assert analyse(f"the panther{apostrophe}s tail", "en") == analyse("panther tail", "en")

    def test_contractions_are_stop_words(self):
        assert analyse("don't isn’t they're", "en") == []

    def test_a_name_is_found_with_and_without_its_apostrophe(self):
        assert analyse("O'Neil", "en") == analyse("ONeil", "en")

    def test_quotation_marks_do_not_belong_to_a_word(self):
        assert analyse("'lease'", "en") == ["leas"]

    def test_elided_articles_are_dropped_in_french_and_italian(self):
        assert analyse("l'avion d’été", "fr") == analyse("avion été", "fr")
        assert analyse("dell'acqua", "it") == analyse("acqua", "it")

    def test_a_letter_written_as_an_apostrophe_does_not_divide_a_word(self):
        assert analyse("п'ять", "uk") == ["пять"]


class TestMarksOnLetters:
    def test_are_dropped_where_people_leave_them_out(self):
        assert analyse("résumés", "en") == analyse("resumes", "en")
        assert analyse("canción", "es") == analyse("cancion", "es")
        assert analyse("ação", "pt") == analyse("açao", "pt")

    def test_are_kept_where_they_make_another_letter(self):
        assert analyse("año", "es") != analyse("ano", "es")
        assert analyse("får", "sv") != analyse("far", "sv")

    def test_a_mark_alone_is_no_term(self):
        assert analyse("\u0301", "en") == []

    def test_german_sharp_s_and_umlauts_match_their_other_spellings(self):
        assert analyse("STRASSE Häuser", "de") == analyse("Straße haeuser", "de")

    def test_turkish_i_with_and_without_a_dot_are_two_letters(self):
        assert analyse("ISPARTA İZMİR", "tr") == analyse("ısparta izmir", "tr")


class TestStopWordsAndStems:
    @pytest.mark.parametrize("language", sorted(STOP_WORDS))
    def test_no_stop_word_of_a_language_gives_a_term(self, language):
        assert analyse(" ".join(STOP_WORDS[language]), language) == []

    @pytest.mark.parametrize(
        ("language", "one", "other"),
        [
            ("en", "connection", "connected"),
            ("fr", "continuation", "continuer"),
            ("de", "Verträge", "Vertrag"),
            ("es", "canciones", "canción"),
            ("it", "abbandonata", "abbandonato"),
            ("pt", "quilométricas", "quilométricos"),
            ("nl", "lichamen", "lichaam"),
            ("ru", "договора", "договору"),
        ],
    )
    def test_forms_of_a_word_share_a_term(self, language, one, other):
        assert analyse(one, language) == analyse(other, language)

    def test_every_stemmer_that_is_named_exists(self):
        assert set(STEMMERS.values()) <= set(snowballstemmer.algorithms())

    def test_latin_words_in_other_scripts_are_taken_for_english(self):
        assert analyse("the routers", "ar") == analyse("the routers", "ja") == ["router"]


class TestArabic:
    @pytest.mark.parametrize(
        "written", ["مدرسة", "مدرسه", "مَدْرَسَة", "مـدرســة", "المدرسة", "والمدرسة", "بالمدرسة", "للمدرسة"]
    )
    def test_spellings_and_particles_share_a_term(self, written):
        assert analyse(written, "ar") == analyse("مدرسه", "ar") == ["مدرس"]

    @pytest.mark.parametrize(
        ("one", "other"), [("أحمد", "احمد"), ("إسلام", "اسلام"), ("مستشفى", "مستشفي"), ("کتاب", "كتاب")]
    )
    def test_letters_that_are_written_for_one_another_are_one(self, one, other):
        assert analyse(one, "ar") == analyse(other, "ar")

    def test_presentation_forms_are_plain_letters(self):
        assert analyse("ﻛﺘﺎﺏ", "ar") == analyse("كتاب", "ar")

    def test_stop_words_are_dropped_however_they_are_spelt(self):
        assert analyse("إلى الى على علي أيضاً", "ar") == []

    def test_arabic_words_in_an_english_text_are_stemmed_as_arabic(self):
        assert analyse("the المدارس", "en") == analyse("المدارس", "ar")

    def test_persian_and_urdu_are_left_to_their_own_rules(self):
        assert analyse("والا", "ur") == ["والا"]
        assert analyse("والا", "fa") == snowballstemmer.stemmer("persian").stemWords(["والا"])

    @settings(deadline=None)
    @given(st.text("ابتثجحخدذرزسشصضطظعغفقكلمنهويةىأإآؤئء", min_size=1, max_size=12))
    def test_a_stem_is_a_part_of_its_word_and_keeps_three_letters(self, word):
        stem = arabic.stem(arabic.normalise(word))

        assert stem in arabic.normalise(word)
        assert len(stem) >= min(len(word), 3)


class TestScriptsWithoutSpaces:
    def test_words_are_pairs_of_characters_and_single_han_characters(self):
        assert analyse("日本語", "ja") == ["日本", "本語", "日", "本", "語"]
        assert analyse("テスト", "ja") == ["テス", "スト"]
        assert analyse("한국어", "ko") == ["한국", "국어"]

    def test_one_character_is_found_in_a_longer_text(self):
        assert set(analyse("猫", "ja")) <= set(analyse("黒猫が好き", "ja"))

    def test_a_phrase_of_a_text_has_only_terms_of_the_text(self):
        assert set(analyse("北京大学", "zh")) <= set(analyse("他在北京大学学习物理", "zh"))

    def test_latin_words_between_are_words(self):
        assert analyse("私はPythonsが好き", "ja") == ["私は", "私", "python", "が好", "好き", "好"]

    def test_the_rule_goes_by_script_in_whatever_language_the_text_was_said_to_be(self):
        assert analyse("日本語", "en") == analyse("日本語", "ja")


class TestMemory:
    def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(self, monkeypatch):
        monkeypatch.setattr(analysis._Vocabulary, "LIMIT", 10)
        vocabulary = analysis._Vocabulary("en")
        words = [f"leases{number}" for number in range(100)] + ["leases"] * 2

        found = [vocabulary[word] for word in words]

        assert len(vocabulary) <= 10
        assert found[-2:] == [("leas",), ("leas",)]

    def test_long_words_are_not_remembered(self):
        vocabulary = analysis._Vocabulary("en")

        assert vocabulary["a" * 1_000] == ("a" * 1_000,)
        assert not vocabulary

    def test_threads_do_not_mix_their_words(self):
        words = [f"{head}ing{tail}" for head in ("walk", "talk", "jump", "load") for tail in range(500)]
        expected = {word: snowballstemmer.stemmer("english").stemWord(word) for word in words}
        texts = [" ".join(words[start:] + words[:start]) for start in range(0, 2_000, 250)]
        analysis._vocabulary.cache_clear()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda text: analyse(text, "en"), texts))

        assert found == [[expected[word] for word in text.split()] for text in texts]


class TestTermId:
    def test_is_the_same_number_in_every_process_and_release(self):
        assert [term_id(term) for term in ("leas", "مدرس", "")] == [1094362982, 1506978919, -150836616]

    @settings(deadline=None)
    @given(st.text(max_size=20))
    def test_fits_a_signed_column_of_four_bytes(self, term):
        assert -(2**31) <= term_id(term) < 2**31


def test_the_analyser_names_the_release_of_the_stemmers():
    assert ANALYSER.startswith("carrel-1 snowball-3.")
