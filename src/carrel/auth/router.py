"""API keys over HTTP."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query

from carrel.auth.narrowing import Narrowing
from carrel.auth.period import Period
from carrel.auth.schemas import ApiKey, KeyChange, KeyRequest, NewKey, Rotation
from carrel.auth.schemas_usage import KeyUse
from carrel.auth.service import Keys
from carrel.core.clock import now
from carrel.core.ids import KeyId
from carrel.infra.web import Page, Paged, Router, carries_secret, provided, requires

router = Router(prefix="/api/admin/api-keys", tags=["administration"])

Service = Annotated[Keys, provided(Keys)]


@router.get("", operation_id="list_api_keys", dependencies=[requires("admin")])
async def list_api_keys(paging: Paged, keys: Service) -> Page[ApiKey]:
    """The API keys of your organization that are not revoked, newest first. The keys themselves are never shown again.

    `last_used_at` is exact to the minute.
    """
    return await keys.page(paging)


@router.post("", operation_id="create_api_key", status_code=201, dependencies=[requires("admin"), carries_secret()])
async def create_api_key(wanted: KeyRequest, keys: Service) -> NewKey:
    """Make an API key. `key` in the answer is shown this once: only its SHA-256 is stored."""
    narrowing = Narrowing(wanted.tags, wanted.collections, wanted.groups)
    return await keys.create(
        wanted.name, wanted.description, wanted.scopes, wanted.expires_at, wanted.rate_limit, narrowing
    )


@router.get("/{key_id}", operation_id="get_api_key", dependencies=[requires("admin")])
async def get_api_key(key_id: KeyId, keys: Service) -> ApiKey:
    """An API key that is not revoked, without the key itself."""
    return await keys.get(key_id)


@router.patch("/{key_id}", operation_id="change_api_key", dependencies=[requires("admin")])
async def change_api_key(key_id: KeyId, wanted: KeyChange, keys: Service) -> ApiKey:
    """Change what a key is called, what it may do and how long. Within 5 seconds all servers go by it."""
    return await keys.change(key_id, wanted.given())


@router.post(
    "/{key_id}/rotate",
    operation_id="rotate_api_key",
    status_code=201,
    dependencies=[requires("admin"), carries_secret()],
)
async def rotate_api_key(key_id: KeyId, wanted: Rotation, keys: Service) -> NewKey:
    """Make a key that takes the place of this one, and let this one go on for as long as it takes to change over.

    The new key inherits everything, its end included. The old one never works longer than it would have.
    """
    return await keys.rotate(key_id, timedelta(seconds=wanted.overlap_seconds))


@router.get("/{key_id}/usage", operation_id="get_api_key_usage", dependencies=[requires("admin")])
async def get_api_key_usage(
    key_id: KeyId,
    keys: Service,
    first: Annotated[date | None, Query(alias="from", description="The first day; 30 days are usual.")] = None,
    last: Annotated[date | None, Query(alias="to", description="The last day; today unless said otherwise.")] = None,
) -> KeyUse:
    """How often a key was used, with all tokens made from it, on each day (UTC); at most 366 days at once.

    Calls appear here up to 10 seconds after they were made.
    """
    return await keys.use(key_id, Period.of(first, last, now().date()))


@router.delete("/{key_id}", operation_id="revoke_api_key", status_code=204, dependencies=[requires("admin")])
async def revoke_api_key(key_id: KeyId, keys: Service) -> None:
    """Revoke an API key for good. Within 5 seconds no server accepts it any more."""
    await keys.revoke(key_id)
