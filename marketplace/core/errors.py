"""The one exception of our own. The rest is Django's vocabulary:

Http404            404   no such thing that this actor may see     (raised by the door)
ValidationError    400   the input does not make sense             (raised by the form or serializer)
PermissionDenied   403   this actor may not do that                (raised by the service)
Refused            409   it makes sense, but the rules say no      (raised by the service)
"""


class Refused(Exception):
    """A business rule said no. The message is written for the person who asked, and says what to do next."""

    code: str = "refused"

    def __init__(self, message: str, *, field: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if code is not None:
            self.code = code
