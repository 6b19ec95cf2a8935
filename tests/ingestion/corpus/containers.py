"""Messages and archives: files with files in them."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from tests.ingestion.corpus import office, plain
from tests.ingestion.corpus.case import MADE, Case
from tests.ingestion.corpus.words import Words

_MOMENT = datetime.fromisoformat(MADE).replace(tzinfo=UTC)


def message(words: Words) -> Case:
    mail = _mail(words, words.title)
    mail.set_content(f"{words.opening}\n\n{words.middle}\n", charset=words.encoding, cte="quoted-printable")
    mail.add_alternative(f"<p>{words.opening}</p><p>left out</p>", subtype="html")
    text = f"{_header(words, words.title)}\n\n{words.opening}\n\n{words.middle}"
    return _case("rules.eml", words, mail, text, ())


def attachments(words: Words) -> Case:
    """A page as body; a document, a picture and another message attached."""
    mail = _mail(words, words.first)
    mail.set_content(f"<h1>{words.first}</h1><p>{words.opening}</p>", subtype="html")
    document = office.word(words)
    name = f"{words.second}.docx"
    mail.add_attachment(document.data, maintype="application", subtype="octet-stream", filename=name)
    mail.add_attachment(b"\x89PNG\r\n\x1a\n" + bytes(20), maintype="image", subtype="png", filename="plan.png")
    inner = _mail(words, words.title)
    inner.set_content(words.middle)
    mail.add_attachment(inner)
    text = (
        f"{_header(words, words.first)}\n\n{words.first}\n\n{words.opening}\n\n{name}\n\n{document.text}\n\n"
        f"plan.png\n\n{words.title}.eml\n\n{_header(words, words.title)}\n\n{words.middle}"
    )
    headings = (
        (1, words.first),
        (1, name),
        *((level + 1, heading) for level, heading in document.headings),
        (1, "plan.png"),
        (1, f"{words.title}.eml"),
    )
    return _case("attached.eml", words, mail, text, headings, title=words.first)


def archive(words: Words) -> Case:
    """Folders, rubbish, something unreadable, and an archive in the archive."""
    parts = [plain.old_text(words), plain.markdown(words), office.slides(words)]
    inner = plain.table(words)
    data = office.zipped(
        {
            "__MACOSX/._rules.txt": b"\x00\x05\x16\x07",
            **{f"{words.first}/{part.name}": part.data for part in parts},
            "photo.jpg": b"\xff\xd8\xff\xe0" + bytes(40),
            "inner.zip": office.zipped({inner.name: inner.data}),
        }
    )
    texts = [f"{words.first}/{part.name}\n\n{part.text}" for part in parts]
    text = "\n\n".join([*texts, "photo.jpg", f"inner.zip\n\n{inner.name}\n\n{inner.text}"])
    headings: list[tuple[int, str]] = []
    for part in parts:
        headings.append((1, f"{words.first}/{part.name}"))
        headings += [(level + 1, heading) for level, heading in part.headings]
    headings += [(1, "photo.jpg"), (1, "inner.zip"), (2, inner.name)]
    return Case("rules.zip", data, text, "zip", words.language, headings=tuple(headings))


def _mail(words: Words, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = f"{words.author} <author@example.org>"
    mail["To"] = "reader@example.org"
    mail["Date"] = _MOMENT
    return mail


def _header(words: Words, subject: str) -> str:
    return (
        f"Subject: {subject}\nFrom: {words.author} <author@example.org>\nTo: reader@example.org\n"
        f"Date: {format_datetime(_MOMENT)}"
    )


def _case(
    name: str,
    words: Words,
    mail: EmailMessage,
    text: str,
    headings: tuple[tuple[int, str], ...],
    title: str | None = None,
) -> Case:
    return Case(
        name,
        mail.as_bytes(),
        text,
        "eml",
        words.language,
        title or words.title,
        headings,
        author=f"{words.author} <author@example.org>",
        created=f"{MADE}+00:00",
    )
