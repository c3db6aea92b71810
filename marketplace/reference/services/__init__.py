"""What this room does: load, add prices. Prices are only ever added."""

from .loading import (
    DATA,
    TABLES,
    Loaded,
    QuoteChanged,
    RowRefused,
    Table,
    add_quotes,
    load_reference,
    read_pink_sheet,
    read_quotes,
)

__all__ = [
    "DATA",
    "TABLES",
    "Loaded",
    "QuoteChanged",
    "RowRefused",
    "Table",
    "add_quotes",
    "load_reference",
    "read_pink_sheet",
    "read_quotes",
]
