import json
import time
from argparse import ArgumentParser
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from marketplace.accounts.actors import SYSTEM
from marketplace.journal.models import Entry, Job
from marketplace.journal.services import enqueue, ring


class Command(BaseCommand):
    help = (
        "Queue jobs that do nothing, wait until they are done, and say whether any was lost or done twice. "
        "Safe on a running site."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--jobs", type=int, default=20)
        parser.add_argument("--seconds", type=float, default=0.02, help="that each job takes")
        parser.add_argument("--over", type=float, default=0.0, help="seconds to spread them over")
        parser.add_argument("--ring-twice", action="store_true", help="double every message")
        parser.add_argument(
            "--patience", type=float, default=60.0, help="seconds to wait at the end"
        )
        parser.add_argument(
            "--name", default="", help="name of the drill, to look for it in the journal"
        )

    def handle(
        self,
        *,
        jobs: int,
        seconds: float,
        over: float,
        ring_twice: bool,
        patience: float,
        name: str,
        **options: Any,
    ) -> None:
        name = name or f"drill-{uuid4().hex[:8]}"
        for number in range(jobs):
            with transaction.atomic():
                payload = {"drill": name, "number": number, "seconds": seconds}
                key = f"{name}/{number}"
                enqueue("ops.drill", payload, now=timezone.now(), dedupe_key=key)
            if ring_twice:
                ring(Job.objects.visible_to(SYSTEM).get(dedupe_key=key).pk)
            time.sleep(over / jobs)

        mine = Job.objects.visible_to(SYSTEM).filter(
            kind="ops.drill", dedupe_key__startswith=f"{name}/"
        )
        end = timezone.now() + timedelta(seconds=patience)
        while mine.filter(state=Job.State.TODO).exists() and timezone.now() < end:
            time.sleep(0.2)
        done = Entry.objects.visible_to(SYSTEM).filter(name="ops.DrillDone", payload__drill=name)
        times = Counter(done.values_list("payload__number", flat=True))
        latest = mine.aggregate(latest=Max("ended_at"))["latest"]
        report = {
            "drill": name,
            "jobs": jobs,
            "lost": jobs - len(times),
            "doubled": sum(1 for count in times.values() if count > 1),
            "dead": mine.filter(state=Job.State.DEAD).count(),
            "tried_again": mine.filter(attempts__gt=1).count(),
            "last_done_at": latest and latest.isoformat(),
        }
        self.stdout.write(json.dumps(report))
        if report["lost"] or report["doubled"] or report["dead"]:
            raise SystemExit(1)
