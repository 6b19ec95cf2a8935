import pytest
from pydantic import SecretStr

from carrel.auth.errors_factors import EncryptionKeyMissing, EncryptionKeyUnusable
from carrel.auth.vault import Vault
from carrel.infra.db import Role
from carrel.infra.settings import Encryption

pytestmark = pytest.mark.anyio
FIRST, SECOND = SecretStr("a" * 32), SecretStr("b" * 32)


def vault_of(database, key=None, previous=None, production=False):
    return Vault.of(Encryption(key=key, previous_key=previous), database, production=production)


async def test_gives_back_what_was_sealed(database):
    vault = vault_of(database, FIRST)

    sealed = await vault.seal(b"secret", "lina")

    assert await vault.open(sealed, "lina") == b"secret"
    assert b"secret" not in sealed
    assert sealed != await vault.seal(b"secret", "lina")


async def test_opens_for_nobody_else(database):
    vault = vault_of(database, FIRST)
    sealed = await vault.seal(b"secret", "lina")

    with pytest.raises(EncryptionKeyUnusable):
        await vault.open(sealed, "omar")


@pytest.mark.parametrize("place", [0, 5, 20, -1])
async def test_opens_nothing_that_was_changed(database, place):
    vault = vault_of(database, FIRST)
    sealed = bytearray(await vault.seal(b"secret", "lina"))
    sealed[place] ^= 1

    with pytest.raises(EncryptionKeyUnusable):
        await vault.open(bytes(sealed), "lina")


async def test_opens_with_the_former_key_until_it_is_gone(database):
    sealed = await vault_of(database, FIRST).seal(b"secret", "lina")
    changing, changed = vault_of(database, SECOND, FIRST), vault_of(database, SECOND)

    assert await changing.open(sealed, "lina") == b"secret"
    assert await changing.is_stale(sealed)
    assert not await changing.is_stale(await changing.seal(b"secret", "lina"))
    with pytest.raises(EncryptionKeyUnusable) as refused:
        await changed.open(sealed, "lina")
    assert "ENCRYPTION_PREVIOUS_KEY" in (refused.value.hint or "")


async def test_a_copy_of_the_database_opens_nothing_when_a_key_is_set(database):
    sealed = await vault_of(database, FIRST).seal(b"secret", "lina")
    thief = vault_of(database)

    with pytest.raises(EncryptionKeyUnusable):
        await thief.open(sealed, "lina")


async def test_without_a_key_all_instances_share_one(database):
    sealed = await vault_of(database).seal(b"secret", "lina")

    assert await vault_of(database).open(sealed, "lina") == b"secret"
    async with database.transaction(Role.GATE) as db:
        assert await db.value("SELECT count(*) FROM instance_secrets WHERE name = 'vault'") == 1


async def test_in_production_nothing_is_sealed_without_a_key(database):
    with pytest.raises(EncryptionKeyMissing):
        await vault_of(database, production=True).seal(b"secret", "lina")


async def test_refuses_a_short_key(database):
    with pytest.raises(EncryptionKeyUnusable):
        vault_of(database, SecretStr("short"))
