"""API keys over HTTP."""

from typing import Annotated

from carrel.auth.schemas import ApiKey, KeyRequest, NewKey
from carrel.auth.service import Keys
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
    return await keys.create(wanted.name, wanted.description, wanted.scopes, wanted.expires_at)


@router.delete("/{key_id}", operation_id="revoke_api_key", status_code=204, dependencies=[requires("admin")])
async def revoke_api_key(key_id: KeyId, keys: Service) -> None:
    """Revoke an API key for good. Within 5 seconds no server accepts it any more."""
    await keys.revoke(key_id)
