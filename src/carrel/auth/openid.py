"""Logging in at a provider of identities (OpenID Connect, authorization code with PKCE)."""

import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from carrel.auth import throttle
from carrel.auth.audit import SERVER, Event, Target, of_person, record_all, user_subject
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.desk import Desk, standing_of
from carrel.auth.emails import key_of
from carrel.auth.errors_openid import OidcLoginFailed, OidcMisconfigured, OidcNotConfigured, OidcRefused
from carrel.auth.errors_users import EmailTaken, UserDisabled
from carrel.auth.guests import ASK, guest_of, lacks
from carrel.auth.openid_flow import LIFE, Flow, flow_of, is_fresh, new_mark
from carrel.auth.openid_provider import AGAIN, Provider
from carrel.auth.records import Account
from carrel.auth.repository_identities import IdentityRows
from carrel.auth.repository_members import MemberRows
from carrel.auth.repository_people import PeopleRows
from carrel.auth.repository_users import UserRows
from carrel.auth.roles import OWNER, RoleName
from carrel.auth.schemas_openid import Arrival, Departure, Guest, SingleSignOn
from carrel.auth.schemas_users import Device, Member, SignedIn, UserId
from carrel.auth.second_step import signed_in
from carrel.core.clock import now
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Executor

FLOW_KEY = "openid flows"
CALLBACK = "/api/auth/oidc/callback"
ERROR = re.compile(r"[a-z_]{1,50}")
log = structlog.get_logger("carrel.auth")


@dataclass(frozen=True, slots=True)
class OpenIdLogins:
    """Makes its own short transactions: none is open while the provider is asked."""

    desk: Desk
    device: Device

    def offer(self) -> SingleSignOn:
        provider = self.desk.provider
        return SingleSignOn(provider is not None, None if provider is None else provider.settings.name)

    async def begin(self, *, cookie: bool = False) -> Departure:
        """Raises `OidcNotConfigured`, `OidcUnavailable` or `OidcProviderFailed`."""
        mark = new_mark(now(), cookie=cookie)
        return Departure(await self._provider.entrance(await self._flow(mark), self._redirect_uri), mark)

    async def arrive(self, arrival: Arrival, mark: str | None) -> SignedIn:
        """The session of who comes back with `mark` in the same browser; each answer is good once.

        Raises `OidcLoginFailed`, `OidcRefused`, `UserDisabled`, `EmailTaken`, `NoOrganization`, and what asking the
        provider raises.
        """
        provider, limits = self._provider, throttle.of_arrivals(self.device.address)
        await self.desk.throttle.take(limits)
        flow = await self._proven(arrival, mark)
        grant = await provider.exchange(_code_of(arrival, provider), flow, self._redirect_uri)
        claims: dict[str, Any] = await provider.claims(grant, flow)
        if lacks(claims, provider.settings):
            claims = {**claims, **await provider.more_claims(grant, claims["sub"])}
        guest = guest_of(claims, provider.settings)
        async with self.desk.transaction() as db:
            reception = Reception(db, provider, now())
            user = await reception.admit(guest)
            await throttle.give_back(db, limits)
            begun = await self.desk.sessions.begin(db, await standing_of(db, user), self.device)
            await record_all(db, [*reception.events, signed_in(begun)])
            return begun

    @property
    def _provider(self) -> Provider:
        if self.desk.provider is None:
            raise OidcNotConfigured("This server knows no identity provider.", hint="Its operator sets OIDC_ISSUER.")
        return self.desk.provider

    @property
    def _redirect_uri(self) -> str:
        return self.desk.letters.url.rstrip("/") + CALLBACK

    async def _flow(self, mark: str) -> Flow:
        return flow_of(await self.desk.database.shared_secret(FLOW_KEY), mark)

    async def _proven(self, arrival: Arrival, mark: str | None) -> Flow:
        flow = None if mark is None or not is_fresh(mark, now()) else await self._flow(mark)
        if flow is None or not hmac.compare_digest(flow.state.encode(), arrival.state.encode()):
            raise OidcLoginFailed("No login is under way in this browser, or it took too long.", hint=AGAIN)
        if not await self.desk.throttle.is_first("oidc state", flow.state, LIFE):
            raise OidcLoginFailed("This answer of the provider was used before.", hint=AGAIN)
        return flow


@dataclass(frozen=True, slots=True)
class Reception:
    """Finds or makes the account of a guest, in one transaction of the gate."""

    db: Executor
    provider: Provider
    moment: datetime
    events: list[Event] = field(default_factory=list)
    """What was done, for the audit log, which comes last."""

    async def admit(self, guest: Guest) -> UserId:
        """Whoever the guest is here, with the role that follows. Raises `OidcRefused`, `EmailTaken`, `UserDisabled`."""
        identities, issuer = IdentityRows(self.db), self.provider.issuer
        user = await identities.user(issuer, guest.subject)
        if user is None:
            user = await self._linked_or_made(guest)
            if not await identities.add(issuer, guest.subject, user, self.moment):
                raise OidcLoginFailed("The same person has come twice at once.", hint=AGAIN)
            linked = Event(SERVER, Action.IDENTITY_LINKED, user_subject(user), Target("user", user), {"issuer": issuer})
            # Before they are placed: an organisation that they join now learns of that.
            self.events.extend(await of_person(self.db, user, linked))
        account = await UserRows(self.db).hold_by_id(user)
        if account is None or not account.enabled:
            raise UserDisabled("The account is disabled.", hint="Ask the operator of this server to enable it.")
        await self._place(user, guest.role)
        return user

    async def _linked_or_made(self, guest: Guest) -> UserId:
        settings, key = self.provider.settings, key_of(guest.email)
        account = await PeopleRows(self.db).by_key(key)
        if account is None:
            return await self._made(guest, key)
        # An address that nobody has verified here may be somebody else's, who waits for its owner to come.
        if not settings.link_by_email or not account.email_verified:
            raise EmailTaken(
                "An account has this e-mail address, and does not belong to this login.",
                hint="Log in with its password, or ask the operator about OIDC_LINK_BY_EMAIL.",
            )
        return account.id

    async def _made(self, guest: Guest, key: str) -> UserId:
        if self.provider.settings.organization is None:
            raise OidcRefused("Nobody here has this e-mail address, and no account is made for it.", hint=ASK)
        account = Account(UserId(uuid7()), guest.email, guest.name, enabled=True, password_hash=None)
        if not await UserRows(self.db).add(account, key, self.moment, verified=True):
            raise OidcLoginFailed("The same person has come twice at once.", hint=AGAIN)
        return account.id

    async def _place(self, user: UserId, role: RoleName | None) -> None:
        settings = self.provider.settings
        if settings.organization is None:
            return
        tenant = await PeopleRows(self.db).organization(settings.organization)
        if tenant is None:
            raise OidcMisconfigured("OIDC_ORGANIZATION names no organization.", hint="Set it to a slug that is there.")
        if role is None:
            raise OidcRefused("No role follows from what the provider says of the person.", hint=ASK)
        rows = MemberRows(self.db, tenant)
        owners, member = await rows.hold_owners(), await rows.hold(user)
        if member is None:
            await rows.join(user, role, self.moment)
            self._note(tenant, Action.MEMBER_JOINED, user, role=role)
        elif settings.role_claim is not None and member.role != role:
            await self._change(rows, member, role, is_last_owner=member.role == OWNER and owners < 2)

    async def _change(self, rows: MemberRows, member: Member, role: RoleName, *, is_last_owner: bool) -> None:
        if is_last_owner:
            log.warning("the last owner keeps the role", user=str(member.user_id), role=role)
            return
        await rows.set_role(member.user_id, role)
        self._note(rows.tenant, Action.MEMBER_ROLE_CHANGED, member.user_id, **{"from": member.role, "to": role})

    def _note(self, tenant: TenantId, action: Action, user: UserId, **details: Detail) -> None:
        self.events.append(Event(tenant, action, user_subject(user), Target("member", user), details))


def _code_of(arrival: Arrival, provider: Provider) -> str:
    if arrival.error is not None:
        said = arrival.error if ERROR.fullmatch(arrival.error) else "an unknown error"
        raise OidcLoginFailed(f"The identity provider says {said}.", hint=AGAIN)
    if arrival.iss is not None and arrival.iss != provider.issuer:
        raise OidcLoginFailed("The answer comes from another provider.", hint=AGAIN)
    if not arrival.code:
        raise OidcLoginFailed("The answer has no code.", hint=AGAIN)
    return arrival.code
