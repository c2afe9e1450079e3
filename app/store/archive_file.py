"""The file of a backup: a zip with one member of JSON lines for each table, and a keyed manifest.

`manifest.json`  format, program, revision, made_at, and for each table its name, columns, rows, bytes and sha256
`manifest.mac`   a MAC over the manifest's bytes, under the first of the secret keys
`TABLE.ndjson`   a row on each line, as `app.store.archive` writes it

Nothing in a file is believed before its MAC, and nothing is taken from a member before its digest, has
been checked. No more is ever held in memory than a few rows.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from app.kernel.errors import Conflict, Unavailable
from app.store.archive import BadBackup
from keys.seal import Seal

FORMAT = "ostiary.backup/1"
_MANIFEST, _MAC, _MEMBER = "manifest.json", "manifest.mac", "{}.ndjson"
_PURPOSE = "backup"
_MOST_OF_A_MANIFEST = 1 << 20
_AT_ONCE = 1 << 17
_ROWS_AT_ONCE = 200
_LINE = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Member:
    """One table in a file. `bytes` and `sha256` are of its lines, uncompressed."""

    name: str
    columns: list[str]
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file says about itself. `made_at` is the instant whose state it holds."""

    program: str
    revision: str
    made_at: str
    tables: list[Member]
    format: str = FORMAT

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(table.rows for table in self.tables)


class Writer:
    """Takes one table after the other, and the manifest last."""

    def __init__(self, zipped: ZipFile) -> None:
        self._zip = zipped
        self._tables: list[Member] = []

    def add(self, name: str, columns: list[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write a table's rows; returns how many."""
        digest, count, size, taken = sha256(), 0, 0, iter(rows)
        with self._zip.open(_MEMBER.format(name), "w", force_zip64=True) as member:
            while lines := [_LINE(row) for row in islice(taken, _ROWS_AT_ONCE)]:
                text = ("\n".join(lines) + "\n").encode("ascii")
                digest.update(text)
                member.write(text)
                count, size = count + len(lines), size + len(text)
        self._tables.append(Member(name, columns, count, size, digest.hexdigest()))
        return count

    def finish(self, seal: Seal, *, program: str, revision: str, made_at: str) -> Manifest:
        """Write the manifest and its MAC."""
        manifest = Manifest(program, revision, made_at, self._tables)
        text = json.dumps(asdict(manifest), indent=1).encode("ascii")
        self._zip.writestr(_MANIFEST, text)
        self._zip.writestr(_MAC, seal.mac(_PURPOSE, text))
        return manifest


class Reader:
    """An opened file whose manifest is ours."""

    def __init__(self, zipped: ZipFile, seal: Seal) -> None:
        self._zip = zipped
        text = self._small(_MANIFEST)
        if not seal.mac_matches(_PURPOSE, text, self._small(_MAC).decode(errors="replace")):
            raise BadBackup(
                "This backup was made under other secret keys than OSTIARY_SECRET_KEYS, or its "
                "manifest was changed."
            )
        self.manifest = _manifest(text)
        expected = [_MANIFEST, _MAC, *(_MEMBER.format(one.name) for one in self.manifest.tables)]
        if sorted(zipped.namelist()) != sorted(expected):
            raise BadBackup("The file does not hold just the tables that its manifest names.")

    def verify(self) -> None:
        """Read everything once and compare it with the manifest; raises BadBackup."""
        for table in self.manifest.tables:
            digest, rows, size = sha256(), 0, 0
            with _damage(), self._zip.open(_MEMBER.format(table.name)) as member:
                while size <= table.bytes and (chunk := member.read(_AT_ONCE)):
                    digest.update(chunk)
                    rows, size = rows + chunk.count(b"\n"), size + len(chunk)
            if (rows, size, digest.hexdigest()) != (table.rows, table.bytes, table.sha256):
                raise BadBackup(f"The rows of {table.name} are not those that were backed up.")

    def rows(self, name: str) -> Iterator[list[Any]]:
        """Yield a table's rows, once they have been verified."""
        with _damage(), self._zip.open(_MEMBER.format(name)) as member:
            yield from map(json.loads, io.TextIOWrapper(member, "ascii", newline="\n"))

    def _small(self, name: str) -> bytes:
        try:
            with _damage(), self._zip.open(name) as member:
                text = member.read(_MOST_OF_A_MANIFEST + 1)
        except KeyError:
            raise BadBackup("This file is not a backup: it has no manifest.") from None
        if len(text) > _MOST_OF_A_MANIFEST:
            raise BadBackup("This file is not a backup: its manifest is too long.")
        return text


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write a file that bears its name only once it is whole and on the disk, readable by its owner only.

    Raises Conflict where there is such a file already, and Unavailable when it can't be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        if path.exists():
            raise Conflict(f"There is a file {path} already; it was left as it is.")
        descriptor = _begin(part)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with ZipFile(file, "w", ZIP_DEFLATED) as zipped:
                    yield Writer(zipped)
                file.flush()
                os.fsync(file.fileno())
            _name(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path} can't be written: {error.strerror or error}.") from error


@contextmanager
def reading(path: Path, seal: Seal) -> Iterator[Reader]:
    """Open a file; raises BadBackup unless its manifest is ours and it holds what that names."""
    try:
        file = _Bounded(path)
    except OSError as error:
        raise BadBackup(f"{path} can't be read: {error.strerror or error}.") from error
    with file:
        with _damage():
            zipped = ZipFile(file)
        with zipped:
            # Other methods than ours may want any amount of memory.
            if any(one.compress_type != ZIP_DEFLATED for one in zipped.infolist()):
                raise BadBackup("This file is not a backup.")
            yield Reader(zipped, seal)


class _Bounded(io.FileIO):
    """A file that is never read whole: `zipfile` takes a directory in one piece, whatever its size."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > _MOST_OF_A_MANIFEST:
            raise BadZipFile("a directory of this size")
        return super().read(wanted) or b""


@contextmanager
def _damage() -> Iterator[None]:
    # What zipfile makes of a damaged file, and zlib and the text in it.
    try:
        yield
    except (BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise BadBackup("This file is damaged, or not a backup.") from error


def _manifest(text: bytes) -> Manifest:
    said = json.loads(text)
    if said["format"] != FORMAT:
        raise BadBackup(
            f"This backup has the format {said['format']}, and this version reads {FORMAT}: restore it "
            f"with Ostiary {said['program']}."
        )
    tables = [Member(**one) for one in said.pop("tables")]
    return Manifest(tables=tables, **said)


def _begin(part: Path) -> int:
    try:
        return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{part} is in the way: either a backup is being written there, or one was broken off. "
            "Remove it if none is."
        ) from None


def _name(part: Path, path: Path) -> None:
    """Give a whole file its name, unless another file has got it meanwhile."""
    try:
        os.link(part, path)  # unlike a rename it never replaces a file
    except FileExistsError:
        raise Conflict(f"There is a file {path} by now; it was left as it is.") from None
    except OSError:  # no hard links on this file system
        if path.exists():
            raise Conflict(f"There is a file {path} by now; it was left as it is.") from None
        part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
