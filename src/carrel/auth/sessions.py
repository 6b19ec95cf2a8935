"""Sessions: a login on one device, with its line of refresh tokens."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from carrel.auth.audit import ANONYMOUS, Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.errors_users import InvalidRefreshToken
from carrel.auth.keys import digest
from carrel.auth.opaque import new_nonce, new_refresh_token, successor
from carrel.auth.records import Family, Standing
from carrel.auth.repository_members import MemberRows, Standings
from carrel.auth.repository_sessions import Families, SessionRows
from carrel.auth.schemas_users import Device, SessionId, SignedIn
from carrel.auth.signing import Claims, Ring
from carrel.core.clock import now
from carrel.core.ids import uuid7
from carrel.infra.db import Database, Executor, Role
from carrel.tenants.errors import OrganizationDisabled

GRACE = timedelta(seconds=10)
"""How long the token before the newest is still answered, for those whose answer was lost or who came twice at once."""
Check = Callable[[SessionId], None]
log = structlog.get_logger("carrel.auth")


@dataclass(frozen=True, slots=True)
class Sessions:
    """Begins sessions and lets them go on. One per process."""

    database: Database
    ring: Ring
    lifetime: timedelta

    async def begin(
        self, db: Executor, standing: Standing, device: Device, *, expires_at: datetime | None = None
    ) -> SignedIn:
        """A new session in the transaction of `db`. Raises `OrganizationDisabled`."""
        _require_enabled(standing)
        session, token, moment = SessionId(uuid7()), new_refresh_token(), now()
        rows = SessionRows(db, standing.tenant)
        await rows.add(session, standing.user_id, device, moment, expires_at or moment + self.lifetime)
        await rows.add_token(session, 1, digest(token.encode()))
        await MemberRows(db, standing.tenant).note_use(standing.user_id, moment)
        await Families(db).sweep(moment)
        return self._answer(standing, session, token, 1, moment)

    async def refresh(self, token: str, check: Check | None = None) -> SignedIn:
        """The next pair of tokens of a session, once for each refresh token.

        The same token gives the same answer for 10 s more, unless the answer has been used. After that it was stolen,
        or its successor was: the whole session ends. Raises `InvalidRefreshToken` or `OrganizationDisabled`, and what
        `check` raises; nothing is changed then.
        """
        async with self.database.transaction(Role.GATE) as db:
            answer = await self._next(db, token, check)
        # Raised after the commit, because a session that ends here must stay ended.
        if answer is None:
            raise InvalidRefreshToken(
                "The refresh token is unknown, used up, or its session is over.",
                hint="Log in with POST /api/auth/login.",
            )
        return answer

    async def _next(self, db: Executor, token: str, check: Check | None) -> SignedIn | None:
        moment, family = now(), await Families(db).hold(digest(token.encode()))
        if family is None or family.revoked or family.expires_at <= moment:
            return None
        if check is not None:
            check(family.id)
        standing = next(iter(await Standings(db).of(family.user_id, only=family.tenant)), None)
        if standing is None or not standing.user_enabled:
            return None
        _require_enabled(standing)
        if family.shown == family.generation:
            return await self._rotate(db, family, standing, token, moment)
        if family.shown == family.generation - 1 and moment - family.rotated_at <= GRACE:
            following = successor(token, family.nonce)
            return self._answer(standing, family.id, following, family.generation, family.rotated_at)
        await SessionRows(db, family.tenant).revoke(family.id, moment)
        log.warning("a refresh token came back, its session ends", session=str(family.id), user=str(family.user_id))
        details: dict[str, Detail] = {"user": str(family.user_id), "shown": family.shown, "newest": family.generation}
        # Who came with it, the person or a thief, nobody knows.
        stolen = Event(
            family.tenant, Action.REFRESH_REUSED, ANONYMOUS, Target("session", family.id), details, outcome="failure"
        )
        await record(db, stolen)
        return None

    async def _rotate(self, db: Executor, family: Family, standing: Standing, token: str, moment: datetime) -> SignedIn:
        nonce, generation, rows = new_nonce(), family.generation + 1, SessionRows(db, family.tenant)
        following = successor(token, nonce)
        await rows.rotate(family.id, generation, nonce, moment)
        await rows.add_token(family.id, generation, digest(following.encode()))
        return self._answer(standing, family.id, following, generation, moment)

    def _answer(
        self, standing: Standing, session: SessionId, refresh_token: str, generation: int, moment: datetime
    ) -> SignedIn:
        claims = Claims(standing.user_id, standing.tenant, session, standing.role, generation)
        return SignedIn(
            access_token=self.ring.issue(claims, moment),
            refresh_token=refresh_token,
            token_type="Bearer",  # noqa: S106  (the name of a scheme)
            expires_in=int(self.ring.lifetime.total_seconds()),
            user=standing.user,
            organization=standing.place,
        )


def _require_enabled(standing: Standing) -> None:
    if not standing.enabled:
        raise OrganizationDisabled(
            "The organization is disabled.", hint="Ask the operator of this server to enable it."
        )
