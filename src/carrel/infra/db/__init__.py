"""PostgreSQL: pools, transactions, roles and migrations."""

from carrel.infra.db.database import Database
from carrel.infra.db.roles import Role
from carrel.infra.db.transaction import Executor, Statement, Transaction

__all__ = ["Database", "Executor", "Role", "Statement", "Transaction"]
