"""Identifiers. Made by the application, ordered by time (UUIDv7), so that new rows lie together."""

import os
import time
from typing import NewType
from uuid import UUID

TenantId = NewType("TenantId", UUID)
DocumentId = NewType("DocumentId", UUID)
ChunkId = NewType("ChunkId", UUID)
JobId = NewType("JobId", UUID)
KeyId = NewType("KeyId", UUID)


def uuid7() -> UUID:
    """A UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
