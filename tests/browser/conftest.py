from tests.cast_browser import chromium, logged_in, site, visit
from tests.cast_stack import stack

__all__ = ["chromium", "logged_in", "site", "stack", "visit"]
