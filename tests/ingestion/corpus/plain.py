"""Text in all its forms: the files that hold nothing but characters."""

import json

from tests.ingestion.corpus.case import Case
from tests.ingestion.corpus.words import Words, lines


def text(words: Words) -> Case:
    said = f"{words.title}\r\n\r\n{words.opening}\r\n{words.middle} 👩‍👩‍👧‍👦 e\u0301\r\n"
    return Case("rules.txt", b"\xef\xbb\xbf" + said.encode(), said, "text", words.language)


def old_text(words: Words) -> Case:
    said = f"{words.title}\n\n{words.opening}\n{words.middle}\n{words.closing}\n"
    return Case("old.txt", said.encode(words.encoding), said, "text", words.language)


def wide_text(words: Words) -> Case:
    said = f"{words.title}\n\n{words.opening}\n{words.middle}\n"
    return Case("wide.txt", said.encode("utf-16"), said, "text", words.language)


def markdown(words: Words) -> Case:
    rows = lines(words.rows, " | ")
    said = (
        f"# {words.title}\n\n{words.opening}\n\n## {words.second} ##\n\n- {words.items[0]}\n- {words.items[1]}\n\n"
        f"```\n# no heading\n```\n\n{rows}\n"
    )
    headings = ((1, f"# {words.title}"), (2, f"## {words.second}"))
    return Case("rules.md", said.encode(), said, "markdown", words.language, words.title, headings)


def code(words: Words) -> Case:
    said = f'"""{words.opening}"""\n\n\ndef rules() -> str:\n    # {words.middle}\n    return "{words.title}"\n'
    return Case("rules.py", said.encode(), said, "code", words.language)


def table(words: Words) -> Case:
    """Commas and line ends inside of cells, and semicolons between them."""
    head, *rows = words.rows
    said = ";".join(head) + "\r\n" + "".join(";".join((f'"{a}; {words.opening}"', b, c)) + "\r\n" for a, b, c in rows)
    said += f'"{words.items[0]}\r\n{words.items[1]}";"""{words.title}""";\r\n'
    expected = "\t".join(head) + "\n" + "".join(f"{a}; {words.opening}\t{b}\t{c}\n" for a, b, c in rows)
    expected += f'{words.items[0]} {words.items[1]}\t"{words.title}"'
    return Case("rules.csv", said.encode(), expected, "csv", words.language)


def tabs(words: Words) -> Case:
    rows = (*words.rows, (words.opening, words.middle, ""))
    return Case("rules.tsv", f"{lines(rows)}\n".encode(), lines(rows).rstrip("\t"), "csv", words.language)


def escaped(words: Words) -> Case:
    """As programs write it that trust nothing but ASCII."""
    said = {
        "title": words.title,
        "quoted": f'"{words.first}"\n',
        "paragraphs": [words.opening, words.middle],
        "n": 1.50,
    }
    written = json.dumps(said, ensure_ascii=False, indent=2)
    return Case("rules.json", json.dumps(said, indent=2).encode(), written, "json", words.language)


def one_line(words: Words) -> Case:
    """A large document on one line gets line ends, and keeps every value as it was written."""
    records = 20
    said = ",".join(f'{{"n":{n}.10,"said":["{words.opening}"]}}' for n in range(records))
    expected = ",\n ".join(f'{{\n  "n": {n}.10,\n  "said": [\n   "{words.opening}"\n  ]\n }}' for n in range(records))
    return Case("long.json", f"[{said}]".encode(), f"[\n {expected}\n]", "json", words.language)


def records(words: Words) -> Case:
    said = "".join(json.dumps({"said": one}, ensure_ascii=False) + "\n" for one in (words.opening, words.middle))
    return Case("rules.ndjson", said.encode(), said, "json", words.language)


def xml(words: Words) -> Case:
    rows = "".join(f"<row><kind>{a}</kind><weeks>{b}</weeks></row>" for a, b, _ in words.rows)
    before, comma, after = words.middle.partition(", ")
    said = (
        f'<?xml version="1.0" encoding="{words.encoding}"?>\n<!-- left out --><rules xmlns="urn:x">\n'
        f"<title>{words.title}</title>\n<p>{words.opening}</p><p>{before}{comma}<b>{after}</b> ({words.note})</p>"
        f"<list>{rows}</list><end><![CDATA[{words.closing} & <more>]]></end></rules>"
    )
    expected = (
        f"{words.title}\n{words.opening}\n{words.middle} ({words.note})\n"
        + "\n\n".join(f"{a}\n{b}" for a, b, _ in words.rows)
        + f"\n\n{words.closing} & <more>"
    )
    return Case("rules.xml", said.encode(words.encoding), expected, "xml", words.language, words.title)


def rich_text(words: Words) -> Case:
    """Characters by number, as Word writes them, and by code page, as older programs do."""
    row = "".join(f"{_by_number(cell)}\\cell " for cell in words.rows[0])
    page = words.encoding.removeprefix("cp")
    said = (
        f"{{\\rtf1\\ansi\\ansicpg{page}\\uc1{{\\fonttbl{{\\f0\\fcharset0 Arial;}}{{\\f1\\fcharset178 Arial;}}}}"
        f"{{\\colortbl;\\red0;}}"
        f"{{\\info{{\\title {_by_number(words.title)}}}{{\\author {_by_number(words.author)}}}}}\n"
        f"{{\\header left out\\par}}\\pard\\outlinelevel0 {_by_number(words.first)}\\par\n"
        f"\\pard\\plain {{\\b {_by_number(words.opening)}}}\\par\n"
        f"{{\\pict 0102}}{{\\*\\bkmkstart x}}"
        f"\\f{int(words.language == 'ar')} {_by_page(words.middle, words.encoding)}\\par "
        f"\\trowd\\pard\\intbl {row}\\row \\pard A\\tab B\\line \\emdash\\'2d\\{{\\}}\\u-10179?\\u-8704?\\par}}"
    )
    first = "\t".join(words.rows[0])
    text = f"{words.first}\n\n{words.opening}\n\n{words.middle}\n\n{first}\n\nA\tB\n—-{{}}😀"
    return Case(
        "rules.rtf",
        said.encode("ascii"),
        text,
        "rtf",
        words.language,
        words.title,
        ((1, words.first),),
        author=words.author,
    )


def _by_number(said: str) -> str:
    return "".join(one if one.isascii() else f"\\u{ord(one)}?" for one in said)


def _by_page(said: str, page: str) -> str:
    return "".join(one if one.isascii() else "".join(f"\\'{byte:02x}" for byte in one.encode(page)) for one in said)
