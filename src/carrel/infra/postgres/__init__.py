"""A PostgreSQL of our own, for whoever has none: started with Carrel, ended with it, reachable only by its user."""

from carrel.infra.postgres.address import read_dsn
from carrel.infra.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "read_dsn"]
