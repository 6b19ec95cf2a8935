import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import carrel
from carrel.infra.models import ModelBroken, load
from carrel.infra.models.conversion import needs_reduced_range
from carrel.infra.models.files import sha256_of

LOAD = """
import sys
from pathlib import Path
from carrel.infra.models import load
embedder = load(Path(sys.argv[1]), cache=Path(sys.argv[2]), progress=print)
print(embedder.encode("one two three").tobytes().hex())
"""


def the_graph(cache: Path) -> Path:
    [graph] = cache.glob("*.onnx")
    return graph


def test_two_processes_at_once_make_one_valid_file(given_bert, tmp_path):
    command = [sys.executable, "-c", LOAD, str(given_bert()), str(tmp_path / "cache")]
    package = Path(carrel.__file__).parents[1]

    both = [
        subprocess.Popen(command, cwd=package, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=240) for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    lines = [line for output, _ in outputs for line in output.splitlines()]
    assert sum(line.startswith("Converting") for line in lines) == 1
    vectors = {output.splitlines()[-1] for output, _ in outputs}
    assert len(vectors) == 1
    graph = the_graph(tmp_path / "cache")
    assert graph.with_suffix(".sha256").read_text(encoding="ascii") == sha256_of(graph)
    assert not list((tmp_path / "cache").glob(".*"))


def test_the_second_load_converts_nothing(given_bert, warm_cache):
    lines: list[str] = []

    load(given_bert(), cache=warm_cache, progress=lines.append)

    assert not lines


@pytest.mark.parametrize("damage", ["flipped", "cut", "unsigned"])
def test_a_damaged_file_is_made_again(given_bert, warm_cache, damage):
    folder = given_bert()
    lines: list[str] = []
    expected = load(folder, cache=warm_cache).encode("one two")
    graph = the_graph(warm_cache)
    content = bytearray(graph.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 0xFF
        graph.write_bytes(content)
    elif damage == "cut":
        graph.write_bytes(content[:100])
    else:
        graph.with_suffix(".sha256").unlink()

    again = load(folder, cache=warm_cache, progress=lines.append)

    assert [line.partition(" ")[0] for line in lines] == ["Converting"]
    assert np.array_equal(again.encode("one two"), expected)


def test_changed_weights_are_converted_anew_and_named_anew(given_bert, warm_cache):
    first = load(given_bert(seed=1), cache=warm_cache)

    second = load(given_bert(seed=2), cache=warm_cache)

    assert first.model != second.model
    assert not np.array_equal(first.encode("one two"), second.encode("one two"))


def test_the_same_weights_pooled_otherwise_are_another_model(given_bert, warm_cache):
    mean = load(given_bert(), cache=warm_cache)

    first = load(given_bert(**{"1_Pooling__config": {"pooling_mode_cls_token": True}}), cache=warm_cache)

    assert mean.model != first.model
    assert not np.array_equal(mean.encode("one two"), first.encode("one two"))


def test_precisions_are_kept_apart(given_bert, warm_cache):
    folder = given_bert()

    eight, full = (load(folder, cache=warm_cache, precision=precision) for precision in ("int8", "float32"))

    assert (eight.model.rpartition("/")[2], full.model.rpartition("/")[2]) == ("int8", "float32")
    assert not np.array_equal(eight.encode("one two"), full.encode("one two"))
    assert len(list(warm_cache.glob("*.onnx"))) == 2


def test_unusable_weights_are_reported_and_leave_nothing_behind(given_bert, tmp_path):
    folder = given_bert()
    (folder / "model.safetensors").write_bytes(b"not a tensor in sight")

    with pytest.raises(ModelBroken, match="could not be converted") as broken:
        load(folder, cache=tmp_path / "cache")

    assert broken.value.code == "model-broken"
    assert broken.value.hint
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix not in {".lock", ".digest"}]


@pytest.mark.parametrize(
    ("machine", "flags", "reduced"),
    [
        ("x86_64", "fpu avx2 avx512f avx512_vnni", False),
        ("x86_64", "fpu avx2 avx_vnni", False),
        ("x86_64", "fpu avx2 avx512f", True),
        ("aarch64", "asimd", False),
        ("arm64", None, False),
        ("AMD64", None, True),
    ],
)
def test_weights_keep_to_7_bits_where_sums_could_saturate(tmp_path, machine, flags, reduced):
    cpu_info = tmp_path / "cpuinfo"
    if flags is not None:
        cpu_info.write_text(f"processor : 0\nflags : {flags}\n", encoding="ascii")

    assert needs_reduced_range(machine, cpu_info) is reduced


def test_a_processor_without_vnni_gets_a_file_of_its_own(given_bert, tmp_path, monkeypatch):
    folder = given_bert()
    (tmp_path / "cpuinfo").write_text("flags : avx2\n", encoding="ascii")
    monkeypatch.setattr("carrel.infra.models.conversion.platform.machine", lambda: "x86_64")
    monkeypatch.setattr("carrel.infra.models.conversion.CPU_INFO", tmp_path / "cpuinfo")

    embedder = load(folder, cache=tmp_path / "cache")

    assert "-int8-reduced-" in the_graph(tmp_path / "cache").name
    assert np.linalg.norm(embedder.encode("one two")) == pytest.approx(1, abs=1e-5)
