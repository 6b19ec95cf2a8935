"""What happens to documents, published in the transaction that made it true."""

from dataclasses import dataclass

from carrel.core.ids import DocumentId


@dataclass(frozen=True, slots=True)
class DocumentAccepted:
    """The bytes of a version are stored and wait to be read."""

    document_id: DocumentId
    version: int


@dataclass(frozen=True, slots=True)
class DocumentIndexed:
    """A version can be searched."""

    document_id: DocumentId
    version: int


@dataclass(frozen=True, slots=True)
class DocumentDeleted:
    """A document is gone; the bytes of its versions, named by `object_keys`, are no longer needed."""

    document_id: DocumentId
    object_keys: list[str]
