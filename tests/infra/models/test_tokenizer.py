import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carrel.infra.models.tokenizer import BLOCK, Tokenizer, _blocks

any_text = st.text(st.characters(codec=None), max_size=80)
latin = ["hello", "embeddings", "naïve", "e\u0301tude"]
others = ["مرحبا", "الإِيجَار", "👩\u200d👩\u200d👧", "😀", "日本", "한국어", "שלום", "𝐛𝐨𝐥𝐝"]
word = st.sampled_from(latin + others)
space = st.sampled_from([" ", "\n", "\t", "  ", "\r\n", "\u00a0", " \n\n "])


@pytest.fixture(scope="module")
def tokenizer(minilm) -> Tokenizer:
    found = minilm.tokenizer
    assert isinstance(found, Tokenizer)
    return found


class TestStarts:
    @settings(deadline=None)
    @given(pieces=st.lists(st.tuples(space, word), min_size=1, max_size=20))
    def test_count_code_points(self, tokenizer, pieces):
        text, words = "", []
        for gap, piece in pieces:
            text += gap
            words.append(len(text))
            text += piece

        assert set(words) <= set(tokenizer.starts(text))

    @settings(deadline=None)
    @given(text=any_text)
    @example("e\u0301\u0308x")
    @example("\ud800 a \udfff b")
    @example("\x00\ufffd\u200d")
    def test_lie_in_the_text_and_in_order(self, tokenizer, text):
        starts = tokenizer.starts(text)

        assert starts == sorted(starts)
        assert all(0 <= start < len(text) for start in starts)

    @settings(deadline=None)
    @given(text=any_text)
    def test_are_as_many_as_the_model_reads(self, tokenizer, text):
        assert len(tokenizer.ids(text, limit=10_000)) == len(tokenizer.starts(text)) + 2

    def test_are_the_same_in_blocks_as_in_one_piece(self, tokenizer, minilm_folder):
        text = "Straße e\u0301tude 😀👩\u200d👧 مرحبا بالعالم unbelievable\n" * 5000
        raw = tokenizers.Tokenizer.from_file(str(minilm_folder / "tokenizer.json"))
        raw.no_padding()
        raw.no_truncation()

        starts = tokenizer.starts(text)

        assert len(text) > 3 * BLOCK
        assert starts == [start for start, _ in raw.encode(text, add_special_tokens=False).offsets]

    def test_are_exact_in_a_text_without_white_space(self, tokenizer):
        starts = tokenizer.starts("日" * (2 * BLOCK + 10))

        assert starts == list(range(2 * BLOCK + 10))

    def test_of_nothing_are_none(self, tokenizer):
        assert tokenizer.starts("") == []
        assert tokenizer.starts(" \n ") == []


@given(st.text("ab \n\t", max_size=200), st.integers(1, 20))
def test_blocks_cover_the_text_and_cut_no_word_that_fits(text, size):
    blocks = list(_blocks(text, size))

    assert "".join(text[start:end] for start, end in blocks) == text
    assert all(0 < end - start <= size for start, end in blocks)
    for start, end in blocks:
        cut_inside_a_word = end < len(text) and not text[end - 1].isspace() and not text[end].isspace()
        assert not cut_inside_a_word or not any(letter.isspace() for letter in text[start + 1 : end])


class TestIds:
    def test_keep_the_special_tokens_when_cut(self, tokenizer):
        short, long = tokenizer.ids("one two", limit=4), tokenizer.ids("one two three four", limit=4)

        assert short == long
        assert (short[0], short[-1]) == (101, 102)

    def test_take_control_tokens_in_a_text_for_text(self, tokenizer):
        ids = tokenizer.ids("a [SEP] b [MASK] [CLS]", limit=100)

        assert [number for number in ids if number in {101, 102, 103}] == [101, 102]

    def test_are_never_empty(self):
        bare = Tokenizer(tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, "a")))

        assert bare.ids("", limit=8) == [0]


def test_a_vocabulary_of_bytes_is_read_as_letters():
    alphabet = [chr(code) for code in range(0x0621, 0x064B) if chr(code).isalpha()]
    corpus = [first + second + third for first in alphabet for second in alphabet for third in alphabet[:4]]
    raw = tokenizers.Tokenizer(tokenizers.models.BPE())
    raw.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=2500, show_progress=False)
    raw.train_from_iterator(corpus, trainer)

    tokenizer = Tokenizer(raw)

    assert tokenizer.knows("مرحبا")
    assert not tokenizer.knows("hello")
