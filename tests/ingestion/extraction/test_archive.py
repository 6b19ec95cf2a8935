import zipfile

import pytest

from carrel.ingestion.extraction import archive
from carrel.ingestion.extraction.archive import Archive
from carrel.ingestion.extraction.errors import Damaged, OverLimit
from tests.ingestion.corpus.office import zipped


def test_names_are_those_of_files_in_the_order_of_the_directory():
    found = Archive(zipped({"b.txt": "words", "folder/": "", "a.txt": "more"}))

    assert list(found) == ["b.txt", "a.txt"]
    assert "folder/" in found
    assert found.read("a.txt") == b"more"


def test_an_entry_that_is_not_there_is_a_damage():
    with pytest.raises(Damaged):
        Archive(zipped({"a": "words"})).read("b")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_need_much_memory_are_refused(method):
    with pytest.raises(Damaged):
        Archive(zipped({"a": "words"}, method))


def test_what_is_read_again_and_again_counts_each_time(monkeypatch):
    monkeypatch.setattr(archive, "MOST_UNPACKED", 20)
    found = Archive(zipped({"a": "ten bytes!"}))
    assert found.read("a") == found.read("a")

    with pytest.raises(OverLimit) as refused:
        found.read("a")

    assert refused.value.facts == {"limit": "size"}


def test_a_page_of_zeros_may_have_any_ratio():
    assert len(Archive(zipped({"a": bytes(900_000)})).read("a")) == 900_000
