"""Walks every table, view and function there is: nothing may show one organisation's rows to another."""

import psycopg
import pytest
from psycopg import sql

from carrel.admin.repository_remains import RemainsRows
from carrel.core.ids import TenantId, uuid7
from carrel.infra.db import Role

APP = Role.APP.value
# Each of these says why it has no owner among the organisations.
GLOBAL = {
    "schema_migrations": "which files were applied; read by gate and operators only",
    "instance_secrets": "keys that all instances share; no tenant role may read them",
    "organizations": "the organisations themselves: `id` is the tenant",
    "queue_clock": "one row with the present virtual time, which tells nothing of anybody",
    "job_workers": "processes of the server; no tenant role may read them",
    "users": "people may belong to several organisations: membership carries the tenant; gate and operators only",
    "user_tokens": "links to people who are not yet anybody, or have lost the password; the gate only",
    "erasures": "what became of organisations that are gone; operators only",
    "second_factors": "of people, who are global; the gate only",
    "recovery_codes": "of people, who are global; the gate only",
    "user_identities": "of people, who are global: what a provider of identities calls them; the gate only",
    "login_tickets": "logins of people between their two steps; the gate only",
    "login_attempts": "counted before anybody is known, by digests; the gate only",
}
SECRET = (
    "sessions", "refresh_tokens", "user_tokens", "invitations", "second_factors", "recovery_codes", "login_tickets",
    "user_identities",
)  # fmt: skip
UNIQUE_WITHOUT_TENANT = {
    "organizations_pkey": "the tenant's own id",
    "organizations_slug_key": "slugs are public names, written by gate and operators only",
    "users_email": "found by before the tenant is known; no tenant role may read or write the table",
    "domains_host": "host names are public and found before the tenant is known; the gate only, and only proven ones",
    "api_keys_hash": "a hash over 256 random bits tells nobody anything",
}
TENANT_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') ORDER BY 1
"""


@pytest.fixture
def catalogue(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def names(catalogue, query, *parameters):
    return [row[0] for row in catalogue.execute(query, parameters).fetchall()]


def tables(catalogue):
    return names(
        catalogue,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
        "WHERE c.relkind IN ('r', 'p') ORDER BY 1",
    )


def test_every_table_has_a_tenant_or_a_reason(catalogue):
    without = set(tables(catalogue)) - set(names(catalogue, TENANT_TABLES))

    assert without == set(GLOBAL)


def test_every_tenant_table_enforces_row_security_on_everybody(catalogue):
    lax = names(
        catalogue,
        f"SELECT relname FROM pg_class WHERE relname IN ({TENANT_TABLES.replace('ORDER BY 1', '')}) "
        "AND relnamespace = 'public'::regnamespace AND NOT (relrowsecurity AND relforcerowsecurity)",
    )

    assert lax == []


def test_every_tenant_table_has_a_policy_that_names_the_setting(catalogue):
    rows = catalogue.execute(
        "SELECT tablename, roles, qual FROM pg_policies WHERE schemaname = 'public' AND %s = ANY(roles)", [APP]
    ).fetchall()
    guarded = {table for table, _, qual in rows if "app.tenant" in (qual or "")}

    assert {table for table, _, _ in rows} == guarded
    assert guarded >= {table for table in names(catalogue, TENANT_TABLES) if is_granted(catalogue, table)}


def is_granted(catalogue, table):
    return catalogue.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", [APP, table]).fetchone()[0]


def test_no_policy_for_the_application_is_open(catalogue):
    opened = names(
        catalogue,
        "SELECT tablename FROM pg_policies WHERE (%s = ANY(roles) OR 'public' = ANY(roles)) AND qual = 'true'",
        APP,
    )

    assert opened == []


def test_every_tenant_table_begins_its_key_with_the_tenant(catalogue):
    firsts = dict(
        catalogue.execute(
            "SELECT i.indrelid::regclass::text, a.attname FROM pg_index i JOIN pg_attribute a "
            "ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indisprimary"
        ).fetchall()
    )

    assert {firsts[table] for table in names(catalogue, TENANT_TABLES)} == {"tenant_id"}


def test_no_unique_key_tells_whether_another_tenant_has_a_value(catalogue):
    oracles = names(
        catalogue,
        "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' WHERE i.indisunique AND NOT EXISTS ("
        "SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' "
        "AND a.attnum = ANY(i.indkey))",
    )

    allowed = set(UNIQUE_WITHOUT_TENANT) | {f"{table}_pkey" for table in GLOBAL}
    assert set(oracles) <= allowed


def test_every_foreign_key_between_tenant_tables_carries_the_tenant(catalogue):
    tenants = set(names(catalogue, TENANT_TABLES))
    loose = [
        name
        for name, source, target, columns in catalogue.execute(
            "SELECT k.conname, k.conrelid::regclass::text, k.confrelid::regclass::text, "
            "(SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = k.conrelid "
            "AND a.attnum = ANY(k.conkey)) "
            "FROM pg_constraint k WHERE k.contype = 'f'"
        ).fetchall()
        if source in tenants and target in tenants and "tenant_id" not in columns
    ]

    assert loose == []


def test_the_application_owns_nothing_and_is_nothing_special(catalogue):
    row = catalogue.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = %s", [APP]
    ).fetchone()
    owned = names(catalogue, "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = %s", APP)

    assert row == (False, False, False, False)
    assert owned == []


def test_no_view_lends_its_owners_rights(catalogue):
    lending = names(
        catalogue,
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
        "WHERE c.relkind = 'v' "
        "AND NOT coalesce(array_to_string(c.reloptions, ',') LIKE '%%security_invoker=true%%', false)",
    )
    stale = names(
        catalogue,
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'm' AND has_table_privilege(%s, c.oid, 'SELECT')",
        APP,
    )

    assert lending + stale == []


def test_no_function_lends_its_owners_rights(catalogue):
    lending = names(
        catalogue,
        "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prosecdef "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        APP,
    )

    assert lending == []


def test_no_partition_can_be_read_around_its_parents_policy(catalogue):
    reachable = names(
        catalogue,
        "SELECT c.relname FROM pg_class c WHERE c.relispartition AND has_table_privilege(%s, c.oid, 'SELECT')",
        APP,
    )

    assert reachable == []


@pytest.mark.parametrize("role", [Role.APP, Role.QUEUE])
def test_the_secrets_of_the_instances_are_out_of_reach(catalogue, role):
    for table in ("instance_secrets", "schema_migrations"):
        assert not catalogue.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", [role.value, table]).fetchone()[0]


@pytest.mark.parametrize("role", [Role.APP, Role.QUEUE])
def test_people_are_out_of_reach(catalogue, role):
    for table in ("users", "memberships", "login_attempts", "groups", "group_members", *SECRET):
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            allowed = catalogue.execute("SELECT has_table_privilege(%s, %s, %s)", [role.value, table, right]).fetchone()
            assert allowed == (False,), (table, right)


def test_operators_read_no_passwords_sessions_or_links(catalogue):
    readable = "SELECT has_column_privilege(%s, 'users', 'password_hash', 'SELECT')"
    assert catalogue.execute(readable, [Role.OPERATOR.value]).fetchone() == (False,)
    for table in SECRET:
        allowed = catalogue.execute("SELECT has_any_column_privilege(%s, %s, 'SELECT')", [Role.OPERATOR.value, table])
        assert allowed.fetchone() == (False,), table


def test_the_queue_cannot_read_what_tenants_store(catalogue):
    allowed = {"jobs", "job_clock", "job_lines", "queue_clock", "job_workers"}
    readable = {
        table
        for table in tables(catalogue)
        if catalogue.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", [Role.QUEUE.value, table]).fetchone()[0]
    }

    assert readable <= allowed


class TestBecomingATenant:
    """Not what the catalogue says, but what a tenant sees."""

    @pytest.fixture
    def rows_of_two(self, catalogue):
        """A row for two tenants in every tenant table, by an administrator whom no key or check can stop."""
        mine, theirs = uuid7(), uuid7()
        catalogue.execute("SET session_replication_role = replica")
        readable = [table for table in names(catalogue, TENANT_TABLES) if is_granted(catalogue, table)]
        for table in readable:
            for tenant in (mine, theirs):
                catalogue.execute(*_row_for(catalogue, table, tenant))
        yield mine, theirs, readable
        for table in readable:
            catalogue.execute(
                sql.SQL("DELETE FROM {} WHERE tenant_id = ANY(%s)").format(sql.Identifier(table)), [[mine, theirs]]
            )
        catalogue.execute("SET session_replication_role = origin")

    def test_shows_its_own_rows_and_no_others_in_every_table(self, catalogue, rows_of_two):
        mine, theirs, readable = rows_of_two

        for table in readable:
            with catalogue.transaction(force_rollback=True):
                catalogue.execute(
                    "SELECT set_config('role', %s, true), set_config('app.tenant', %s, true)", [APP, str(mine)]
                )
                seen = catalogue.execute(sql.SQL("SELECT tenant_id FROM {}").format(sql.Identifier(table))).fetchall()
            assert {row[0] for row in seen} == {mine}, table
        assert len(readable) > 10
        assert theirs != mine

    def test_cannot_change_rows_of_others_in_any_table(self, catalogue, rows_of_two):
        mine, theirs, readable = rows_of_two

        for table in readable:
            for command, template in {
                "UPDATE": "UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = %s",
                "DELETE": "DELETE FROM {} WHERE tenant_id = %s",
            }.items():
                if not catalogue.execute("SELECT has_table_privilege(%s, %s, %s)", [APP, table, command]).fetchone()[0]:
                    continue
                with catalogue.transaction(force_rollback=True):
                    catalogue.execute(
                        "SELECT set_config('role', %s, true), set_config('app.tenant', %s, true)", [APP, str(mine)]
                    )
                    done = catalogue.execute(sql.SQL(template).format(sql.Identifier(table)), [theirs])
                    assert done.rowcount == 0, (table, command)

    def test_sees_nothing_at_all_without_a_tenant(self, catalogue, rows_of_two):
        _, _, readable = rows_of_two

        for table in readable:
            with pytest.raises(psycopg.Error), catalogue.transaction(force_rollback=True):
                catalogue.execute("SELECT set_config('role', %s, true)", [APP])
                catalogue.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))


FILLERS = {
    "uuid": "gen_random_uuid()", "text": "md5(random()::text)", "int4": "(random() * 1e9)::int", "int2": "1",
    "int8": "1", "float4": "1", "float8": "1", "numeric": "1", "bool": "true",
    "bytea": "decode(md5(random()::text), 'hex')",
    "timestamptz": "now()", "date": "current_date", "jsonb": "'{}'", "_text": "'{x}'", "_int4": "'{}'",
    "halfvec": "'[1,2]'::halfvec",
}  # fmt: skip
CHOICES = {
    ("api_keys", "origin"): "'api'",
    ("jobs", "state"): "'queued'",
    ("documents", "status"): "'queued'",
    ("index_builds", "state"): "'building'",
    ("audit_events", "outcome"): "'success'",
}


def _row_for(catalogue, table, tenant):
    columns = catalogue.execute(
        "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull "
        "AND a.attgenerated = '' AND a.attidentity = ''",
        [table],
    ).fetchall()
    filled = {name: CHOICES.get((table, name), FILLERS[kind]) for name, kind in columns if name != "tenant_id"}
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, ["tenant_id", *filled])),
        sql.SQL(", ").join([sql.Placeholder(), *map(sql.SQL, filled.values())]),
    )
    return statement, [tenant]


@pytest.mark.anyio
async def test_every_tenant_table_can_be_counted_and_emptied_when_an_organisation_is_erased(catalogue, database):
    found = await RemainsRows(database, TenantId(uuid7())).tables()
    cascading = {
        source
        for source, target in catalogue.execute(
            "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint "
            "WHERE contype = 'f' AND confdeltype = 'c'"
        ).fetchall()
        if target == "organizations" or target in {table.name for table in found}
    }

    assert {table.name for table in found} == set(names(catalogue, TENANT_TABLES))
    assert [table.name for table in found if table.reader is None] == []
    assert [table.name for table in found if table.eraser is None and table.name not in cascading] == []
    order = [table.name for table in found]
    assert order.index("chunks") < order.index("index_documents") < order.index("documents")
