import os
import pathlib
import socket
import stat
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from carrel.entry.children import GIVE_UP, Child
from carrel.entry.supervisor import (
    AlreadyRunning,
    FolderNotWritable,
    PortTaken,
    address_of,
    forget_run_file,
    is_ready,
    listen,
    prepare_folder,
    read_run_file,
    refuse_a_second,
    write_run_file,
)
from carrel.infra.postgres.layout import Layout
from carrel.infra.postgres.lock import OwnerLock


class TestFolder:
    def test_it_is_made_with_all_above_it(self, tmp_path):
        assert prepare_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
        assert list((tmp_path / "a" / "b").iterdir()) == []

    def test_what_is_no_folder_is_refused_with_a_way_out(self, tmp_path):
        (tmp_path / "file").touch()

        with pytest.raises(FolderNotWritable) as refused:
            prepare_folder(tmp_path / "file")
        assert "DATA_DIR" in (refused.value.hint or "")


class TestListener:
    def test_a_free_port_is_found_and_named(self):
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]

            assert address_of(listener) == f"http://127.0.0.1:{port}"

    def test_a_server_for_everybody_is_named_by_an_address_that_can_be_opened(self):
        with listen("0.0.0.0", 0) as listener:
            assert address_of(listener).startswith("http://127.0.0.1:")

    @pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
    def test_the_sixth_version_is_written_in_brackets(self):
        try:
            listener = listen("::1", 0)
        except PortTaken:
            pytest.skip("this machine has no IPv6 address")
        with listener:
            assert address_of(listener).startswith("http://[::1]:")

    def test_a_port_in_use_is_refused_by_its_number(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            with pytest.raises(PortTaken, match=f"127.0.0.1:{port}") as refused:
                listen("127.0.0.1", port)
        assert "SERVER_PORT" in (refused.value.hint or "")

    @pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
    def test_a_host_that_is_not_this_machine_is_not_blamed_on_the_port(self, host):
        with pytest.raises(PortTaken) as refused:
            listen(host, 0)
        assert "SERVER_HOST" in (refused.value.hint or "")


class Health(BaseHTTPRequestHandler):
    status = 503

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        """Nobody listens."""


class TestReadiness:
    @pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
    def test_only_a_yes_is_a_yes(self, monkeypatch, status, ready):
        monkeypatch.setattr(Health, "status", status)
        with HTTPServer(("127.0.0.1", 0), Health) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            assert is_ready(f"http://127.0.0.1:{server.server_port}") is ready
            thread.join()

    def test_nobody_there_is_a_no(self):
        with listen("127.0.0.1", 0) as listener:
            url = address_of(listener)
        assert not is_ready(url)


class TestRunFile:
    def test_it_is_for_this_user_only_and_read_back(self, tmp_path):
        write_run_file(tmp_path, "http://127.0.0.1:1")

        running = read_run_file(tmp_path)
        assert running is not None
        assert (running.pid, running.url) == (os.getpid(), "http://127.0.0.1:1")
        assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
        assert stat.S_IMODE((tmp_path / "run.json").stat().st_mode) == 0o600

    def test_it_is_forgotten_by_its_writer_only(self, tmp_path):
        other = '{"pid": 1, "url": "http://127.0.0.1:1", "database": ""}'
        (tmp_path / "run.json").write_text(other)
        forget_run_file(tmp_path)
        assert (tmp_path / "run.json").read_text() == other

        write_run_file(tmp_path, "http://127.0.0.1:2")
        forget_run_file(tmp_path)
        assert read_run_file(tmp_path) is None

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": 1, "url": "x", "colour": "blue"}'])
    def test_what_cannot_be_understood_counts_as_none(self, tmp_path, content):
        (tmp_path / "run.json").write_text(content)

        assert read_run_file(tmp_path) is None


class TestSecondServer:
    def test_it_is_told_who_the_first_is_and_where(self, tmp_path):
        (tmp_path / "postgres").mkdir()
        first = OwnerLock(Layout.of(tmp_path / "postgres"))
        first.acquire(5432)
        write_run_file(tmp_path, "http://127.0.0.1:1")
        try:
            with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()} .*http://127.0.0.1:1\."):
                refuse_a_second(tmp_path)
        finally:
            first.release()

        refuse_a_second(tmp_path)

    def test_what_a_killed_server_left_refuses_nobody(self, tmp_path):
        (tmp_path / "postgres").mkdir()
        (tmp_path / "postgres" / "owner.lock").write_text('{"pid": 1, "started": "", "purpose": "", "port": 1}\n')

        refuse_a_second(tmp_path)


class TestChild:
    def test_what_it_started_itself_goes_with_it(self, tmp_path):
        grandchild = tmp_path / "grandchild"
        (tmp_path / "stubborn.py").write_text(
            "import pathlib, signal, subprocess, sys, time\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "pathlib.Path(sys.argv[1] + '.new').write_text(str(inner.pid))\n"
            "pathlib.Path(sys.argv[1] + '.new').rename(sys.argv[1])\n"
            "time.sleep(600)\n"
        )
        child = Child("test", "stubborn", [str(grandchild)], environment={"PYTHONPATH": str(tmp_path)})
        child.start()
        _wait_until(grandchild.exists)
        inner = int(grandchild.read_text())

        child.ask_to_end()
        child.end(time.monotonic() + 0.2)

        _wait_until(lambda: not _runs(inner))

    def test_it_is_started_again_unless_a_person_is_needed(self, tmp_path):
        (tmp_path / "brief.py").write_text("import sys; sys.exit(int(sys.argv[1]))")
        environment = {"PYTHONPATH": str(tmp_path)}
        said: list[str] = []
        passing = Child("test", "brief", ["1"], environment=environment)
        final = Child("test", "brief", [str(GIVE_UP)], environment=environment)
        for child in (passing, final):
            child.start()
            assert child.process is not None
            child.process.wait()

        assert passing.tend(said.append, final={GIVE_UP})
        assert not final.tend(said.append, final={GIVE_UP})
        assert said == ["The test ended with status 1; it is started again."]
        assert passing.process is None


def test_the_supervisor_carries_no_driver_and_no_client():
    heavy = {"psycopg", "httpx", "redis", "obstore", "numpy", "onnxruntime", "fastapi"}
    code = f"import sys, carrel.entry.cli; sys.stdout.write(' '.join({heavy!r} & set(sys.modules)))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert loaded.stdout == ""


def _runs(pid):
    try:
        with pathlib.Path(f"/proc/{pid}/stat").open(encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
