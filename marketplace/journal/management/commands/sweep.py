import signal
import threading
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils import timezone

from marketplace.core.clock import database_clock
from marketplace.journal import services

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Ring for jobs that the broker forgot, and do them here when nobody comes. "
        "Run one or several beside the workers; to run late or twice changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once and stop")
        parser.add_argument("--every", type=float, default=1.0, help="seconds between sweeps")

    def handle(self, *, once: bool, every: float, **options: Any) -> None:
        if once:
            services.hang_up_schedules(now=timezone.now())
            services.sweep(clock=database_clock)
            return
        enough = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: enough.set())
        hung_up = False
        while not enough.is_set():
            try:
                if not hung_up:
                    services.hang_up_schedules(now=timezone.now())
                    hung_up = True
                services.sweep(clock=database_clock)
            except (
                DatabaseError
            ) as fault:  # the database may be restarting: this process outlives it
                log.warning("sweep_failed", fault=str(fault))
                connection.close()
            enough.wait(every)
