"""The second factor of one's own account."""

from dataclasses import dataclass

from carrel.auth import throttle, totp
from carrel.auth.account import wrong_password
from carrel.auth.audit import Event, Target, record_all, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.desk import Desk
from carrel.auth.errors_factors import SecondFactorExists, SecondFactorMissing, WrongCode
from carrel.auth.records import Account
from carrel.auth.repository_factors import FactorRows
from carrel.auth.repository_users import UserRows
from carrel.auth.schemas_factors import Confirmation, FactorChange, FactorState, NewFactor, Proof, RecoveryCodes
from carrel.auth.schemas_users import Person
from carrel.auth.second_step import recovery_code_used, spend
from carrel.auth.throttle import Limit
from carrel.core.clock import now
from carrel.infra.db import Executor

ISSUER = "Carrel"


@dataclass(frozen=True, slots=True)
class Factors:
    """The factor of the person who asks. `db` is a unit of work of the gate."""

    db: Executor
    desk: Desk
    person: Person

    @property
    def _rows(self) -> FactorRows:
        return FactorRows(self.db, self.person.user)

    async def state(self) -> FactorState:
        factor = await self._rows.get()
        return FactorState(
            enabled=factor is not None and factor.confirmed,
            pending=factor is not None and not factor.confirmed,
            recovery_codes_left=await self._rows.count_codes(),
        )

    async def enrol(self, password: str) -> NewFactor:
        """A new secret, which replaces one that was never confirmed.

        Raises `WrongPassword`, `SecondFactorExists`, `TooManyAttempts`, and in production `EncryptionKeyMissing`.
        """
        account, secret = await self._recognised(password), totp.new_secret()
        sealed = await self.desk.vault.seal(secret, str(account.id))
        if not await self._rows.enrol(sealed, now()):
            raise SecondFactorExists("A second factor is in force.", hint="Disable it first.")
        return NewFactor(totp.shown(secret), totp.uri_of(secret, account.email, ISSUER))

    async def confirm(self, wanted: Confirmation) -> RecoveryCodes:
        """Put the factor into force with a first code. Raises `SecondFactorMissing`, `WrongCode`, `TooManyAttempts`."""
        limits = throttle.of_second_steps(str(self.person.user))
        await self.desk.throttle.take(limits)
        factor, moment = await self._rows.get(), now()
        if factor is None or factor.confirmed:
            raise SecondFactorMissing("No second factor waits to be confirmed.", hint="Begin with POST /api/auth/totp.")
        secret = await self.desk.vault.open(factor.secret, str(self.person.user))
        step = totp.step_that_fits(secret, wanted.code, moment, after=0)
        if step is None or not await self._rows.confirm(factor.secret, step, moment):
            raise WrongCode("The code is not the present one.", hint="Set the clock of the device, and try the next.")
        await throttle.give_back(self.db, limits)
        codes = await self._new_codes()
        await self._record(Action.SECOND_FACTOR_ENROLLED)
        return codes

    async def disable(self, wanted: FactorChange) -> None:
        """Logins ask for no code any more. Raises `WrongPassword`, `WrongCode`, `TooManyAttempts`."""
        await self._proven(wanted)
        await self._rows.remove()
        await self._record(Action.SECOND_FACTOR_DISABLED, wanted)

    async def renew_codes(self, wanted: FactorChange) -> RecoveryCodes:
        """Ten new recovery codes; the former are worthless. Raises as `disable` does."""
        await self._proven(wanted)
        codes = await self._new_codes()
        await self._record(Action.RECOVERY_CODES_RENEWED, wanted)
        return codes

    async def _proven(self, wanted: FactorChange) -> None:
        await self._recognised(wanted.current_password)
        if not await self._rows.is_on():
            raise SecondFactorMissing("No second factor is in force.", hint="Begin with POST /api/auth/totp.")
        limits = throttle.of_second_steps(str(self.person.user))
        await self.desk.throttle.take(limits)
        await spend(self.db, self.desk.vault, self.person.user, wanted)
        await throttle.give_back(self.db, limits)

    async def _record(self, action: Action, proof: Proof | None = None) -> None:
        spent = proof is not None and proof.recovery_code is not None
        home, user = self.person.tenant, self.person.user
        told = [Event(home, action, user_subject(user), Target("user", user))]
        await record_all(self.db, [recovery_code_used(home, user), *told] if spent else told)

    async def _recognised(self, password: str) -> Account:
        limits = [Limit("change", str(self.person.user), 10)]
        await self.desk.throttle.take(limits)
        # Read beside the unit of work: its first statement comes after the hash was computed.
        async with self.desk.transaction() as db:
            account = await UserRows(db).by_id(self.person.user)
        checked = await self.desk.passwords.check(password, account.password_hash if account else None)
        if account is None or not checked.right:
            raise wrong_password()
        await throttle.give_back(self.db, limits)
        return account

    async def _new_codes(self) -> RecoveryCodes:
        codes = totp.new_recovery_codes()
        await self._rows.replace_codes([totp.recovery_digest(self.person.user, code) for code in codes])
        return RecoveryCodes(codes)
