"""What this room does: load what we compiled, add what markets quote, and let two people type a price in."""

from .files import FileRefused
from .loading import DATA, TABLES, Loaded, QuoteChanged, RowRefused, Table, load_reference
from .prices import Added, add_quotes, add_rates
from .proposals import (
    ProposalRefused,
    confirm_quote,
    confirm_rate,
    propose_quote,
    propose_rate,
    refuse_quote,
    refuse_rate,
)
from .quote_files import import_quotes
from .rate_files import import_rates
from .sources import add_source
from .tables import Reading

__all__ = [
    "DATA",
    "TABLES",
    "Added",
    "FileRefused",
    "Loaded",
    "ProposalRefused",
    "QuoteChanged",
    "Reading",
    "RowRefused",
    "Table",
    "add_quotes",
    "add_rates",
    "add_source",
    "confirm_quote",
    "confirm_rate",
    "import_quotes",
    "import_rates",
    "load_reference",
    "propose_quote",
    "propose_rate",
    "refuse_quote",
    "refuse_rate",
]
