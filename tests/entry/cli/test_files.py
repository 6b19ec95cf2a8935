import os

import pytest

from carrel.entry.cli.files import PathUnusable, gather, printable


@pytest.fixture
def tree(tmp_path):
    for name in ("b.txt", "a/one.txt", "a/two.txt", "a/.git/config", ".hidden", "a/.env"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "tree"


def names(found):
    return [item.external_id for item in found.items]


def test_all_files_are_found_in_order_and_hidden_ones_left_out(tree):
    assert names(gather([tree])) == ["b.txt", "a/one.txt", "a/two.txt"]


def test_links_are_not_followed(tree, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (tree / "folder").symlink_to(tmp_path / "outside")
    (tree / "loop").symlink_to(tree)
    (tree / "file").symlink_to(tmp_path / "outside" / "secret.txt")

    assert names(gather([tree])) == ["b.txt", "a/one.txt", "a/two.txt"]


def test_what_is_no_file_is_left_out(tree):
    os.mkfifo(tree / "pipe")

    assert "pipe" not in names(gather([tree]))


def test_what_is_given_itself_is_taken_even_if_hidden(tree):
    assert names(gather([tree / ".hidden", tree / "a" / ".git"])) == [".hidden", "config"]


def test_a_file_that_is_given_twice_is_taken_once(tree):
    assert names(gather([tree, tree / "a", tree / "b.txt", tree])) == ["b.txt", "a/one.txt", "a/two.txt"]


def test_two_files_of_one_name_are_refused(tree):
    (tree / "c").mkdir()
    (tree / "c" / "one.txt").write_text("another")

    with pytest.raises(PathUnusable) as refused:
        gather([tree / "a", tree / "c"])

    assert "a/one.txt" in refused.value.detail
    assert "c/one.txt" in refused.value.detail


def test_a_path_that_is_not_there_is_refused(tree):
    with pytest.raises(PathUnusable, match="nowhere"):
        gather([tree, tree / "nowhere"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_reported(tree):
    (tree / "a").chmod(0)
    try:
        found = gather([tree])
    finally:
        (tree / "a").chmod(0o755)

    assert names(found) == ["b.txt"]
    assert found.unreadable == [(str(tree / "a"), "Permission denied")]


def test_a_name_that_is_no_utf8_can_be_sent_and_shown(tree):
    (tree / os.fsdecode(b"caf\xe9.txt")).write_text("coffee")

    found = names(gather([tree]))

    assert r"caf\xe9.txt" in found
    assert printable("قواعد.txt") == "قواعد.txt"
