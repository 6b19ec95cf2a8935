"""Mail to people: handed over to an SMTP server in the background, or written to the log where there is none."""

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import formatdate, make_msgid

import structlog

from carrel.core.errors import Problem
from carrel.infra.settings import Mail as MailSettings

AT_ONCE = 2
MOST_WAITING = 1_000
PAUSES = (2.0, 10.0)
"""Seconds before the second and the third try."""
log = structlog.get_logger("carrel.mail")


class MailNotConfigured(Problem):
    """This needs mail, and the server does not know a mail server."""

    code, title, status = "mail-not-configured", "The server cannot send mail", 503


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail with one link in it."""

    to: str
    subject: str
    text: str
    link: str


class Mailer:
    """Sends letters. One per process; close it at the end, and what is on its way is sent or given up."""

    def __init__(self, settings: MailSettings, *, production: bool) -> None:
        self._settings, self._production = settings, production
        self._sending: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)

    @property
    def sends(self) -> bool:
        """Whether there is a mail server; without one, links are written to the log."""
        return self._settings.host is not None

    def require(self) -> None:
        """Raises `MailNotConfigured` where letters would reach nobody: in production without a mail server."""
        if self._production and not self.sends:
            raise MailNotConfigured(
                "This needs a mail, and no mail server is configured.",
                hint="The operator of this server sets SMTP_HOST and MAIL_FROM.",
            )

    def send_soon(self, letter: Letter) -> None:
        """Send a letter in the background: three tries, then a line in the log. Nobody waits for it."""
        if not self.sends:
            log.warning("no mail server, the link is here", subject=letter.subject, link=letter.link)
        elif len(self._sending) >= MOST_WAITING:
            log.error("mail not sent", subject=letter.subject, reason="too many are waiting")
        else:
            task = asyncio.create_task(self._send(letter))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Give what is on its way a moment, and end."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=self._settings.timeout.total_seconds())
        for task in self._sending:
            task.cancel()

    async def _send(self, letter: Letter) -> None:
        message = self._message(letter)
        async with self._room:
            for pause in PAUSES:
                if await self._try(message) is None:
                    return
                await asyncio.sleep(pause)
            if (error := await self._try(message)) is not None:
                log.error("mail not sent", subject=letter.subject, reason=repr(error))

    async def _try(self, message: EmailMessage) -> Exception | None:
        try:
            await asyncio.to_thread(self._deliver, message)
        except (OSError, smtplib.SMTPException) as error:
            return error
        return None

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(policy=SMTPUTF8)
        message["From"] = self._settings.sender or self._settings.username or "carrel@localhost"
        message["To"] = letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="carrel")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(f"{letter.text}\n\n{letter.link}\n")
        return message

    def _deliver(self, message: EmailMessage) -> None:
        settings = self._settings
        host, seconds = settings.host or "", settings.timeout.total_seconds()
        secure = ssl.create_default_context()
        if settings.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(host, settings.port, timeout=seconds, context=secure)
        else:
            connection = smtplib.SMTP(host, settings.port, timeout=seconds)
        with connection:
            if settings.security == "starttls":
                connection.starttls(context=secure)
            if settings.username is not None and settings.password is not None:
                connection.login(settings.username, settings.password.get_secret_value())
            connection.send_message(message)
