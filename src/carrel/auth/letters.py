"""What people read in their mail. Pure: the tokens stand behind `#`, which browsers send to nobody."""

from dataclasses import dataclass

from carrel.infra.mail import Letter


@dataclass(frozen=True, slots=True)
class Letters:
    """The mails of this server, whose links lead to `url`."""

    url: str

    def registration(self, to: str, token: str) -> Letter:
        return Letter(
            to,
            "Confirm your e-mail address",
            "Somebody, hopefully you, has asked for an account with this address. Open the link and enter the password "
            "that you chose. It is good for 24 hours. If it was not you, do nothing: no account is made then.",
            self._link("verify", token),
        )

    def registered_already(self, to: str) -> Letter:
        return Letter(
            to,
            "You have an account already",
            "Somebody, hopefully you, has asked for an account with this address, which has one already. If you have "
            "lost the password, ask for a new one here:",
            f"{self.url.rstrip('/')}/accounts/forgot",
        )

    def reset(self, to: str, token: str) -> Letter:
        return Letter(
            to,
            "Choose a new password",
            "Somebody, hopefully you, has lost the password of this account. Open the link to choose a new one. It is "
            "good for one hour. If it was not you, do nothing: the password stays as it is.",
            self._link("reset", token),
        )

    def invitation(self, to: str, token: str, organization: str, role: str) -> Letter:
        return Letter(
            to,
            "You are invited",
            f"You are invited to the organization “{organization}” as {role}. Open the link to accept. It is good for "
            "7 days.",
            self._link("invitation", token),
        )

    def _link(self, page: str, token: str) -> str:
        return f"{self.url.rstrip('/')}/accounts/{page}#token={token}"
