import pytest
from structlog.testing import CapturingLogger

from carrel.infra import mail
from carrel.infra.mail import Letter, Mailer, MailNotConfigured
from carrel.infra.settings import Mail
from tests.auth.postbox import opened_postbox, text_of

pytestmark = pytest.mark.anyio
LETTER = Letter("ليلى@example.org", "Choose – a password", "Open the link.", "http://test/x#token=abc")


def settings_of(port):
    return Mail.model_validate(
        {"host": "127.0.0.1", "port": port, "security": "none", "MAIL_FROM": "carrel@example.org"}
    )


async def test_a_letter_arrives():
    async with opened_postbox() as postbox:
        mailer = Mailer(settings_of(postbox.port), production=True)
        mailer.require()
        mailer.send_soon(LETTER)
        letter = await postbox.letter(0)
        await mailer.close()

    assert (letter["From"], letter["To"], letter["Subject"]) == ("carrel@example.org", LETTER.to, LETTER.subject)
    assert letter["Auto-Submitted"] == "auto-generated"
    assert text_of(letter).split() == [*LETTER.text.split(), LETTER.link]


async def test_a_server_that_is_busy_is_asked_again(monkeypatch):
    monkeypatch.setattr(mail, "PAUSES", (0.01, 0.01))
    async with opened_postbox() as postbox:
        postbox.refusing = 2
        mailer = Mailer(settings_of(postbox.port), production=True)
        mailer.send_soon(LETTER)

        assert (await postbox.letter(0))["To"] == LETTER.to
        await mailer.close()


async def test_a_letter_that_cannot_be_sent_leaves_a_line_without_its_link(monkeypatch):
    log = CapturingLogger()
    monkeypatch.setattr(mail, "log", log)
    monkeypatch.setattr(mail, "PAUSES", (0.01, 0.01))
    async with opened_postbox() as postbox:
        port = postbox.port
    mailer = Mailer(settings_of(port), production=True)

    mailer.send_soon(LETTER)
    await mailer.close()

    assert [call.method_name for call in log.calls] == ["error"]
    assert "token" not in repr(log.calls)


async def test_without_a_server_the_link_is_written_to_the_log(monkeypatch):
    log = CapturingLogger()
    monkeypatch.setattr(mail, "log", log)
    mailer = Mailer(Mail(host=None), production=False)

    mailer.require()
    mailer.send_soon(LETTER)

    assert not mailer.sends
    assert log.calls[0].kwargs["link"] == LETTER.link


async def test_production_without_a_server_says_what_is_missing():
    with pytest.raises(MailNotConfigured) as refused:
        Mailer(Mail(host=None), production=True).require()

    assert "SMTP_HOST" in str(refused.value.hint)
