"""What an organisation looks like to people."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from carrel.tenants.images import LONGEST_TEXT
from carrel.tenants.schemas import Name

Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", max_length=7, examples=["#0b5cad"])]
Picture = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT, examples=["iVBORw0KGgo="])]


class BrandingChange(BaseModel):
    """What shall be different: null is as the server has it, and what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    display_name: Name | None = None
    primary_color: Color | None = None
    logo: Picture | None = None
    """A PNG, JPEG or WebP picture of at most 256 kB, as base64."""


@dataclass(frozen=True, slots=True)
class BrandingSettings:
    """What was said about the looks of your organisation; null is as the server has it."""

    display_name: str | None
    primary_color: str | None
    logo_type: str | None
    logo_bytes: int | None


@dataclass(frozen=True, slots=True)
class Branding:
    """What pages show at the host that was asked."""

    name: str
    primary_color: str
    logo: str | None
    """The path of the picture."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is stored about an organisation's looks, with its name."""

    name: str
    display_name: str | None
    primary_color: str | None
    logo_digest: str | None


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture; `content` is empty where only its digest was asked for."""

    content: bytes
    type: str
    digest: str
