from datetime import datetime

from .models import ApiToken


def use_token(secret: str, *, now: datetime) -> ApiToken | None:
    return None
