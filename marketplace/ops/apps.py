from django.apps import AppConfig

from . import checks  # noqa: F401 - registers the checks of what is in the environment


class OpsConfig(AppConfig):
    name = "marketplace.ops"
