import json
import signal
import subprocess
import sys
import time

import pytest

from bench.server import _told, end, heed_termination, running


def test_a_server_that_cannot_start_is_reported_in_its_own_words(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "nowhere"))
    folder = tmp_path / "data"
    folder.mkdir()

    with pytest.raises(RuntimeError, match=r"(?s)The server ended with status 1:.*nowhere"), running(folder, tmp_path):
        pytest.fail("It must not count as started.")


def test_a_process_that_ignores_the_request_to_end_is_killed(monkeypatch):
    monkeypatch.setattr("bench.server.FAREWELL", 0.2)
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()

        end(deaf)

        assert deaf.returncode == -signal.SIGKILL


def test_the_file_of_a_server_before_is_not_believed(tmp_path):
    told = tmp_path / "run.json"
    told.write_text(json.dumps({"pid": 4, "url": "http://127.0.0.1:8080", "database": "x"}))

    assert _told(told, 5) is None
    assert _told(told, 4) == ("127.0.0.1", 8080)
    assert _told(tmp_path / "none.json", 4) is None


def test_a_request_to_end_becomes_an_interrupt():
    before = signal.getsignal(signal.SIGTERM)
    try:
        heed_termination()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
            time.sleep(1)
    finally:
        signal.signal(signal.SIGTERM, before)
