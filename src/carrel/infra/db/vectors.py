"""pgvector's `halfvec` on the wire, binary: sixteen bits a number instead of text that has to be parsed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo


@dataclass(frozen=True, slots=True)
class HalfVector:
    """A vector on its way into the database."""

    numbers: NDArray[np.float32]


class _HalfVectorDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: HalfVector) -> Buffer:
        # pgvector's send format: dimension and an unused field as 16-bit integers, then the numbers, big-endian.
        return len(obj.numbers).to_bytes(2, "big") + b"\0\0" + obj.numbers.astype(">f2").tobytes()


async def register(connection: psycopg.AsyncConnection[Any]) -> None:
    """Teach a connection to send `HalfVector`. A database without pgvector is left as it is."""
    info = await TypeInfo.fetch(connection, "halfvec")
    if info is not None:
        info.register(connection)
        dumper = type("HalfVectorDumper", (_HalfVectorDumper,), {"oid": info.oid})
        connection.adapters.register_dumper(HalfVector, dumper)
