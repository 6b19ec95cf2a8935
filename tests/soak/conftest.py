import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import shared_model_cache


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory, worker_id) -> Path:
    return shared_model_cache(tmp_path_factory, worker_id)


@pytest.fixture
def tell(capsys) -> Callable[[str], None]:
    """Show a line of figures also when the test is green."""

    def tell(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return tell
