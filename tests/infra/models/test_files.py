import hashlib
import os
import threading

import pytest

from carrel.infra.models.files import locked, publish, remembered_sha256_of, scratch, sha256_of, write_whole


def nobody_waits():
    raise AssertionError("The lock was held by someone else.")


class TestRememberedDigest:
    def test_is_the_digest_of_the_file(self, tmp_path):
        weights = tmp_path / "weights"
        weights.write_bytes(b"one")

        first = remembered_sha256_of(weights, tmp_path / "memory")
        second = remembered_sha256_of(weights, tmp_path / "memory")

        assert first == second == hashlib.sha256(b"one").hexdigest()

    def test_follows_a_change_that_keeps_size_and_time(self, tmp_path):
        weights = tmp_path / "weights"
        weights.write_bytes(b"one")
        before = weights.stat()
        remembered_sha256_of(weights, tmp_path / "memory")

        # Replaced as any tool would: the kernel's clock may be too coarse to tell two writes into one inode apart.
        (tmp_path / "new").write_bytes(b"two")
        (tmp_path / "new").rename(weights)
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))

        assert remembered_sha256_of(weights, tmp_path / "memory") == hashlib.sha256(b"two").hexdigest()

    def test_ignores_a_damaged_memory(self, tmp_path):
        weights, memory = tmp_path / "weights", tmp_path / "memory"
        weights.write_bytes(b"one")
        remembered_sha256_of(weights, memory)
        for note in memory.iterdir():
            note.write_bytes(b"\xff" * 64)

        assert remembered_sha256_of(weights, memory) == hashlib.sha256(b"one").hexdigest()


class TestPublish:
    def test_moves_a_folder_that_is_in_the_way_aside(self, tmp_path):
        for name in ("draft", "target"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text(name, encoding="ascii")

        publish(tmp_path / "draft", tmp_path / "target", aside=tmp_path / "aside")

        assert (tmp_path / "target" / "file").read_text(encoding="ascii") == "draft"
        assert (tmp_path / "aside" / "file").read_text(encoding="ascii") == "target"

    def test_writing_whole_leaves_nothing_but_the_file(self, tmp_path):
        write_whole(tmp_path / "file", "old")
        write_whole(tmp_path / "file", "new")

        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text(encoding="ascii") == "new"


def test_scratch_removes_what_a_killed_process_left(tmp_path):
    (tmp_path / ".model-abandoned").mkdir()
    (tmp_path / ".model-abandoned" / "half").write_bytes(b"...")
    (tmp_path / "model").mkdir()

    with scratch(tmp_path, "model") as folder:
        assert [path.name for path in tmp_path.glob(".model-*")] == [folder.name]

    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class TestLocked:
    def test_lets_one_in_at_a_time(self, tmp_path):
        path, waits, order = tmp_path / "lock", threading.Event(), []

        def second() -> None:
            with locked(path, on_wait=waits.set):
                order.append("second")

        with locked(path, on_wait=nobody_waits):
            thread = threading.Thread(target=second)
            thread.start()
            assert waits.wait(30)
            order.append("first")
        thread.join(30)

        assert order == ["first", "second"]

    def test_is_free_again_after_a_failure(self, tmp_path):
        with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", on_wait=nobody_waits):
            _ = 1 / 0

        with locked(tmp_path / "lock", on_wait=nobody_waits):
            assert sha256_of(tmp_path / "lock") == hashlib.sha256(b"").hexdigest()
