import subprocess

from tools.findings import Finding, files, report


def given_repository(root):
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / ".gitignore").write_text("ignored.py\n")
    for name in ("tracked.py", "new.py", "ignored.py", "gone.py"):
        (root / name).write_text("x = 1\n")
    subprocess.run(["git", "-C", str(root), "add", "tracked.py", "gone.py"], check=True)
    (root / "gone.py").unlink()


def test_a_checkout_has_its_tracked_and_its_new_files_but_no_ignored_or_deleted_ones(tmp_path):
    given_repository(tmp_path)

    assert [path.name for path in files(tmp_path, ".py")] == ["new.py", "tracked.py"]


def test_a_folder_that_is_no_checkout_is_walked(tmp_path):
    for name in ("a.py", "deep/b.py", "node_modules/c.py", ".venv/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")

    assert [path.name for path in files(tmp_path)] == ["a.py", "b.py"]


def test_the_repository_of_a_running_hook_is_not_mistaken_for_the_one_that_is_checked(tmp_path, monkeypatch):
    given_repository(tmp_path / "checked")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    assert [path.name for path in files(tmp_path / "checked", ".py")] == ["new.py", "tracked.py"]


def test_a_link_is_not_a_file_of_its_own(tmp_path):
    (tmp_path / "real.py").write_text("x = 1\n")
    (tmp_path / "link.py").symlink_to("real.py")

    assert [path.name for path in files(tmp_path)] == ["real.py"]


def test_findings_are_printed_in_order_and_once(capsys):
    second, first = Finding("b.py", 2, "Two."), Finding("a.py", 10, "One.")

    assert report([second, first, second]) == 1
    assert capsys.readouterr().out == "a.py:10: One.\nb.py:2: Two.\n"


def test_nothing_found_is_success(capsys):
    assert report([]) == 0
    assert capsys.readouterr().out == ""
