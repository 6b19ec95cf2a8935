"""The database roles. Each transaction takes one on, so that the database itself knows what it may touch."""

from enum import StrEnum


class Role(StrEnum):
    OWNER = "carrel_owner"
    """Owns the tables: migrations and index DDL only."""
    APP = "carrel_app"
    """Everything that has a tenant, under row-level security."""
    GATE = "carrel_gate"
    """What must be read before the tenant is known: keys, organisations, idempotency."""
    QUEUE = "carrel_queue"
    """The job tables of all tenants, and nothing else."""
    OPERATOR = "carrel_operator"
    """Operators' routes and statistics over all tenants."""
