"""What can go wrong between us and PostgreSQL, in words for people."""

from carrel.core.errors import Problem


class DatabaseUnavailable(Problem):
    """PostgreSQL did not answer in time. The request changed nothing, or its Idempotency-Key tells; try it again."""

    code, title, status = "database-unavailable", "The database does not answer", 503


class DatabaseMisconfigured(Problem):
    """PostgreSQL answers, but cannot be used as it is set up."""

    code, title, status = "database-misconfigured", "The database cannot be used as it is", 503


class StorageFull(Problem):
    """The disk under the database or the object store is full. Nothing was stored."""

    code, title, status = "storage-full", "There is no space left to store this", 507


class StatementTimeout(Problem):
    """A statement ran longer than DATABASE_STATEMENT_TIMEOUT and was stopped. Nothing was changed."""

    code, title, status = "statement-timeout", "The database took too long", 503


class MigrationPending(Problem):
    """The schema is older than this release, or was changed by hand."""

    code, title, status = "migration-pending", "The schema does not fit this release", 503


class TenantGone(Problem):
    """The organisation was erased while the request was under way. Nothing was stored."""

    code, title, status = "organization-gone", "The organization is gone", 410
