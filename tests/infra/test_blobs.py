import asyncio
import hashlib
import json
import os
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from carrel.infra import blobs as module
from carrel.infra.blobs import (
    ABANDONED,
    INCOMING,
    KEY,
    MEBIBYTE,
    ONE_REQUEST,
    Blobs,
    ObjectExists,
    ObjectNotFound,
    ObjectStoreMisconfigured,
)
from carrel.infra.web.errors import TooLarge

pytestmark = pytest.mark.anyio

HERE = "tenant/document/1"
LARGE = ONE_REQUEST + MEBIBYTE + 7


@pytest.fixture(params=["folder", "cloud"])
def blobs(request, tmp_path):
    """A local folder; and what a cloud gets, from the store that keeps everything in memory."""
    return Blobs.at(None, tmp_path) if request.param == "folder" else Blobs(MemoryStore(), tmp_path / "incoming")


@pytest.fixture
def local(tmp_path):
    return Blobs.at(None, tmp_path)


@pytest.fixture
def cloud(tmp_path):
    return Blobs(MemoryStore(), tmp_path / "incoming")


async def pieces(data, size=100_000):
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def broken(data):
    yield data
    raise ConnectionResetError("the client went away")


async def put(blobs, data, key=HERE, limit=None):
    return await blobs.put(key, pieces(data), limit=limit)


async def keys(blobs, prefix=""):
    return sorted([entry.key async for entry in blobs.list(prefix)])


async def left(blobs):
    """Everything that is stored or on its way in, under whatever name."""
    on_the_way = sorted(path.name for path in blobs.incoming.iterdir()) if blobs.incoming.is_dir() else []
    passing = [entry.key async for entry in blobs._entries(INCOMING)] if blobs.root is None else []
    return [*on_the_way, *passing, *await keys(blobs)]


def content(size):
    return hashlib.shake_128(b"content").digest(size)


class TestPut:
    @pytest.mark.parametrize("size", [0, 1, MEBIBYTE - 1, MEBIBYTE, 3 * MEBIBYTE + 1, ONE_REQUEST, LARGE])
    async def test_what_was_put_comes_back_with_its_size_and_digest(self, blobs, size):
        data = content(size)

        stored = await put(blobs, data)

        assert (stored.size, stored.sha256) == (size, hashlib.sha256(data).hexdigest())
        assert b"".join([piece async for piece in await blobs.get(HERE)]) == data
        assert await blobs.read(HERE, limit=size) == data
        assert await left(blobs) == [HERE]

    @pytest.mark.parametrize("size", [5, LARGE])
    async def test_never_overwrites(self, blobs, size):
        await put(blobs, content(size))

        with pytest.raises(ObjectExists) as refused:
            await put(blobs, b"other" + content(size))

        assert refused.value.status == 409
        assert await blobs.read(HERE, limit=LARGE) == content(size)
        assert await left(blobs) == [HERE]

    @pytest.mark.parametrize("size", [5, LARGE])
    async def test_of_many_at_once_one_wins_and_is_whole(self, blobs, size):
        given = [bytes([number]) * size for number in range(6)]

        outcomes = await asyncio.gather(*(put(blobs, data) for data in given), return_exceptions=True)

        winners = [data for data, outcome in zip(given, outcomes, strict=True) if not isinstance(outcome, ObjectExists)]
        assert [await blobs.read(HERE, limit=size)] == winners
        assert await left(blobs) == [HERE]

    async def test_takes_what_is_as_large_as_the_limit(self, blobs):
        assert (await put(blobs, content(500), limit=500)).size == 500

    @pytest.mark.parametrize("size", [501, 3 * MEBIBYTE])
    async def test_refuses_what_is_larger_and_leaves_nothing(self, blobs, size):
        with pytest.raises(TooLarge) as refused:
            await put(blobs, content(size), limit=500)

        assert (refused.value.status, refused.value.code) == (413, "too-large")
        assert await left(blobs) == []

    async def test_stops_reading_soon_after_the_limit(self, blobs):
        taken = 0

        async def endless():
            nonlocal taken
            while True:
                taken += 65_536
                yield bytes(65_536)

        with pytest.raises(TooLarge):
            await blobs.put(HERE, endless(), limit=MEBIBYTE)

        assert taken <= 3 * MEBIBYTE

    @pytest.mark.parametrize("size", [10, 2 * MEBIBYTE, LARGE])
    async def test_a_sender_that_fails_leaves_nothing_and_its_failure_comes_through(self, blobs, size):
        with pytest.raises(ConnectionResetError, match="went away"):
            await blobs.put(HERE, broken(content(size)), limit=None)

        assert await left(blobs) == []
        assert (await put(blobs, b"again")).size == 5

    async def test_a_cancelled_put_leaves_nothing(self, blobs):
        started = asyncio.Event()

        async def hanging():
            yield content(2 * MEBIBYTE)
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(blobs.put(HERE, hanging(), limit=None))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await left(blobs) == []

    @pytest.mark.parametrize("size", [10, LARGE])
    async def test_wherever_a_put_is_cancelled_it_is_whole_or_nothing(self, blobs, size):
        data, delay, done = content(size), 0.0, False
        while not done:
            # The delay only moves the blow through the stages of a put; what is asserted holds at each of them.
            task = asyncio.create_task(put(blobs, data))
            await asyncio.sleep(delay)
            done, delay = task.done(), delay * 1.1 + 0.0002
            task.cancel()
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(outcome, asyncio.CancelledError):
                assert await left(blobs) == []
            else:
                assert await left(blobs) == [HERE]
                await blobs.delete(HERE)


class TestDurability:
    async def test_file_and_folders_are_on_the_disk_before_put_returns(self, local, monkeypatch):
        """Only a power cut would prove it; the next best is to watch what the kernel is told, and in which order."""
        calls, names = [], {}

        def noting(name):
            real = getattr(os, name)

            def call(*arguments, **options):
                result = real(*arguments, **options)
                if name == "open":
                    names[result] = Path(arguments[0])
                calls.append((name, names.get(arguments[0], arguments[-1])))
                return result

            return call

        for name in ("open", "fsync", "link"):
            monkeypatch.setattr(os, name, noting(name))
        await put(local, b"x")
        monkeypatch.undo()

        done = [call for call in calls if call[0] != "open"]
        final = local.root / HERE
        assert done[0][0] == "fsync"
        assert done[0][1].parent == local.incoming
        assert done[1] == ("link", final)
        assert [folder for _, folder in done[2:]] == [final.parent, final.parent.parent, local.root]

    async def test_only_the_servers_account_may_read_the_files(self, local):
        mask = os.umask(0)
        try:
            await put(local, b"x")
        finally:
            os.umask(mask)

        path = await local.local_path(HERE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(local.root.stat().st_mode) == 0o700

    async def test_a_disk_that_fails_at_the_last_step_leaves_nothing(self, local, monkeypatch):
        real = module._sync_folder

        def failing(folder):
            if folder == local.root:
                raise OSError(5, "Input/output error")
            real(folder)

        monkeypatch.setattr(module, "_sync_folder", failing)

        with pytest.raises(module.ObjectStoreUnavailable):
            await put(local, b"x")

        assert await left(local) == []

    def test_a_full_disk_is_said_leaves_nothing_and_takes_the_next_one(self, tmp_path):
        program = Path(__file__).with_name("small_disk.py")
        told = subprocess.run(
            [sys.executable, str(program), str(tmp_path)],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
            check=False,
        )
        if told.returncode == 77:
            pytest.skip("this system does not let a process mount a disk of its own")
        assert told.returncode == 0, told.stderr
        assert json.loads(told.stdout) == {"code": "storage-full", "status": 507, "left": [], "next": 100_000}


class TestMemory:
    def test_two_hundred_megabytes_pass_through_little_memory(self, tmp_path):
        program = f"""
import asyncio, resource
from pathlib import Path
from carrel.infra.blobs import Blobs

async def chunks():
    for _ in range(3200):
        yield bytes(65536)

async def main():
    blobs = Blobs.at(None, Path({str(tmp_path)!r}))
    async def few():
        yield bytes(65536)
    await blobs.put("warm", few(), limit=None)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await blobs.put("large", chunks(), limit=None)
    size = 0
    async for piece in await blobs.get("large"):
        size += len(piece)
    assert size == 200 * 2**20
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main())
"""
        told = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.defpath},
            check=True,
        )

        kibibytes = int(told.stdout)
        assert kibibytes < 64 * 1024


class TestKeys:
    @pytest.mark.parametrize(
        "key",
        ["", "/etc/passwd", "..", "../x", "a/../b", "a/..", "a//b", "a/", "./a", "a/.", ".incoming/x", "a/.b",
         "a\\b", "a\0b", "a b", "ä", "a\n", "a%2e%2e", "x" * 513],
    )  # fmt: skip
    async def test_keys_that_are_not_ours_are_refused_by_everything(self, blobs, key):
        for call in (
            blobs.put(key, pieces(b"x"), limit=None),
            blobs.get(key),
            blobs.read(key, 1),
            blobs.local_path(key),
            blobs.delete(key),
        ):
            with pytest.raises(ValueError, match="object key"):
                await call

    @settings(deadline=None)
    @given(st.text(st.sampled_from("ab./-_%\\\0 \n~"), max_size=12) | st.text(max_size=20))
    def test_no_key_that_is_accepted_leaves_the_root(self, key):
        if KEY.fullmatch(key):
            root = Path("/var/store")
            path = Path(os.path.normpath(root / key))
            assert path.is_relative_to(root)
            assert path != root
            assert not path.relative_to(root).parts[0].startswith(".")


class TestReading:
    async def test_what_is_not_there_is_said_before_the_first_piece(self, blobs):
        for call in (blobs.get(HERE), blobs.read(HERE, 10)):
            with pytest.raises(ObjectNotFound) as refused:
                await call
            assert refused.value.status == 404

    async def test_reads_no_more_than_allowed(self, blobs):
        await put(blobs, content(11))

        with pytest.raises(TooLarge):
            await blobs.read(HERE, limit=10)

    async def test_a_folder_tells_where_the_file_is(self, local):
        await put(local, b"some text")

        path = await local.local_path(HERE)

        assert path.read_bytes() == b"some text"
        with pytest.raises(ObjectNotFound):
            await local.local_path("tenant/document/2")

    async def test_a_cloud_has_no_files(self, cloud):
        await put(cloud, b"x")

        assert await cloud.local_path(HERE) is None

    async def test_a_reader_finishes_although_the_object_is_deleted_meanwhile(self, local):
        data = content(5 * MEBIBYTE)
        await put(local, data)
        reading = await local.get(HERE)
        first = await anext(reading)

        await local.delete(HERE)

        assert first + b"".join([piece async for piece in reading]) == data


class TestDelete:
    async def test_is_no_fault_when_there_is_nothing(self, blobs):
        await put(blobs, b"x")

        await blobs.delete(HERE)
        await blobs.delete(HERE)

        assert await keys(blobs) == []

    async def test_frees_the_key(self, blobs):
        await put(blobs, b"old")
        await blobs.delete(HERE)

        await put(blobs, b"new")

        assert await blobs.read(HERE, 10) == b"new"

    async def test_leaves_no_empty_folders_and_no_put_fails_for_it(self, local):
        async def come_and_go(number):
            for _ in range(20):
                await put(local, b"x", f"tenant/document/{number}")
                await local.delete(f"tenant/document/{number}")

        await asyncio.gather(*(come_and_go(number) for number in range(4)))

        assert [path.name for path in local.root.iterdir()] == [INCOMING]


class TestList:
    async def test_shows_whole_segments_only_with_sizes(self, blobs):
        for key in ("a/1/1", "a/1/2", "a/10/1", "b/1/1"):
            await put(blobs, key.encode(), key)

        assert await keys(blobs) == ["a/1/1", "a/1/2", "a/10/1", "b/1/1"]
        assert await keys(blobs, "a/1") == ["a/1/1", "a/1/2"]
        assert await keys(blobs, "c") == []
        assert [entry.size async for entry in blobs.list("a/10")] == [6]
        with pytest.raises(ValueError, match="object key"):
            await keys(blobs, "..")

    async def test_does_not_show_what_is_still_on_its_way(self, blobs):
        seen = None

        async def looking():
            nonlocal seen
            yield content(2 * MEBIBYTE)
            seen = await keys(blobs)

        await blobs.put(HERE, looking(), limit=None)

        assert seen == []


class TestSweep:
    async def test_removes_what_a_killed_process_left_and_nothing_younger(self, local):
        local.incoming.mkdir()
        old, young = local.incoming / "old", local.incoming / "young"
        for path in (old, young):
            path.write_bytes(b"part")
        long_ago = old.stat().st_mtime - ABANDONED.total_seconds() - 60
        os.utime(old, (long_ago, long_ago))
        await put(local, b"x")

        assert await local.sweep() == 1

        assert await left(local) == ["young", HERE]

    async def test_removes_what_was_on_its_way_within_a_cloud(self, cloud):
        cloud.store.put(f"{INCOMING}/part", b"x")
        await put(cloud, b"x")

        assert await cloud.sweep(timedelta(hours=1)) == 0
        assert await cloud.sweep(timedelta(seconds=-60)) == 1

        assert await left(cloud) == [HERE]


class TestAt:
    async def test_a_folder_may_be_named_by_its_url(self, tmp_path):
        blobs = Blobs.at((tmp_path / "a folder").as_uri(), tmp_path / "data")

        await put(blobs, b"x")

        assert (tmp_path / "a folder" / HERE).read_bytes() == b"x"
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize(
        "url", ["ftp://host/x", "objects", "http://host/x", "memory:///", "file://host/x", "file:x", "s3://", "az://x"]
    )
    async def test_an_url_that_cannot_be_used_is_said_with_what_to_do(self, tmp_path, url):
        with pytest.raises(ObjectStoreMisconfigured) as refused:
            Blobs.at(url, tmp_path)

        assert refused.value.hint is not None

    async def test_a_folder_that_cannot_be_made_is_said(self, tmp_path):
        (tmp_path / "objects").write_text("in the way")

        with pytest.raises(ObjectStoreMisconfigured):
            Blobs.at(None, tmp_path)

    @pytest.mark.parametrize("url", ["s3://bucket/prefix", "gs://bucket/prefix", "az://container/prefix"])
    async def test_clouds_open_without_being_asked_for_anything(self, tmp_path, monkeypatch, url):
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")

        assert Blobs.at(url, tmp_path).root is None

    async def test_a_cloud_that_lacks_a_setting_says_which(self, tmp_path, monkeypatch):
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)

        with pytest.raises(ObjectStoreMisconfigured, match="Account must be specified"):
            Blobs.at("az://container/prefix", tmp_path)


async def test_a_step_that_still_runs_when_its_put_is_cancelled_is_waited_for(local, monkeypatch):
    entered, may_go = threading.Event(), threading.Event()
    real = os.write

    def slow(descriptor, data):
        entered.set()
        may_go.wait(10)
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", slow)
    task = asyncio.create_task(put(local, b"x"))
    await asyncio.to_thread(entered.wait, 10)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()

    assert await left(local) == []
