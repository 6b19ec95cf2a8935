"""Search over HTTP."""

from typing import Annotated

from carrel.infra.web import Router, provided, requires
from carrel.search.schemas import Hits, Query
from carrel.search.service import Search

router = Router(prefix="/api/search", tags=["search"])


@router.post("", operation_id="search", dependencies=[requires("search")])
async def search(query: Query, service: Annotated[Search, provided(Search)]) -> Hits:
    """Rank chunks by words and by meaning, fused. Nothing outside what you may see is ever found."""
    return await service.run(query)
