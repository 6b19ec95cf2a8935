import asyncio
import os
import secrets
import stat

import pytest
from pydantic import SecretStr

from carrel.auth import keyfile
from carrel.auth.adminkey import ensure_admin_key
from carrel.auth.authenticator import Authenticator
from carrel.auth.errors import AdminKeyUnusable, InvalidCredentials
from carrel.auth.keys import FORM, new_key
from carrel.infra.db import Role
from carrel.tenants.service import Organizations
from tests.auth.givens import change, given_key, revoke

pytestmark = pytest.mark.anyio


def a_setting():
    return SecretStr(f"from the settings {secrets.token_hex(8)}")


async def caller_of(database, key):
    authenticator = Authenticator(database)
    try:
        return await authenticator.caller_with(key.encode())
    finally:
        await authenticator.close()


async def default_organization(database):
    async with database.transaction(Role.GATE) as db:
        return await Organizations(db).ensure_default()


class TestWithoutASetting:
    async def test_makes_a_key_that_is_the_administrator(self, database, tmp_path):
        admin = await ensure_admin_key(database, tmp_path / "data", None)

        caller = await caller_of(database, admin.key)
        assert admin.created
        assert FORM.fullmatch(admin.key)
        assert admin.key not in repr(admin)
        assert caller.tenant == (await default_organization(database)).id
        assert caller.scopes == {"admin", "operator", "token"}

    async def test_keeps_it_in_a_file_for_its_owner(self, database, tmp_path):
        admin = await ensure_admin_key(database, tmp_path / "data", None)

        assert admin.file == tmp_path / "data" / "admin.key"
        assert admin.file.read_text() == f"{admin.key}\n"
        assert stat.S_IMODE(admin.file.stat().st_mode) == 0o600

    async def test_takes_the_same_one_at_the_next_start(self, database, tmp_path):
        first = await ensure_admin_key(database, tmp_path, None)
        second = await ensure_admin_key(database, tmp_path, None)

        assert second.key == first.key
        assert not second.created

    async def test_many_starts_at_once_agree_on_one_key(self, database, tmp_path):
        found = await asyncio.gather(*(ensure_admin_key(database, tmp_path, None) for _ in range(6)))

        assert len({admin.key for admin in found}) == 1
        assert [admin.created for admin in found].count(True) == 1
        assert keyfile.read(tmp_path / keyfile.NAME) == found[0].key

    async def test_makes_a_new_one_when_the_file_holds_a_key_of_another_database(self, database, tmp_path):
        keyfile.write(tmp_path / keyfile.NAME, foreign := new_key())

        admin = await ensure_admin_key(database, tmp_path, None)

        assert admin.created
        assert admin.key != foreign
        assert keyfile.read(admin.file) == admin.key

    async def test_makes_a_new_one_when_the_old_one_was_revoked(self, database, tmp_path):
        first = await ensure_admin_key(database, tmp_path, None)
        caller = await caller_of(database, first.key)
        await revoke(database, caller.tenant, caller.subject.removeprefix("key:"))

        second = await ensure_admin_key(database, tmp_path, None)

        assert second.created
        assert (await caller_of(database, second.key)).may("admin")

    async def test_does_not_take_a_key_without_the_scope_for_the_administrators(self, database, tmp_path):
        home = await default_organization(database)
        plain = await given_key(database, home.id)
        keyfile.write(tmp_path / keyfile.NAME, plain.key)

        admin = await ensure_admin_key(database, tmp_path, None)

        assert admin.key != plain.key

    async def test_does_not_take_another_organizations_key(self, database, tmp_path, stranger):
        theirs = await given_key(database, stranger, ["admin"])
        keyfile.write(tmp_path / keyfile.NAME, theirs.key)

        assert (await ensure_admin_key(database, tmp_path, None)).key != theirs.key

    async def test_leaves_no_key_in_the_database_that_nobody_could_know(self, database, tmp_path):
        home = await default_organization(database)
        (tmp_path / "data").write_text("a file where the folder should be")
        count = "SELECT count(*) FROM api_keys WHERE tenant_id = %(tenant)s"
        async with database.transaction(Role.APP, home.id) as db:
            before = await db.value(count, tenant=home.id)

        with pytest.raises(AdminKeyUnusable):
            await ensure_admin_key(database, tmp_path / "data", None)

        async with database.transaction(Role.APP, home.id) as db:
            assert await db.value(count, tenant=home.id) == before

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    async def test_says_when_the_folder_may_not_be_written(self, database, tmp_path):
        tmp_path.chmod(0o500)

        with pytest.raises(AdminKeyUnusable) as refused:
            await ensure_admin_key(database, tmp_path, None)

        assert "DATA_DIR" in (refused.value.hint or "")


class TestWithASetting:
    async def test_takes_the_key_as_it_is_and_writes_no_file(self, database, tmp_path):
        setting = a_setting()

        admin = await ensure_admin_key(database, tmp_path, setting)

        assert admin.key == setting.get_secret_value()
        assert admin.created
        assert (await caller_of(database, admin.key)).may("admin")
        assert not admin.file.exists()

    async def test_takes_it_again_without_making_it_again(self, database, tmp_path):
        setting = a_setting()
        await ensure_admin_key(database, tmp_path, setting)

        assert not (await ensure_admin_key(database, tmp_path, setting)).created

    async def test_shows_no_part_of_it_as_its_prefix(self, database, tmp_path):
        admin = await ensure_admin_key(database, tmp_path, a_setting())

        caller = await caller_of(database, admin.key)
        async with database.transaction(Role.APP, caller.tenant) as db:
            prefix = await db.value(
                "SELECT prefix FROM api_keys WHERE tenant_id = %(tenant)s AND id = %(id)s",
                tenant=caller.tenant,
                id=caller.subject.removeprefix("key:"),
            )
        assert prefix == "setting"

    async def test_a_changed_setting_ends_the_old_key_and_no_other(self, database, tmp_path):
        generated = await ensure_admin_key(database, tmp_path, None)
        old, new = a_setting(), a_setting()
        await ensure_admin_key(database, tmp_path, old)

        await ensure_admin_key(database, tmp_path, new)

        assert (await caller_of(database, new.get_secret_value())).may("admin")
        assert (await caller_of(database, generated.key)).may("admin")
        with pytest.raises(InvalidCredentials):
            await caller_of(database, old.get_secret_value())

    async def test_a_setting_that_is_changed_back_works_again(self, database, tmp_path):
        one, other = a_setting(), a_setting()
        for setting in (one, other, one):
            await ensure_admin_key(database, tmp_path, setting)

        assert (await caller_of(database, one.get_secret_value())).may("admin")

    async def test_spaces_around_it_are_lost_as_they_would_be_in_a_header(self, database, tmp_path):
        setting = a_setting()

        admin = await ensure_admin_key(database, tmp_path, SecretStr(f"  {setting.get_secret_value()}\n"))

        assert admin.key == setting.get_secret_value()

    @pytest.mark.parametrize("text", ["", "x" * 15, " " * 40, "x" * 15 + " ", "long enough\nbut two lines"])
    async def test_refuses_what_could_be_guessed_or_not_be_sent(self, database, tmp_path, text):
        with pytest.raises(AdminKeyUnusable, match="at least 16 printable characters") as refused:
            await ensure_admin_key(database, tmp_path, SecretStr(text))

        assert refused.value.hint is not None

    async def test_refuses_the_key_of_another_organization(self, database, tmp_path, stranger):
        theirs = await given_key(database, stranger)

        with pytest.raises(AdminKeyUnusable, match="another organization"):
            await ensure_admin_key(database, tmp_path, SecretStr(theirs.key))

        assert (await caller_of(database, theirs.key)).tenant == stranger

    async def test_many_starts_at_once_make_it_once(self, database, tmp_path):
        setting = a_setting()

        found = await asyncio.gather(*(ensure_admin_key(database, tmp_path, setting) for _ in range(6)))

        assert [admin.created for admin in found].count(True) == 1

    async def test_revives_the_key_that_it_names(self, database, tmp_path):
        setting = a_setting()
        admin = await ensure_admin_key(database, tmp_path, setting)
        caller = await caller_of(database, admin.key)
        key_id = caller.subject.removeprefix("key:")
        await change(database, caller.tenant, key_id, "revoked_at = created_at, scopes = '{read}'")

        again = await ensure_admin_key(database, tmp_path, setting)

        assert again.created
        assert (await caller_of(database, admin.key)).scopes == {"admin", "operator", "token"}
