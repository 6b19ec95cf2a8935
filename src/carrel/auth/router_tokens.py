"""Tenant tokens over HTTP."""

from typing import Annotated

from carrel.auth.schemas_tokens import TenantToken, TokenRequest
from carrel.auth.tenant_tokens import TenantTokens
from carrel.infra.web import Router, carries_secret, provided, requires

router = Router(prefix="/api/tokens", tags=["tokens"])


@router.post("", operation_id="create_token", status_code=201, dependencies=[requires("token"), carries_secret()])
async def create_token(wanted: TokenRequest, tokens: Annotated[TenantTokens, provided(TenantTokens)]) -> TenantToken:
    """Make a short-lived token from the key that you call with, for somebody who may see only some documents.

    It never allows more than its key does at the time, ends with it, draws on its rate limit, and makes no tokens.
    """
    return await tokens.make(wanted)
