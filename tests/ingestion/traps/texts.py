"""Text, marks and messages that are traps."""

import base64
from collections.abc import Callable

from tests.ingestion.traps.archives import DEEP, LAUGHS, MEGABYTE, OUTSIDE, PARAMETER, REMOTE

_HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: words\r\nMIME-Version: 1.0\r\n"


def mail(rest: bytes) -> bytes:
    return _HEAD + rest


def multipart(body: bytes, boundary: bytes = b"x") -> bytes:
    return mail(b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n%b' % (boundary, body))


def _nested_parts(depth: int) -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\nsome words\r\n"
    for level in range(depth):
        inner = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%b\r\n--b%d--\r\n" % (
            level,
            level,
            inner,
            level,
        )
    return mail(inner)


def _nested_messages(depth: int) -> bytes:
    inner = mail(b"\r\nsome words\r\n")
    for _ in range(depth):
        inner = mail(b"Content-Type: message/rfc822\r\n\r\n" + inner)
    return inner


def _attached(data: bytes, name: str = "a.bin") -> bytes:
    return multipart(
        b"--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=%b\r\n\r\n%b\r\n--x--\r\n"
        % (name.encode(), base64.encodebytes(data))
    )


XML: dict[str, Callable[[], bytes]] = {
    "laughs": lambda: LAUGHS,
    "laughs-wide": lambda: LAUGHS.decode().encode("utf-16"),
    "outside": lambda: OUTSIDE,
    "remote": lambda: REMOTE,
    "parameter": lambda: PARAMETER,
    "quadratic": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "%b">]><a>%b</a>' % (b"x" * 50_000, b"&b;" * 50_000)
    ),
    "deep": lambda: b"<?xml version='1.0'?>" + DEEP,
    "open": lambda: b"<?xml version='1.0'?><a><b>some words",
    "undeclared-entity": lambda: b"<?xml version='1.0'?><a>some &nbsp; words</a>",
    "attributes": lambda: (
        b"<?xml version='1.0'?><a %b>some words</a>" % b" ".join(b"a%d='x'" % n for n in range(100_000))
    ),
    "attribute-of-20-mb": lambda: b"<?xml version='1.0'?><a b='%b'>some words</a>" % (b"x" * 20 * MEGABYTE),
    "text-of-20-mb": lambda: b"<?xml version='1.0'?><a>%b</a>" % (b"some words " * 2 * MEGABYTE),
    "names": lambda: b"<?xml version='1.0'?><r>%b</r>" % b"".join(b"<e%d>w</e%d>" % (n, n) for n in range(200_000)),
    "spaces-of-names": lambda: (
        b"<?xml version='1.0'?><a %b>words</a>" % b" ".join(b"xmlns:a%d='u'" % n for n in range(9_999))
    ),
    "wrong-encoding": lambda: b"<?xml version='1.0' encoding='utf-16'?><a>some words</a>",
    "no-encoding": lambda: b"<?xml version='1.0' encoding='nonsense'?><a>some words</a>",
    "seven-bits": lambda: b"<?xml version='1.0' encoding='utf-7'?><a>+ADw-some words</a>",
    "marks-only": lambda: b"<?xml version='1.0'?><a><b/><c d='e'/></a>",
    "controls": lambda: b"<?xml version='1.0'?><a>some \x01 words</a>",
    "comments": lambda: b"<?xml version='1.0'?><a>" + b"<!-- -->" * 300_000 + b"some words</a>",
    "include": lambda: (
        b"<?xml version='1.0'?><a xmlns:x='http://www.w3.org/2001/XInclude'>words<x:include href='file:///etc/passwd'/></a>"
    ),
}
JSON: dict[str, Callable[[], bytes]] = {
    "deep": lambda: b"[" * 1_000_000 + b"]" * 1_000_000,
    "deep-objects": lambda: b'{"a":' * 300_000 + b"1" + b"}" * 300_000,
    "open-string": lambda: b'["' + b"some words " * 300_000,
    "escapes": lambda: b'["' + b"\\u0041" * 500_000 + b'"]',
    "half-characters": lambda: b'["some words \\ud800 \\udc00 \\ud83d\\ude00"]',
    "backslashes": lambda: b'["words' + b"\\" * 1_000_001,
    "digits": lambda: b"[" + b"9" * 2_000_000 + b"]",
    "commas": lambda: b'["words"' + b"," * 2_000_000,
    "quotes": lambda: b'["words' + b'"' * 1_000_000,
}
CSV: dict[str, Callable[[], bytes]] = {
    "open-quote": lambda: b'a,b\n"some words\n' + b"1,2\n" * 500_000,
    "quotes": lambda: b"words," + b'"' * 3_000_001,
    "columns": lambda: b"words," * 500_000,
    "delimiters": lambda: b"some words\n" + b",;\t|" * 300_000,
    "null-bytes": lambda: b"some,\x00words\n1,2\n",
    "returns": lambda: b'some,"words\r\r\r"\r1,2\r',
}
RTF: dict[str, Callable[[], bytes]] = {
    "braces": lambda: b"{\\rtf1 words" + b"{" * 1_000_000,
    "closing": lambda: b"{\\rtf1 words" + b"}" * 1_000_000,
    "numbers": lambda: b"{\\rtf1\\uc99999999 \\u99999999 words\\u-99999999 more\\par}",
    "half-characters": lambda: b"{\\rtf1 some words \\u55296 ?\\par}",
    "controls": lambda: b"{\\rtf1 words" + b"\\par" * 500_000 + b"}",
    "page-of-nonsense": lambda: b"{\\rtf1\\ansicpg99999 words \\'ff\\par}",
    "cells": lambda: b"{\\rtf1 words\\trowd" + b"\\cell" * 500_000 + b"\\row}",
    "picture": lambda: b"{\\rtf1 words{\\pict " + b"00" * 2 * MEGABYTE + b"}}",
    "binary": lambda: b"{\\rtf1 words\\bin99999999 \x00\x01{}",
    "nothing": lambda: b"{\\rtf1}",
    "magic": lambda: b"{\\rtf",
    "hex": lambda: b"{\\rtf1 words " + b"\\'e9" * 500_000 + b"}",
}
MAIL: dict[str, Callable[[], bytes]] = {
    "headers": lambda: mail(b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\nsome words"),
    "header-of-5-mb": lambda: mail(b"Cc: " + b"a@example.org, " * 350_000 + b"\r\n\r\nsome words"),
    "header-of-encoded-words": lambda: mail(b"Cc: " + b"=?utf-8?q?a=62c?= " * 100_000 + b"\r\n\r\nsome words"),
    "header-of-folds": lambda: mail(b"Cc: a" + b"\r\n b" * 300_000 + b"\r\n\r\nsome words"),
    "header-of-nonsense": lambda: mail(b"Date: =?nonsense?b?////?= \r\nCc: =?utf-8?b?!!!?=\r\n\r\nsome words"),
    "parts": lambda: multipart(b"--x\r\n\r\nword\r\n" * 2_000 + b"--x--"),
    "parts-deep": lambda: _nested_parts(500),
    "parts-deeper": lambda: _nested_parts(5_000),
    "messages-deep": lambda: _nested_messages(3),
    "messages-deeper": lambda: _nested_messages(300),
    "boundary-empty": lambda: multipart(b"--\r\n\r\nsome words\r\n----", b""),
    "boundary-absent": lambda: mail(b"Content-Type: multipart/mixed\r\n\r\nsome words"),
    "boundary-of-spaces": lambda: multipart(b"--" + b" " * 100_000 + b"\r\n\r\nsome words", b" " * 70),
    "open": lambda: multipart(b"--x\r\nContent-Type: text/plain\r\n\r\nsome words"),
    "charset-of-nonsense": lambda: mail(b"Content-Type: text/plain; charset=nonsense\r\n\r\nsome words"),
    "charset-zlib": lambda: mail(b"Content-Type: text/plain; charset=zlib_codec\r\n\r\nsome words"),
    "charset-idna": lambda: mail(b"Content-Type: text/plain; charset=idna\r\n\r\n" + b"some words " * 10_000),
    "base64-of-nonsense": lambda: mail(b"Content-Transfer-Encoding: base64\r\n\r\n!!!===\r\n"),
    "uuencode": lambda: mail(b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 666 a\r\n#zzz\r\nend\r\n"),
    "quoted-printable": lambda: mail(
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nsome words=" + b"=" * 1_000_000
    ),
    "attached-bomb": lambda: _attached(_bomb(), "a.zip"),
    "attached-name": lambda: multipart(
        b"--x\r\nContent-Disposition: attachment; filename*0*=utf-8''%25; filename*99999=b\r\n\r\nsome words\r\n--x--"
    ),
    "attached-name-climbs": lambda: _attached(b"some words", "../../etc/passwd"),
    "attached-program": lambda: _attached(b"MZ" + bytes(100) + b"PE\x00\x00"),
    "page-with-laughs": lambda: mail(b"Content-Type: text/html\r\n\r\n" + LAUGHS.replace(b"<a>", b"<p>")),
}
PLAIN: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: bytes(64 * MEGABYTE),
    "spaces": lambda: b" " * 32 * MEGABYTE,
    "newlines": lambda: b"words" + b"\n" * 5_000_000,
    "one-word": lambda: b"x" * 20 * MEGABYTE,
    "marks": ("words e" + "\u0301" * 1_000_000).encode,
    "joiners": ("words " + "\u200d" * 500_000).encode,
    "directions": ("words " + "\u202e" * 500_000).encode,
    "random": lambda: bytes((n * n * 31 + n // 7) % 256 for n in range(200_000)),
    "wide-half": lambda: b"\xff\xfe" + b"\x00\xd8" * 100_000,
    "picture": lambda: b"\x89PNG\r\n\x1a\n" + bytes(1_000),
    "old-office": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "protected-office": lambda: (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")
    ),
    "gzip": lambda: b"\x1f\x8b\x08" + bytes(100),
    "fences": lambda: b"words\n\n```\n" * 100_000,
    "hashes": lambda: b"words\n" + b"#" * 3_000_000,
    "bars": lambda: b"| words |\n|---|\n" + b"|" * 3_000_000,
}


def _bomb() -> bytes:
    from tests.ingestion.corpus.office import zipped

    return zipped({"a.txt": b" " * 8 * MEGABYTE})
