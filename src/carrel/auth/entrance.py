"""The doors that are open to everybody, for one request."""

from dataclasses import dataclass

from carrel.auth.desk import Desk
from carrel.auth.login import Logins
from carrel.auth.openid import OpenIdLogins
from carrel.auth.recovery import Recovery
from carrel.auth.registration import Registrations
from carrel.auth.schemas_users import Device
from carrel.auth.second_step import Threshold


@dataclass(frozen=True, slots=True)
class Entrance:
    """Which door somebody takes. It is only known where the request is read from which device they come."""

    desk: Desk

    def logins(self, device: Device) -> Logins:
        return Logins(self.desk, device)

    def registrations(self, device: Device) -> Registrations:
        return Registrations(self.desk, device)

    def threshold(self, device: Device) -> Threshold:
        return Threshold(self.desk, device)

    def openid(self, device: Device) -> OpenIdLogins:
        return OpenIdLogins(self.desk, device)

    def recovery(self, device: Device) -> Recovery:
        return Recovery(self.desk, device)
