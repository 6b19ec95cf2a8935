"""Rate limits: token buckets in Redis or in memory, what calls cost, and who pays."""

from carrel.infra.limits.bucket import Charge, Level, Verdict
from carrel.infra.limits.limiter import Door, Limiter
from carrel.infra.limits.memory import Buckets, MemoryBuckets
from carrel.infra.limits.policy import CLASSES, EndpointClass, class_of
from carrel.infra.limits.redis_buckets import RedisBuckets

__all__ = [
    "CLASSES",
    "Buckets",
    "Charge",
    "Door",
    "EndpointClass",
    "Level",
    "Limiter",
    "MemoryBuckets",
    "RedisBuckets",
    "Verdict",
    "class_of",
]
