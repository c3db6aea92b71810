"""Tables that people open in a spreadsheet."""

from collections.abc import Iterable, Iterator
from csv import writer
from typing import Any

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class _Echo:
    def write(self, line: str) -> str:
        return line


def csv_lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the lines of a CSV file, one at a time: a long file is sent while it is read.

    Text that a spreadsheet would run as a formula is preceded by an apostrophe; numbers stay numbers.

    >>> list(csv_lines([["=1+1", -5, "plain, text"]]))
    ['\\'=1+1,-5,"plain, text"\\r\\n']
    """
    out = writer(_Echo())
    for row in rows:
        yield out.writerow([_harmless(cell) for cell in row])


def _harmless(cell: Any) -> Any:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(RISKY):
        return f"'{cell}"
    return cell
