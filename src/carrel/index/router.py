"""What a document looks like from inside the index."""

from typing import Annotated

from fastapi import Path

from carrel.documents.service import known_form
from carrel.index.schemas import ChunkView
from carrel.index.service import Chunks
from carrel.infra.web import Page, Paged, Router, provided, requires

Id = Annotated[str, Path(json_schema_extra={"format": "uuid"})]

router = Router(prefix="/api/documents", tags=["documents"])


@router.get("/{document_id}/chunks", operation_id="list_chunks", dependencies=[requires("read")])
async def list_chunks(document_id: Id, paging: Paged, chunks: Annotated[Chunks, provided(Chunks)]) -> Page[ChunkView]:
    """The chunks of a document in reading order, each with its exact place in the text."""
    return await chunks.page(known_form(document_id), paging)
