"""The file of a backup, without a database: whatever happens to its bytes, what is read is what was written."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from app.store import archive_file
from app.store.archive import BadBackup
from keys.seal import Seal
from tests.conftest import SECRET

ROWS = {
    "person": [[number, f"p{number}", None, "“é” 李", 0.1] for number in range(300)],
    "nothing": [],
    "document": [[{"a": [1, "\ud800", True]}]],
}
COLUMNS = ["a", "b"]


@pytest.fixture
def seal() -> Seal:
    return Seal([SECRET])


@pytest.fixture
def file(tmp_path: Path, seal: Seal) -> Path:
    path = tmp_path / "x.ostiary"
    with archive_file.writing(path) as writer:
        for name, rows in ROWS.items():
            assert writer.add(name, COLUMNS, iter(rows)) == len(rows)
        writer.finish(seal, program="1", revision="2", made_at="3")
    return path


def read(file: Path, seal: Seal):
    with archive_file.reading(file, seal) as reader:
        reader.verify()
        return {name: list(reader.rows(name)) for name in ROWS}


def test_what_was_written_is_read(file, seal):
    assert read(file, seal) == ROWS
    with archive_file.reading(file, seal) as reader:
        said = reader.manifest
    assert (said.program, said.revision, said.made_at, said.rows) == ("1", "2", "3", 301)
    assert [table.name for table in said.tables] == list(ROWS)
    assert {tuple(table.columns) for table in said.tables} == {tuple(COLUMNS)}


def holds(file: Path, damaged: bytes, seal: Seal) -> bool:
    """Whether a file is taken; if so it must mean the same."""
    file.write_bytes(damaged)
    try:
        assert read(file, seal) == ROWS
    except BadBackup:
        return False
    return True


def test_every_changed_byte_is_refused_or_means_nothing(file, seal):
    """Dates and attributes of a member mean nothing, and neither manifest nor digest holds them."""
    whole, taken = file.read_bytes(), 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        taken += holds(file, bytes(damaged), seal)
    assert 0 < taken < len(whole) / 5


def test_every_shorter_file_is_refused(file, seal):
    whole = file.read_bytes()
    for size in range(0, len(whole), 5):
        assert not holds(file, whole[:size], seal)


def test_a_directory_of_nonsense_is_refused_in_words(file, seal):
    """zipfile raises all sorts of errors at these; each must come out as ours."""
    whole, dice = file.read_bytes(), random.Random(7)
    directory = whole.index(b"PK\x01\x02")
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(directory, len(whole))
            damaged[at] = dice.choice([0, 1, 255, dice.randrange(256)])
        holds(file, bytes(damaged), seal)


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    def rows():
        yield [1]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), archive_file.writing(tmp_path / "x") as writer:
        writer.add("person", COLUMNS, rows())
    assert list(tmp_path.iterdir()) == []
