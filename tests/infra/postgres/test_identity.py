"""As whom the server runs. What is forbidden here is forbidden by the kernel, in a process of its own."""

import os
import pwd
import shutil
from pathlib import Path

import pytest

from carrel.infra.postgres import read_dsn
from carrel.infra.postgres.binaries import installed

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
NOBODY = pwd.getpwnam("nobody")


def user_of(pid):
    return Path(f"/proc/{pid}").stat().st_uid


def everybody_may_enter(folder):
    return all(place.stat().st_mode & 0o005 == 0o005 for place in (folder, *folder.parents))


@as_root
class TestRoot:
    def test_is_an_ordinary_user_inside_a_namespace_of_the_server(self, folder, given_postgres, ask):
        postgres = given_postgres(folder)

        postgres.start()

        inside, outside, count = Path(f"/proc/{postgres.pid}/uid_map").read_text().split()
        assert inside != "0"
        assert (outside, count) == ("0", "1")
        assert {file.stat().st_uid for file in (folder / "cluster").rglob("*")} == {0}

    def test_needs_no_permission_for_others_in_a_namespace(self, tmp_path, template, given_postgres, ask):
        (tmp_path / "closed").mkdir(mode=0o700)
        folder = tmp_path / "closed" / "postgres"
        shutil.copytree(template, folder)
        folder.chmod(0o700)
        postgres = given_postgres(folder)

        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]

    @pytest.mark.skipif(not everybody_may_enter(installed().folder), reason="other accounts cannot run the programs")
    def test_falls_back_to_an_account_where_namespaces_are_forbidden(self, open_folder, given_owner, ask, gone):
        folder = open_folder / "postgres"
        owner = given_owner(folder, sandbox="no namespaces", account="nobody")

        answer = owner.answer()

        assert answer["code"] is None, answer
        assert user_of(answer["pid"]) == NOBODY.pw_uid
        assert (folder / "cluster").stat().st_uid == NOBODY.pw_uid
        assert folder.stat().st_uid == 0
        assert ask(read_dsn(folder), "SELECT 1") == [(1,)]
        owner.kill()
        assert gone(answer["pid"])

    @pytest.mark.skipif(not everybody_may_enter(installed().folder), reason="other accounts cannot run the programs")
    def test_stays_with_the_account_that_owns_the_data(self, open_folder, given_owner, given_postgres):
        folder = open_folder / "postgres"
        first = given_owner(folder, sandbox="no namespaces", account="nobody")
        assert first.answer()["code"] is None
        first.end()

        postgres = given_postgres(folder)
        postgres.start()

        assert user_of(postgres.pid) == NOBODY.pw_uid

    def test_is_refused_with_remedies_when_the_account_cannot_enter(self, tmp_path, given_owner):
        (tmp_path / "closed").mkdir(mode=0o700)

        answer = given_owner(tmp_path / "closed" / "postgres", sandbox="no namespaces", account="nobody").answer()

        assert answer["code"] == "postgres-root"
        assert "a user namespace: not allowed here" in answer["detail"]
        assert "account nobody: cannot enter" in answer["detail"]
        assert "DATABASE_URL" in answer["hint"]
        assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize(("account", "reason"), [("no-such-account", "does not exist"), ("root", "is root")])
    def test_is_told_when_the_account_it_names_will_not_do(self, open_folder, given_owner, account, reason):
        answer = given_owner(open_folder / "postgres", sandbox="no namespaces", account=account).answer()

        assert answer["code"] == "postgres-root"
        assert f"account {account}: {reason}" in answer["detail"]

    def test_does_not_take_over_the_database_of_a_stranger(self, hollow_folder, given_owner):
        shutil.chown(hollow_folder / "cluster", 4242)

        answer = given_owner(hollow_folder).answer()

        assert answer["code"] == "postgres-root"
        assert "the database belongs to user 4242" in answer["detail"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root is another case")
class TestAnOrdinaryUser:
    def test_runs_the_server_as_itself(self, folder, given_postgres):
        postgres = given_postgres(folder)

        postgres.start()

        assert user_of(postgres.pid) == os.geteuid()
        assert Path(f"/proc/{postgres.pid}/uid_map").read_text() == Path("/proc/self/uid_map").read_text()

    def test_who_only_plays_root_is_refused_without_a_second_namespace(self, folder, given_owner):
        answer = given_owner(folder, sandbox="no namespaces").answer()

        assert answer["code"] == "postgres-root"
        assert "a user namespace: not allowed here" in answer["detail"]


def test_a_user_without_a_name_is_given_one_in_a_namespace(folder, given_owner, ask):
    answer = given_owner(folder, sandbox="other user", uid="54321").answer()

    assert answer["code"] is None, answer
    assert Path(f"/proc/{answer['pid']}/uid_map").read_text().split()[0] != "54321"
    assert ask(answer["dsn"], "SELECT 1") == [(1,)]
