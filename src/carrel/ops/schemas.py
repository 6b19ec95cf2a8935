"""How the house says that it is well."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str


class Readiness(BaseModel):
    """Whether requests can be answered; each check is `ok` or says what is wrong."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class HealthReport(BaseModel):
    """`degraded` when any check is not `ok` or `off`."""

    status: Literal["healthy", "degraded"]
    timestamp: datetime
    version: str
    checks: dict[str, str]


class DocumentNumbers(BaseModel):
    total: int
    by_status: dict[str, int]
    storage_bytes: int


class IndexNumbers(BaseModel):
    documents: int
    chunks: int
    model: str | None


class CacheNumbers(BaseModel):
    """The shared cache: `redis` is `off`, `ok` or `unreachable`. Search results are not cached by this release."""

    enabled: bool
    redis: str
    hits: int
    misses: int


class Statistics(BaseModel):
    """Your organisation in numbers."""

    documents: DocumentNumbers
    index: IndexNumbers
    jobs: dict[str, int]
    cache: CacheNumbers
