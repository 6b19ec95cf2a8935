import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from carrel.infra.models import Embedder, load, resolve
from carrel.infra.models.release import MINILM
from tests.infra.models.tiny import write_bert, write_folder

GivenFolder = Callable[..., Path]


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory, worker_id) -> Path:
    """Conversions that the parallel workers of one run share, never two runs."""
    base: Path = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "converted-models"


@pytest.fixture(scope="session")
def minilm_folder(tmp_path_factory) -> Path:
    return resolve(data_dir=tmp_path_factory.mktemp("data"), name=MINILM.name)


@pytest.fixture(scope="session")
def minilm(minilm_folder, shared_cache) -> Embedder:
    """The real model."""
    return load(minilm_folder, cache=shared_cache)


@pytest.fixture
def given_folder(tmp_path) -> GivenFolder:
    def make(name: str = "tiny", **files: Any) -> Path:
        return write_folder(tmp_path / "given" / name, **files)

    return make


@pytest.fixture
def given_bert(tmp_path) -> GivenFolder:
    def make(name: str = "tiny", **options: Any) -> Path:
        return write_bert(tmp_path / "given" / name, **options)

    return make


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory, shared_cache) -> Path:
    """The cache after the tiny model was loaded in 8 bits."""
    cache: Path = shared_cache.parent / "converted-tiny"
    load(write_bert(tmp_path_factory.mktemp("tiny") / "tiny"), cache=cache)
    return cache


@pytest.fixture
def warm_cache(tiny_cache, tmp_path) -> Path:
    """A copy of it for one test."""
    # Without what another worker may be writing at this moment.
    unfinished = shutil.ignore_patterns(".*", "*.digest")
    return Path(shutil.copytree(tiny_cache, tmp_path / "warm-cache", ignore=unfinished))
