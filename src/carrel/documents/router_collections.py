"""Collections over HTTP."""

from typing import Annotated

from fastapi import Header, Path, Query, Response

from carrel.documents.collections import Collections
from carrel.documents.schemas_access import Collection, CollectionChange, CollectionRow, NewCollection
from carrel.infra.web import Page, Paged, Router, provided, requires

router = Router(prefix="/api/collections", tags=["collections"])

Service = Annotated[Collections, provided(Collections)]
Named = Annotated[str, Path(description="The collection's `id` or `slug`.", max_length=100, pattern=r"^[^\x00]*$")]
IfMatch = Annotated[
    str | None, Header(max_length=1000, description="The collection's ETag: only if it has not changed since.")
]
MoveTo = Annotated[
    str | None,
    Query(description="Where its documents go: a collection's `id` or `slug`.", max_length=100, pattern=r"^[^\x00]+$"),
]


@router.get("", operation_id="list_collections", dependencies=[requires("read")])
async def list_collections(paging: Paged, collections: Service) -> Page[Collection]:
    """The collections that you see, newest first."""
    page = await collections.page(paging)
    return Page[Collection](
        data=[Collection.of(row) for row in page.data],
        next_cursor=page.next_cursor,
        has_more=page.has_more,
        total=page.total,
        links=page.links,
    )


@router.post("", operation_id="create_collection", status_code=201, dependencies=[requires("write")])
async def create_collection(wanted: NewCollection, response: Response, collections: Service) -> Collection:
    """Make a collection. With `readers` only those see what lies in it, whatever the documents themselves say."""
    return _tagged(response, await collections.create(wanted))


@router.get("/{collection}", operation_id="get_collection", dependencies=[requires("read")])
async def get_collection(collection: Named, response: Response, collections: Service) -> Collection:
    """One collection, by id or slug. Its `ETag` goes into `If-Match`."""
    return _tagged(response, await collections.get(collection))


@router.patch("/{collection}", operation_id="change_collection", dependencies=[requires("write")])
async def change_collection(
    collection: Named,
    wanted: CollectionChange,
    response: Response,
    collections: Service,
    if_match: IfMatch = None,
) -> Collection:
    """Change a collection. Other `readers` count for all its documents at once, in every list and search."""
    return _tagged(response, await collections.change(collection, wanted, if_match=if_match))


@router.delete("/{collection}", operation_id="delete_collection", status_code=204, dependencies=[requires("write")])
async def delete_collection(
    collection: Named, collections: Service, move_to: MoveTo = None, if_match: IfMatch = None
) -> None:
    """Remove a collection that is empty, or whose documents go elsewhere."""
    await collections.remove(collection, move_to=move_to, if_match=if_match)


def _tagged(response: Response, row: CollectionRow) -> Collection:
    response.headers["ETag"] = row.etag
    return Collection.of(row)
