"""Short-lived tokens that a key hands on, and that never allow more than it does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from carrel.auth.audit import Event, Target, record
from carrel.auth.audit_actions import Action
from carrel.auth.audit_sampling import Sampler
from carrel.auth.errors import ScopeNotHeld, TokenTooLong
from carrel.auth.grants import Filter, Grant
from carrel.auth.holders import KeyHolder
from carrel.auth.schemas_tokens import TenantToken, TokenFilter, TokenRequest
from carrel.auth.signing import LONGEST_TOKEN, Ring
from carrel.core.clock import now
from carrel.infra.db import Executor

log = structlog.get_logger("carrel.auth")
USUAL = ("read", "search")
NOTED = 60
"""Tokens of one key in a minute that each have an event of their own."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What goes into the audit log: of a key that makes very many tokens, only some."""

    db: Executor
    sampler: Sampler

    async def take(self, holder: KeyHolder, grant: Grant, end: datetime) -> None:
        if not self.sampler.take(str(holder.key)):
            return
        details = {"scopes": sorted(grant.scopes), "expires_at": end.isoformat()}
        made = Event(holder.tenant, Action.TOKEN_CREATED, holder.subject, Target("key", holder.key), details)
        await record(self.db, made)


@dataclass(frozen=True, slots=True)
class TenantTokens:
    """Makes tokens from the key of `holder`. Only the log is told: a token is good as long as it and its key are."""

    ring: Ring
    holder: KeyHolder
    notes: Notes

    async def make(self, wanted: TokenRequest) -> TenantToken:
        """Raises `ScopeNotHeld` for what the key may not do, and `TokenTooLong`."""
        moment, limits = now(), wanted.filter
        grant = Grant(self.holder.tenant, self.holder.key, self._scopes(wanted.scopes), _filter(limits), wanted.subject)
        end = self._end(moment + timedelta(seconds=wanted.expires_in))
        token = grant.signed(self.ring, moment, end)
        if len(token) > LONGEST_TOKEN:
            raise TokenTooLong(
                f"The token would have {len(token)} characters; {LONGEST_TOKEN} fit into a header everywhere.",
                hint="Give the documents a tag or a collection of their own, and let the filter name that.",
            )
        await self.notes.take(self.holder, grant, end)
        log.info("tenant token made", caller=grant.bearer, subject=grant.subject, expires_at=end.isoformat())
        return TenantToken(token, end)

    def _scopes(self, wanted: Collection[str] | None) -> frozenset[str]:
        if wanted is None:
            return frozenset(scope for scope in USUAL if self.holder.may(scope))
        for scope in wanted:
            if not self.holder.may(scope):
                raise ScopeNotHeld(
                    f"This key lacks the scope `{scope}` and cannot pass it on.",
                    hint="Ask for scopes that the key holds.",
                    scope=scope,
                )
        return frozenset(wanted)

    def _end(self, wanted: datetime) -> datetime:
        ends = [end for end in (wanted, self.holder.expires_at) if end is not None]
        return min(ends).replace(microsecond=0)


def _filter(wanted: TokenFilter) -> Filter:
    return Filter(
        tags=None if wanted.tags is None else frozenset(wanted.tags),
        documents=None if wanted.document_ids is None else frozenset(wanted.document_ids),
        collections=None if wanted.collections is None else frozenset(wanted.collections),
    )
