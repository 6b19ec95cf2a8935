"""From text to the terms that are indexed and searched. Pure, except that what was learnt about a word is kept.

Documents and queries must go through the same analysis, so anything that changes a term here (a stop word, a rule, the
release of the stemmers) changes `ANALYSER`, and an index names the analyser it was built with.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from itertools import pairwise

import snowballstemmer

from carrel.index import arabic
from carrel.index.stopwords import STOP_WORDS

ANALYSER = f"carrel-1 snowball-{version('snowballstemmer')}"

STEMMERS = {
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""The Snowball algorithm of each language; Arabic has its own stemmer, all others are only casefolded."""

_SYNONYMS = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "ji": "yi"}
_DOTLESS = frozenset({"az", "tr"})
_ELIDING = frozenset({"ca", "fr", "ga", "it"})
_OWN_ARABIC_SCRIPT = frozenset({"", "ckb", "fa", "ps", "sd", "ug", "ur"})
# Latin words in text of these languages are mostly English: product names, units, terms of a trade.
_WITHOUT_LATIN = frozenset({
    *("am", "ar", "be", "bg", "bn", "ckb", "el", "fa", "he", "hi", "hy", "ja", "ka", "km", "ko", "lo", "mk", "mr"),
    *("my", "ne", "ps", "ru", "sd", "ta", "te", "th", "ug", "uk", "ur", "yi", "zh"),
})  # fmt: skip

_ACUTE_AND_KIN = frozenset(map(chr, range(0x300, 0x370)))
# In these languages a mark on a letter is a matter of spelling that people leave out when they search. Elsewhere (in
# Nordic, Slavic, Baltic languages, in Turkish) the marked letter is another letter, as is the Spanish ñ; German is
# folded by its stemmer.
_FOLDED = {
    "ca": _ACUTE_AND_KIN,
    "en": _ACUTE_AND_KIN,
    "es": _ACUTE_AND_KIN - {"\u0303"},
    "fr": _ACUTE_AND_KIN,
    "it": _ACUTE_AND_KIN,
    "nl": _ACUTE_AND_KIN,
    "pt": _ACUTE_AND_KIN,
}

# Invisible characters and optional marks: soft hyphen, joiners, directions, Hebrew points, Arabic vowels and tatweel.
_UNWRITTEN = re.compile(
    "[\u00ad\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u06df-\u06e8\u06ea-\u06ed\u200c-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]"
)
# Compatibility normalisation would glue these to the word before them ("Carrel™" -> "carreltm").
_SIGNS = re.compile("[™℠©®]")
_APOSTROPHES = re.compile("[\u2018\u2019\u201b\u02bc\u02b9\u05f3\uff07]")
_FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")

# \w knows letters and digits but not the vowel signs that most scripts of South Asia write as marks.
_MARKS = "".join(chr(code) for code in range(0x300, 0x2000) if unicodedata.category(chr(code)).startswith("M"))
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*(?:\+\+|#)?")
_WORD = re.compile(rf"[\w{_MARKS}]+(?:'[\w{_MARKS}]+)*(?:\+\+|#)?")
_LONGEST_WORD = 40
# Scripts written without spaces, and Korean, whose words carry their particles: Thai, Lao, Burmese, Khmer, kana,
# Hangul, Han.
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_UNSPACED = f"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af{_HAN}"
_RUN = re.compile(f"([{_UNSPACED}]+)|[^{_UNSPACED}]+")
_HAN_CHARACTER = re.compile(f"[{_HAN}]")


def analyse(text: str, language: str) -> list[str]:
    """The terms of a text in the order of its words, repetitions kept; stop words give none.

    `language` is an ISO 639-1 code, with or without a region. Of a language without a stemmer the words are casefolded
    and no more. The same text gives the same terms however its accents and ligatures are encoded.
    """
    code = _code(language)
    vocabulary = _vocabulary(code)
    return [term for word in _words(text, code) for term in vocabulary[word]]


@lru_cache(maxsize=65_536)
def term_id(term: str) -> int:
    """The number under which a term is stored: 32 bits of its BLAKE2b digest, signed as PostgreSQL's `int4`.

    Two terms share a number with a chance of one in four thousand million, and then count as one word.
    """
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass")).digest()[:4], "little", signed=True)


def _code(language: str) -> str:
    code = re.split("[-_]", language.casefold(), maxsplit=1)[0]
    code = _SYNONYMS.get(code, code)
    return code if code in STEMMERS or code in _WITHOUT_LATIN or code in _DOTLESS else ""


def _words(text: str, language: str) -> list[str]:
    if text.isascii() and language not in _DOTLESS:
        return _ASCII_WORD.findall(text.lower())
    text = unicodedata.normalize("NFKC", _SIGNS.sub(" ", text))
    if language in _DOTLESS:
        text = text.replace("I", "ı").replace("İ", "i")
    text = _UNWRITTEN.sub("", unicodedata.normalize("NFKC", text.casefold()))
    text = _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), _APOSTROPHES.sub("'", text))
    # With one character class, findall takes two thirds of the time of an alternation that leaves the underscore out.
    return _WORD.findall(text.replace("_", " "))


class _Vocabulary(dict[str, tuple[str, ...]]):
    """The terms of the words met so far in one language: a stem costs about 40 us, a second look next to nothing.

    Full, it starts again from nothing; the words of everyday are back within a few pages.
    """

    LIMIT = 65_536

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language = language

    def __missing__(self, word: str) -> tuple[str, ...]:
        terms = tuple(_terms(word, self.language))
        if len(word) <= _LONGEST_WORD:
            if len(self) >= self.LIMIT:
                self.clear()
            self[word] = terms
        return terms


_vocabulary = lru_cache(maxsize=None)(_Vocabulary)


def _terms(word: str, language: str) -> Iterator[str]:
    name = word.rstrip("+#")
    if name != word and len(name) == 1:
        yield word
        return
    for run in _RUN.finditer(name):
        if run[1]:
            yield from _bigrams(run[1])
        else:
            yield from _spaced(run[0], _language_of(run[0], language))


def _bigrams(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
        return
    yield from map("".join, pairwise(run))
    # A single Han character is a word often enough to be searched for alone, which bigrams would never find.
    yield from _HAN_CHARACTER.findall(run)


def _language_of(word: str, language: str) -> str:
    if "\u0600" <= word[0] <= "\u06ff":
        return language if language in _OWN_ARABIC_SCRIPT else "ar"
    if language in _WITHOUT_LATIN and word[0] < "\u0250":
        return "en"
    return language


def _spaced(word: str, language: str) -> Iterator[str]:
    stop_words = STOP_WORDS.get(language, frozenset())
    for part in word.split("'") if language in _ELIDING else [word]:
        plain = _plain(part, language)
        term = "" if plain in stop_words else _stem(plain, language)
        if term:
            yield term


def _plain(word: str, language: str) -> str:
    if language == "ar":
        return arabic.normalise(word)
    # English has no marks of its own, so its stemmer must see "resumes" where others must see the accent.
    return _fold(word, language) if language == "en" else word


def _stem(word: str, language: str) -> str:
    if language == "ar":
        return arabic.stem(word)
    word = word.removesuffix("'s").replace("'", "")
    algorithm = STEMMERS.get(language)
    if algorithm and len(word) <= _LONGEST_WORD:
        # A stemmer holds the word it works on: one for all threads would mix them, and a new one costs 2 us.
        word = snowballstemmer.stemmer(algorithm).stemWord(word)
    return _fold(word, language)


def _fold(word: str, language: str) -> str:
    marks = _FOLDED.get(language)
    if marks is None or word.isascii():
        return word
    bare = "".join(letter for letter in unicodedata.normalize("NFD", word) if letter not in marks)
    return unicodedata.normalize("NFC", bare)
