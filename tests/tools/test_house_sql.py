import pytest

from tools.house import check

EXEMPT = {"carrel.auth.repository.KEY": "A key is found before its tenant is known."}


@pytest.fixture
def findings(tmp_path):
    def look(code, *, module="documents/repository.py", exempt=None):
        target = tmp_path / "src" / "carrel" / module
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code, encoding="utf-8")
        return [str(finding).partition(": ")[2] for finding in check(tmp_path, exempt or {})]

    return look


STATEMENTS = [
    '"SELECT 1 FROM documents WHERE tenant_id = %(tenant)s"',
    '"""\n    INSERT INTO documents (tenant_id) VALUES (%(tenant)s)\n"""',
    'f"UPDATE documents SET {column} = 1 WHERE tenant_id = %(tenant)s"',
    '"DELETE FROM documents " "WHERE tenant_id = %(tenant)s"',
    '"WITH mine AS (SELECT 1) SELECT tenant_id FROM mine"',
    '"COPY chunks (tenant_id, text) FROM STDIN"',
    '"SELECT id " + where + " AND tenant_id = %(tenant)s"',
    '"select id from documents where tenant_id = %(tenant)s"',
]

PROSE = [
    '"Select a file, then press Enter."',
    '"select what you want"',
    '"With a key, or without one."',
    '"DELETE"',
    '"Update the document instead."',
    '"update available"',
    '"copy"',
]


@pytest.mark.parametrize("sql", STATEMENTS)
@pytest.mark.parametrize("module", ["documents/repository.py", "index/repository_postings.py", "infra/health.py"])
def test_sql_is_at_home_in_a_repository_and_in_the_ground(findings, sql, module):
    assert findings(f"GET = {sql}\n", module=module) == []


@pytest.mark.parametrize("sql", STATEMENTS)
@pytest.mark.parametrize("module", ["documents/service.py", "documents/my_repository.py", "entry/worker.py"])
def test_sql_is_out_of_place_anywhere_else(findings, sql, module):
    (sentence,) = findings(f"def run(db, where, column):\n    return db.all({sql})\n", module=module)

    assert sentence.startswith("SQL stands in `repository.py`")


@pytest.mark.parametrize("prose", PROSE)
def test_prose_is_not_sql(findings, prose):
    assert findings(f"hint = {prose}\n", module="documents/service.py") == []


def test_a_docstring_is_not_sql(findings):
    code = '"""SELECT in words."""\nclass A:\n    """SELECT in words."""\n    x: int\n    """WITH a reason."""\n'

    assert findings(code, module="documents/service.py") == []


class TestTenant:
    def test_is_named_by_every_statement(self, findings):
        sentences = findings('GET = "SELECT id FROM documents WHERE id = %(id)s"\n')

        assert sentences == ["This statement names no `tenant_id`: it would reach every tenant's rows."]

    def test_is_missed_in_a_statement_inside_a_method(self, findings):
        code = "class Documents:\n    async def all(self):\n        await self.db.all('SELECT 1 FROM documents')\n"

        assert len(findings(code)) == 1

    def test_may_stand_in_a_constant_that_the_statement_contains(self, findings):
        code = 'OWN = "tenant_id = %(tenant)s"\nFROM = f"FROM documents WHERE {OWN}"\nGET = f"SELECT id {FROM}"\n'

        assert findings(code) == []

    def test_is_not_asked_of_a_statement_that_reads_no_rows(self, findings):
        assert findings('LOCK = "SELECT pg_try_advisory_xact_lock(%(lock)s)"\n') == []

    def test_is_not_a_longer_name(self, findings):
        assert len(findings('GET = "SELECT subtenant_id FROM documents"\n')) == 1

    def test_is_not_asked_of_an_exempt_constant(self, findings):
        code = 'KEY = "SELECT id FROM api_keys"\nALL = "SELECT id FROM api_keys ORDER BY id"\n'

        assert len(findings(code, module="auth/repository.py", exempt=EXEMPT)) == 1

    def test_is_not_asked_of_an_exempt_module(self, findings):
        exempt = {"carrel.auth.repository": "Everything here comes before the tenant."}

        assert findings('KEY = "SELECT id FROM api_keys"\n', module="auth/repository.py", exempt=exempt) == []

    def test_exemptions_of_nothing_are_found(self, findings):
        (sentence,) = findings('OTHER = "text"\n', module="auth/repository.py", exempt=EXEMPT)

        assert "`carrel.auth.repository.KEY`, which does not exist" in sentence


class TestMethods:
    @pytest.mark.parametrize("name", ["tenant", "tenant_id"])
    @pytest.mark.parametrize("signature", ["self, {}", "self, *, {}", "self, {}, /"])
    def test_of_a_repository_take_no_tenant(self, findings, name, signature):
        code = f"class Documents:\n    async def get({signature.format(name)}):\n        return 1\n"

        assert findings(code) == ["`Documents.get` takes a tenant: a repository is bound to one at birth."]

    def test_that_make_a_repository_or_are_private_may(self, findings):
        code = "class A:\n    def __init__(self, tenant): ...\n    def _bind(self, tenant): ...\n"

        assert findings(code) == []

    def test_of_a_service_may(self, findings):
        assert findings("class A:\n    def f(self, tenant): ...\n", module="documents/service.py") == []

    def test_of_an_exempt_class_may(self, findings):
        exempt = {"carrel.documents.repository.Gate": "It finds out whose a key is."}

        assert findings("class Gate:\n    def f(self, tenant): ...\n", exempt=exempt) == []


SESSION = [
    "\"SELECT set_config('app.tenant', %(tenant)s, true), tenant_id\"",
    '"SET ROLE gate"',
    '"SET SESSION AUTHORIZATION gate"',
    '"SET LOCAL statement_timeout = 0"',
    '"SET search_path TO public"',
    '"RESET ROLE"',
    '"BEGIN; SET ROLE gate"',
    '"set role gate"',
]


class TestSessionState:
    @pytest.mark.parametrize("sql", SESSION)
    def test_is_set_nowhere_but_in_the_database_kit(self, findings, sql):
        (sentence,) = findings(f"X = {sql}\n")

        assert sentence == "The state of a database session is set in carrel.infra.db only."
        assert findings(f"X = {sql}\n", module="infra/health.py")

    @pytest.mark.parametrize("sql", SESSION)
    def test_is_set_in_the_database_kit(self, findings, sql):
        assert findings(f"X = {sql}\n", module="infra/db/transaction.py") == []

    @pytest.mark.parametrize(
        "text",
        [
            '"UPDATE memberships SET role = %(role)s WHERE tenant_id = %(tenant)s"',
            '"""\n  UPDATE memberships\n  SET role = 1\n  WHERE tenant_id = 2\n"""',
            '"Set JWT_SECRET before the start."',
            '"SET"',
        ],
    )
    def test_is_not_every_set(self, findings, text):
        assert findings(f"X = {text}\n") == []
