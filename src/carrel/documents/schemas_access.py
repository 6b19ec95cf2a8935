"""Who may read what, and collections, as callers send and see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NewType, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from carrel.core.text import plain_name
from carrel.documents.schemas import Metadata, Reference, Tags, Unique

CollectionId = NewType("CollectionId", UUID)

SLUG_LENGTH = 63


def is_id(slug: str) -> bool:
    """Whether a slug could be taken for an id."""
    try:
        UUID(slug)
    except ValueError:
        return False
    return True


def _no_id(slug: str) -> str:
    if is_id(slug):
        raise PydanticCustomError("slug_is_id", "must not have the form of an id")
    return slug


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(plain_name)
]
Slug = Annotated[
    str, Field(max_length=SLUG_LENGTH, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", examples=["leases"]), AfterValidator(_no_id)
]
About = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    """Says nothing but what it is asked: a member that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class NewCollection(Body):
    """A place for documents that belong together."""

    name: Name
    slug: Slug | None = Field(None, description="Its name in addresses and filters; made from `name` when left out.")
    description: About = ""
    readers: Unique | None = Field(None, description="Who may see what lies in it; null: everybody here.")
    metadata: Metadata = Field(default_factory=dict)


class CollectionChange(Body):
    """What shall be different; what is left out stays."""

    name: Name = ""
    slug: Slug = ""
    description: About = ""
    readers: Unique | None = None
    metadata: Metadata = Field(default_factory=dict)


class DocumentChange(Body):
    """What shall be different; what is left out stays. `tags` and `metadata` take the place of what was there."""

    tags: Tags = Field(default_factory=list)
    metadata: Metadata = Field(default_factory=dict)
    collection: Reference | None = Field(None, description="A collection's `id` or `slug`; null: in none.")
    readers: Unique | None = Field(None, description="Who may see it; null: everybody here.")


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as it is stored, with how many of its documents the caller sees."""

    id: CollectionId
    name: str
    slug: str
    description: str
    readers: list[str] | None
    metadata: dict[str, Any]
    document_count: int
    created_at: datetime
    updated_at: datetime

    @property
    def etag(self) -> str:
        """Differs after every change of the collection itself."""
        return f'W/"{self.id.hex}.{int(self.updated_at.timestamp() * 1_000_000):x}"'


class Collection(BaseModel):
    """A place for documents that belong together. `document_count` counts those that you see."""

    id: CollectionId
    name: str
    slug: str
    description: str
    readers: list[str] | None
    metadata: dict[str, Any]
    document_count: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: CollectionRow) -> Self:
        return cls.model_validate(row, from_attributes=True)
