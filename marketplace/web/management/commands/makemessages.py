from django.core.management.commands import makemessages


class Command(makemessages.Command):
    """Django's own, which does not know that we also call ``gettext_lazy`` ``lazy`` or ``_l``."""

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=lazy", "--keyword=_l"]
