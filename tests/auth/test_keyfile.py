import os
import stat

import pytest

from carrel.auth import keyfile
from carrel.auth.errors import AdminKeyUnusable


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data" / keyfile.NAME


def test_a_key_comes_back_as_it_was_written(file):
    keyfile.write(file, "ck_first")
    keyfile.write(file, "ck_second")

    assert keyfile.read(file) == "ck_second"
    assert [path.name for path in file.parent.iterdir()] == [keyfile.NAME]


def test_only_the_owner_may_read_it_whatever_the_mask_says(file):
    mask = os.umask(0)
    try:
        keyfile.write(file, "ck_secret")
    finally:
        os.umask(mask)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_file_and_an_empty_one_hold_no_key(file):
    assert keyfile.read(file) is None

    keyfile.write(file, "")
    assert keyfile.read(file) is None


def test_what_cannot_be_read_is_said_with_what_to_do(file):
    file.mkdir(parents=True)

    with pytest.raises(AdminKeyUnusable) as refused:
        keyfile.read(file)

    assert str(file) in refused.value.detail
    assert refused.value.hint is not None


def test_a_file_that_is_no_text_is_said(file):
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(AdminKeyUnusable, match="it is not text"):
        keyfile.read(file)


def test_a_folder_that_cannot_be_made_is_said_and_leaves_nothing(tmp_path):
    (tmp_path / "data").write_text("in the way")

    with pytest.raises(AdminKeyUnusable, match="cannot be kept"):
        keyfile.write(tmp_path / "data" / keyfile.NAME, "ck_x")

    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_name_that_is_taken_by_a_folder_leaves_no_part_behind(file):
    file.mkdir(parents=True)

    with pytest.raises(AdminKeyUnusable):
        keyfile.write(file, "ck_x")

    assert [path.name for path in file.parent.iterdir()] == [keyfile.NAME]
