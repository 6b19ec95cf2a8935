"""Every reader is fuzzed for a minute (`FUZZ_SECONDS` says how long)."""

import os
import subprocess
import sys

import pytest

from carrel.ingestion.extraction import extract
from tests.fuzz.seeds import DRESS, ENDINGS, seeds

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_reader_gives_a_text_or_a_problem_whatever_the_bytes_are(ending, tmp_path):
    pytest.importorskip("atheris", reason="atheris exists for Linux on x86-64 only")
    started = tmp_path / "seeds"
    started.mkdir()
    options = [f"-max_total_time={SECONDS}", "-timeout=30", "-rss_limit_mb=1500", "-max_len=20000", "-close_fd_mask=3"]

    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.reading", ending, str(started), *options, f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        timeout=SECONDS + 300,
        check=False,
    )

    found = [path for path in tmp_path.iterdir() if path.is_file()]
    assert (run.returncode, found) == (0, []), run.stderr[-4_000:].decode(errors="replace")


@pytest.mark.parametrize("ending", DRESS)
def test_what_a_fuzzer_starts_from_is_a_file_of_its_kind(ending):
    for seed in seeds(ending):
        found = extract(DRESS[ending](seed), filename=None, declared_type=None)

        assert found.doc_type == ending
        assert "some" in found.text
