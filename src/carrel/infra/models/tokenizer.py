"""A model's tokenizer: ids for the model, places for the splitter."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from carrel.infra.models.errors import ModelBroken
from carrel.infra.models.scripts import mostly_in, scripts_of

if TYPE_CHECKING:
    import tokenizers

BLOCK = 65_536
LONE_SURROGATES = re.compile("[\ud800-\udfff]")


class Tokenizer:
    """Cuts texts the way the model's authors did. Safe to use from several threads.

    What looks like a control token in a text ("[SEP]") is plain text: nobody's document steers the model.
    """

    def __init__(self, raw: "tokenizers.Tokenizer") -> None:
        # The file that comes with the default model cuts and pads every text to 128 tokens: a query would cost ten
        # times as much, and passages would lose their second half.
        raw.no_padding()
        raw.no_truncation()
        raw.encode_special_tokens = True
        self._raw = raw
        self._added = raw.num_special_tokens_to_add(is_pair=False)
        self._scripts = scripts_of(_vocabulary(raw))

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Read the tokenizer of a model folder, or raise `ModelBroken`."""
        import tokenizers  # Only a process that embeds or cuts texts pays for it.

        try:
            # The library raises bare Exceptions; the text is read here so that only its own complaint is left.
            raw = tokenizers.Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except Exception as error:
            raise ModelBroken(
                f"The tokenizer.json in {folder} cannot be used ({error}).", hint="Fetch the model's files again."
            ) from error
        return cls(raw)

    def ids(self, text: str, *, limit: int) -> list[int]:
        """The ids that the model reads for a text: at most `limit` with the special ones, cut at the end."""
        encoding = self._raw.encode(_encodable(text), add_special_tokens=False)
        encoding.truncate(limit - self._added)
        # A tokenizer without special tokens makes nothing of an empty text, and a model cannot read nothing.
        return self._raw.post_process(encoding).ids or [0]

    def starts(self, text: str) -> list[int]:
        """Where each token of a text of any length starts, in code points, in order; without special tokens.

        Several tokens can start at one character, because normalisation may take a character apart.
        """
        return [
            start + first
            for start, end in _blocks(text, BLOCK)
            for first, _ in self._raw.encode(_encodable(text[start:end]), add_special_tokens=False).offsets
        ]

    def knows(self, text: str) -> bool:
        """Whether the model knows the script that most letters of a text are in."""
        return mostly_in(self._scripts, text)


def _vocabulary(raw: "tokenizers.Tokenizer") -> Iterator[str]:
    vocabulary = raw.get_vocab(with_added_tokens=False)
    if type(raw.decoder).__name__ == "ByteLevel":
        # Such pieces are written in stand-ins for bytes, all of which look Latin.
        return (raw.decode([number]) for number in vocabulary.values())
    return iter(vocabulary)


def _encodable(text: str) -> str:
    return LONE_SURROGATES.sub("\ufffd", text)


def _blocks(text: str, size: int) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            # Before white space no word is cut in two. A text without any is cut hard.
            spaces = (text.rfind(space, start + 1, end) for space in "\n \t")
            end = max((place for place in spaces if place > 0), default=end)
        yield start, min(end, len(text))
        start = end
