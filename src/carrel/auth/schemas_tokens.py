"""Tenant tokens, as they are asked for and shown."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from carrel.auth.schemas import Ids, Tags
from carrel.core.text import plain_name

GrantedScope = Literal["read", "search", "write"]


class TokenFilter(BaseModel):
    """Which documents the token reaches, of those that the key reaches. All that is given must hold."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    tags: Tags | None = None
    """The document holds at least one of these."""
    document_ids: Ids | None = None
    """It is one of these."""
    collections: Ids | None = None
    """It lies in one of these."""


class TokenRequest(BaseModel):
    """A token that the holder of a key wants to hand on."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [{"filter": {"tags": ["customer-17"]}, "scopes": ["search"], "expires_in": 900}]
        },
    )

    filter: TokenFilter
    """`{}`: all that the key reaches."""
    scopes: Annotated[list[GrantedScope], Field(min_length=1, max_length=20)] | None = None
    """`read` and `search`, as far as the key holds them, unless said otherwise."""
    expires_in: int = Field(default=3600, ge=1, le=86_400, strict=True)
    """Seconds."""
    subject: Annotated[str, Field(max_length=200), AfterValidator(plain_name)] = ""
    """Whom it is for, in your own words."""


@dataclass(frozen=True, slots=True)
class TenantToken:
    """A token that was just made. It is stored nowhere."""

    token: str = field(repr=False)
    expires_at: datetime
