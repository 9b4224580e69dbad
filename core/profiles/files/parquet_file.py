"""Parquet files, row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from core.errors import Invalid
from core.profiles.files.row_files import RowFile
from core.profiles.values import NO_DAY

ROWS = 2000  # decoded at once
LARGEST_GROUP = 1 << 30  # bytes of a row group, unpacked
LARGEST_SCHEMA = 1 << 24  # bytes of what the file says about itself


class ParquetFile(RowFile):
    """One open file. Used by one thread at a time."""

    def __init__(self, path: Path):
        """Raises Invalid (BROKEN_PARQUET, UNPACKS_TOO_FAR)."""
        import pyarrow.parquet as parquet  # 100 MB of library: only for whom brings such a file

        super().__init__()
        self._path = path
        self._size = path.stat().st_size
        self._reader = parquet
        self._open()
        self.header = list(self._file.schema_arrow.names)
        self._total: int = self._file.metadata.num_rows
        for group in range(self._file.num_row_groups):
            self._check_group(group)

    def rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        """All rows with their numbers. Raises Invalid (BROKEN_PARQUET)."""
        import pyarrow as arrow

        numbers = count(1)
        try:
            for batch in self._file.iter_batches(batch_size=ROWS, use_threads=False):
                columns = [column_values(column) for column in batch.columns]
                yield from zip(numbers, zip(*columns, strict=True), strict=False)
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise _broken(error) from None

    def skip_to(self, position: int, lines: int) -> None:
        """Go on behind a chunk that was read before; a file that was read already is opened again."""
        if self._source is not None:
            self._file.close()
            self._open()
        super().skip_to(position, lines)

    def consumed(self) -> int:
        """The share of its rows that were read, of its bytes."""
        return self._size * self._taken // self._total if self._total else self._size

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _open(self) -> None:
        import pyarrow as arrow

        try:
            self._file = self._reader.ParquetFile(
                self._path, memory_map=False, pre_buffer=False, buffer_size=1 << 16,
                thrift_string_size_limit=LARGEST_SCHEMA, thrift_container_size_limit=LARGEST_SCHEMA >> 4,
            )  # fmt: skip
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise _broken(error) from None

    def _check_group(self, group: int) -> None:
        size = self._file.metadata.row_group(group).total_byte_size
        if size > LARGEST_GROUP:
            raise Invalid(
                f"row group {group + 1} holds {size} bytes", code="UNPACKS_TOO_FAR", path="file",
                hint=f"Write row groups of at most {LARGEST_GROUP >> 20} MB.",
            )  # fmt: skip


def column_values(column: Any) -> list[Any]:
    """The values of a column, an Arrow array; days and times out of the calendar as texts that no field takes."""
    import pyarrow as arrow

    if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = [_value(one) for one in column]
    return values


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return f"{NO_DAY}{getattr(scalar, 'value', 'within a list or structure')}"


def _broken(error: BaseException) -> Invalid:
    return Invalid(
        f"the Parquet file cannot be read: {(str(error).splitlines() or ['?'])[0][:150]}", code="BROKEN_PARQUET", path="file",
        hint="Upload it again.",
    )  # fmt: skip
