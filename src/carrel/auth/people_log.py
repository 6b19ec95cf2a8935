"""What the audit log is told of people whom operators make and change. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from carrel.auth.audit import SERVER, SYSTEM, Event, Target
from carrel.auth.audit_actions import Action
from carrel.auth.audit_chain import Detail
from carrel.auth.roles import RoleName
from carrel.auth.schemas_people import Result
from carrel.auth.schemas_users import UserId
from carrel.core.ids import TenantId

DECIDED = ("tier", "enabled", "operator")
OUTCOMES = ("created", "changed", "unchanged", "failed")


def created(user: UserId, *, operator: bool) -> Event:
    return Event(SERVER, Action.USER_CREATED, SYSTEM, Target("user", user), {"operator": operator})


def changed(actor: str, user: UserId, names: Collection[str], values: Mapping[str, Detail]) -> Event:
    """The names of all that is otherwise now, the password among them, and the values of what operators decide."""
    decided = {name: values[name] for name in DECIDED if name in names}
    details = {"changed": sorted(names), **decided}
    return Event(SERVER, Action.USER_CHANGED, actor, Target("user", user), details)


def joined(place: TenantId, user: UserId, role: RoleName) -> Event:
    return Event(place, Action.MEMBER_JOINED, SYSTEM, Target("member", user), {"role": role})


def role_changed(place: TenantId, user: UserId, before: RoleName, after: RoleName) -> Event:
    details = {"from": before, "to": after}
    return Event(place, Action.MEMBER_ROLE_CHANGED, SYSTEM, Target("member", user), details)


def summed(results: Sequence[Result], events: Sequence[Event]) -> list[Event]:
    """The events of a whole file: who is new is counted, so that thousands of lines keep no log locked for long.

    Operators, and whatever becomes of people who were there before, are told one by one.
    """
    alone = [event for event in events if not _is_usual(event)]
    newcomers = Counter((one.tenant, one.details["role"]) for one in events if one.action is Action.MEMBER_JOINED)
    homes = sorted({tenant for tenant, _ in newcomers})
    counts = {outcome: sum(one.outcome == outcome for one in results) for outcome in OUTCOMES}
    return [
        *alone,
        *(Event(home, Action.MEMBERS_IMPORTED, SYSTEM, details=_roles(newcomers, home)) for home in homes),
        Event(SERVER, Action.USERS_IMPORTED, SYSTEM, details=counts),
    ]


def _is_usual(event: Event) -> bool:
    made = event.action == Action.USER_CREATED and not event.details["operator"]
    return made or event.action == Action.MEMBER_JOINED


def _roles(newcomers: Mapping[tuple[TenantId, Detail], int], home: TenantId) -> dict[str, Detail]:
    return {str(role): count for (tenant, role), count in newcomers.items() if tenant == home}
