"""Pages of a list: cursors that belong to one tenant and one question, or offsets with links."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from carrel.core.ids import TenantId
from carrel.infra.web.errors import BadRequest, InvalidCursor
from carrel.infra.web.scope import current

T = TypeVar("T")
Key = list[Any]
MAC_BYTES = OWNER_BYTES = 16
BODY_AT = MAC_BYTES + OWNER_BYTES
LARGEST_OFFSET = 100_000
LONGEST_CURSOR = 10_000
PAGING_PARAMETERS = frozenset({"cursor", "offset", "limit"})


class Links(BaseModel):
    """Where the neighbouring pages are."""

    next: str | None = None
    prev: str | None = None


def _is_none(value: object) -> bool:
    return value is None


class Page(BaseModel, Generic[T]):
    """One page of a list. `total` and `links` are given when the page was asked for by `offset`."""

    data: list[T]
    next_cursor: str | None
    has_more: bool
    total: int | None = Field(None, exclude_if=_is_none)
    links: Links | None = Field(None, exclude_if=_is_none)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes and reads cursors. A cursor is signed for one tenant and one question: it opens nothing else.

    Whose it is stands in it, covered so that only we can read it: then we know whom somebody else's was made for.
    """

    secret: bytes

    def write(self, tenant: TenantId, question: str, key: Key) -> str:
        body = json.dumps(key, separators=(",", ":"), default=str).encode()
        mac = self._mac(tenant, question, body)
        return _encoded(mac + self._covered(tenant.bytes, mac) + body)

    def read(self, tenant: TenantId, question: str, cursor: str) -> Key:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _foreign() from error
        mac, covered, body = raw[:MAC_BYTES], raw[MAC_BYTES:BODY_AT], raw[BODY_AT:]
        # The last character has bits to spare, so that several cursors have the same bytes: only ours is taken.
        if len(covered) != OWNER_BYTES or _encoded(raw) != cursor:
            raise _foreign()
        owner = TenantId(UUID(bytes=self._covered(covered, mac)))
        if not hmac.compare_digest(mac, self._mac(owner, question, body)):
            raise _foreign()
        if owner != tenant:
            raise _foreign(owner)
        key: Key = json.loads(body)
        return key

    def _covered(self, owner: bytes, mac: bytes) -> bytes:
        """What covers an owner, and what uncovers it: the same pad, which the cursor's own signature chooses."""
        pad = hmac.digest(self.secret, b"owner\0" + mac, hashlib.sha256)
        return bytes(one ^ other for one, other in zip(owner, pad, strict=False))

    def _mac(self, tenant: TenantId, question: str, body: bytes) -> bytes:
        message = tenant.bytes + question.encode() + b"\0" + body
        return hmac.new(self.secret, message, hashlib.sha256).digest()[:MAC_BYTES]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is wanted: the one after a key, or the one at an offset."""

    limit: int
    after: Key | None
    offset: int | None
    _write: Callable[[Key], str]
    _link: Callable[[int], str]

    @property
    def wants_total(self) -> bool:
        return self.offset is not None

    @property
    def fetch(self) -> int:
        """One row more than the page holds tells whether there is another page."""
        return self.limit + 1

    def page(self, rows: Sequence[T], key: Callable[[T], Key], *, total: int | None = None) -> Page[T]:
        """The page of `rows` (fetched with `fetch` as limit); `key` is what the list is ordered by."""
        shown, has_more = list(rows[: self.limit]), len(rows) > self.limit
        links = self._links(self.offset, has_more=has_more) if self.offset is not None else None
        following = self._write(key(shown[-1])) if has_more else None
        return Page[T](data=shown, next_cursor=following, has_more=has_more, total=total, links=links)

    def _links(self, offset: int, *, has_more: bool) -> Links:
        following = offset + self.limit
        return Links(
            next=self._link(following) if has_more and following <= LARGEST_OFFSET else None,
            prev=self._link(max(0, offset - self.limit)) if offset else None,
        )


async def _paging(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="How many items a page holds.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
    offset: Annotated[
        int | None, Query(ge=0, le=LARGEST_OFFSET, description="Skip this many; adds `total` and links.")
    ] = None,
) -> Paging:
    if cursor is not None and offset is not None:
        raise BadRequest(
            "Both cursor and offset are given.", hint="Use one of them: cursor to walk on, offset to jump."
        )
    scope, path = current(request), request.scope["path"]
    rest = [(name, value) for name, value in request.query_params.multi_items() if name not in PAGING_PARAMETERS]
    question = path + "?" + json.dumps(sorted(rest))
    cursors, tenant = scope.kit.cursors, scope.tenant
    return Paging(
        limit=limit,
        after=cursors.read(tenant, question, cursor) if cursor is not None else None,
        offset=offset,
        _write=lambda key: cursors.write(tenant, question, key),
        _link=lambda at: f"{quote(path)}?{urlencode([*rest, ('limit', limit), ('offset', at)])}",
    )


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _foreign(owner: TenantId | None = None) -> InvalidCursor:
    problem = InvalidCursor(
        "The cursor was not made for this list and these filters.",
        hint="Take `next_cursor` from the page before, unchanged, and keep the filters the same.",
    )
    problem.made_for = owner
    return problem


Paged = Annotated[Paging, Depends(_paging)]
