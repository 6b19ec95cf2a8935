import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import corpus
from bench.references import Document


def given_collection(folder, texts):
    folder.mkdir()
    lines = [json.dumps({"id": str(place), "title": "", "text": text}) for place, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    (folder / "queries.jsonl").write_text("")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n")


def test_made_documents_are_the_same_every_time():
    assert corpus.made(20) == corpus.made(20)


def test_fewer_made_documents_are_the_first_of_more():
    assert corpus.made(5) == corpus.made(20)[:5]


def test_made_documents_differ_and_have_the_length_of_an_abstract():
    documents = corpus.made(100)

    assert len({one.text for one in documents}) == 100
    assert all(1000 <= len(one.text) <= 2300 for one in documents)
    assert sum(bool(one.title) for one in documents) == 50


@settings(deadline=None)
@given(st.integers(1, 200))
def test_queries_are_different_and_stand_in_some_document(count):
    documents = corpus.made(10)

    queries = corpus.spans(documents, count)

    assert len(set(queries)) == count
    assert all(6 <= len(query.split()) <= 12 for query in queries)
    assert all(any(query in " ".join(one.text.split()) for one in documents) for query in queries)


def test_queries_that_cannot_be_had_are_refused():
    with pytest.raises(ValueError, match="1 documents do not give 500 different queries"):
        corpus.spans([Document("a", "", " ".join(map(str, range(14))))], 500)


def test_a_collection_comes_before_what_is_made(tmp_path):
    given_collection(tmp_path / "small", ["one text", "", "another text"])

    documents = corpus.documents(tmp_path, 5)

    assert [one.id for one in documents] == ["0", "2", "made-0", "made-1", "made-2"]


def test_of_several_collections_the_abstracts_are_taken(tmp_path):
    given_collection(tmp_path / "cranfield", ["wings"])
    given_collection(tmp_path / "scifact", ["genes"])

    assert corpus.documents(tmp_path, 1)[0].text == "genes"


def test_a_folder_without_a_collection_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing in it holds a corpus"):
        corpus.documents(tmp_path, 1)
