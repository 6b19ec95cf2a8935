"""Documents over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response

from carrel.core.ids import DocumentId
from carrel.documents.changing import Changes
from carrel.documents.intake import delivered
from carrel.documents.openapi import ADDED, TWO_BODIES
from carrel.documents.schemas import ENDED, Document, DocumentRow, DocumentText, Status, Wanted
from carrel.documents.schemas_access import DocumentChange
from carrel.documents.service import Documents, Holdings, known_form
from carrel.documents.waiting import Endings
from carrel.infra.web import Page, Paged, Router, current, provided, requires

router = Router(prefix="/api/documents", tags=["documents"])

Storable = Query(pattern=r"^[^\x00]*$", max_length=512)
Tag = Annotated[str, Storable]
MOST = 100
"""How often a filter may be repeated."""


async def _document_id(
    document_id: Annotated[str, Path(description="The document's `id`.", json_schema_extra={"format": "uuid"})],
) -> DocumentId:
    return known_form(document_id)


async def _wanted(
    status: Annotated[list[Status] | None, Query(max_length=MOST, description="Repeat it for several states.")] = None,
    tag: Annotated[
        list[Tag] | None, Query(max_length=MOST, description="Repeat it for several tags: all must be there.")
    ] = None,
    external_id: Annotated[str | None, Storable] = None,
    doc_type: Annotated[str | None, Storable] = None,
    collection: Annotated[
        str | None, Query(pattern=r"^[^\x00]*$", max_length=100, description="A collection's `id` or `slug`.")
    ] = None,
) -> Wanted:
    return Wanted(status, tag, external_id, doc_type, collection)


async def _guarded(holdings: Annotated[Holdings, provided(Holdings)]) -> AsyncIterator[Holdings]:
    async with holdings.store:
        yield holdings


Id = Annotated[DocumentId, Depends(_document_id)]
Filters = Annotated[Wanted, Depends(_wanted)]
Reads = Annotated[Documents, provided(Documents)]
Removes = Annotated[Holdings, provided(Holdings)]
Amends = Annotated[Changes, provided(Changes)]
# Ends with the route, after its commit and before the answer: a failed commit must be seen here, a lost answer not.
Adds = Annotated[Holdings, Depends(_guarded, scope="function")]
Wait = Annotated[
    float, Query(ge=0, le=60, description="Wait this many seconds for the document to be `indexed` or `failed`.")
]
IfMatch = Annotated[
    str | None, Header(max_length=1000, description="The document's ETag: only if it has not changed since.")
]


@router.post(
    "",
    operation_id="add_document",
    status_code=202,
    dependencies=[requires("write")],
    openapi_extra=TWO_BODIES,
    responses=ADDED,
)
async def add_document(request: Request, response: Response, holdings: Adds, wait: Wait = 0) -> Document:
    """Store a document and have it indexed: a text as JSON, or a file as multipart/form-data.

    The answer comes once the document is stored for good; `Location` is the job that reads it. With `wait` the answer
    is held back until the document is `indexed` or `failed` (200), or the time is over (202).
    """
    return _accepted(request, response, await holdings.add(await delivered(request)), wait)


@router.get("", operation_id="list_documents", dependencies=[requires("read")])
async def list_documents(paging: Paged, wanted: Filters, documents: Reads) -> Page[Document]:
    """Your documents, newest first. All given filters must match."""
    return _shown(await documents.page(paging, wanted))


@router.get("/{document_id}", operation_id="get_document", dependencies=[requires("read")])
async def get_document(document_id: Id, response: Response, documents: Reads) -> Document:
    """One document. Its `ETag` goes into `If-Match` where you change it only as you have seen it."""
    return _tagged(response, await documents.get(document_id))


@router.get("/{document_id}/text", operation_id="get_document_text", dependencies=[requires("read")])
async def get_document_text(document_id: Id, documents: Reads) -> DocumentText:
    """The text of a document as it was read. Positions of chunks and citations count its characters."""
    return await documents.text(document_id)


@router.patch("/{document_id}", operation_id="change_document", dependencies=[requires("write")])
async def change_document(
    document_id: Id, wanted: DocumentChange, response: Response, changes: Amends, if_match: IfMatch = None
) -> Document:
    """Change what is said about a document: tags, metadata, collection, readers. Searches follow at once."""
    return _tagged(response, await changes.change(document_id, wanted, if_match=if_match))


@router.delete("/{document_id}", operation_id="delete_document", status_code=204, dependencies=[requires("write")])
async def delete_document(document_id: Id, holdings: Removes, if_match: IfMatch = None) -> None:
    """Delete a document with its text, its chunks and its bytes. It is found no more from this answer on."""
    await holdings.remove(document_id, if_match=if_match)


def _accepted(request: Request, response: Response, row: DocumentRow, wait: float) -> Document:
    if row.job_id is not None:
        response.headers["Location"] = f"/api/jobs/{row.job_id}"
    if wait:
        scope = current(request)

        async def ended() -> tuple[int, Document]:
            last = await Endings(scope.database, scope.tenant, scope.caller.access).of(row, wait)
            return 200 if last.status in ENDED else 202, Document.of(last)

        scope.after_commit = ended
    return Document.of(row)


def _tagged(response: Response, row: DocumentRow) -> Document:
    response.headers["ETag"] = row.etag
    return Document.of(row)


def _shown(page: Page[DocumentRow]) -> Page[Document]:
    return Page[Document](
        data=[Document.of(row) for row in page.data],
        next_cursor=page.next_cursor,
        has_more=page.has_more,
        total=page.total,
        links=page.links,
    )
