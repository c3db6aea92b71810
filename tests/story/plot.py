"""Who does what in the story, in order. Every line that is printed was done over HTTP, and seen to have worked."""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from marketplace.ops.demo_market.drawing import photograph, scanned_page

from . import proof
from .client import Failed, Person, code_sent_to, wait_for

ROOT = Path(__file__).resolve().parents[2]
AUCTION_SECONDS = 20
CHECKED = ("number", "issuer", "country", "site", "materials", "annual_mass", "dates", "document")
TRIAGE_NONE = {"none": "on"}


@dataclass
class Tale:
    """One lot of the three, and what is known of it so far."""

    name: str
    origin: str
    chemistry: str
    mass_kg: str
    units: str
    picture: dict[str, Any]
    mode: str
    winner: str
    reported: dict[str, Any]
    weighed: Decimal = Decimal("1.0")
    lot: int = 0
    auction: int = 0
    deal: int = 0
    code: str = ""


TALES = (
    Tale(
        "scooter packs", "SCOOTER", "LFP", "112.4", "9",
        {"kind": "TWO_WHEELER", "css_class": "lfp", "letters": "LFP", "volts": "48 V", "count": 9},
        "OPEN", "recycler 1",
        {"LITHIUM": "0.011", "IRON_PHOSPHATE": "0.14", "COPPER": "0.074", "ALUMINIUM": "0.14",
         "STEEL": "0.13", "PLASTICS": "0.09", "GRAPHITE": "0.10"},
    ),
    Tale(
        "car modules", "CAR", "NMC532", "96.0", "4",
        {"kind": "CAR", "css_class": "nmc", "letters": "NMC", "volts": "350 V", "count": 4},
        "SEALED", "integrator", {"MODULES": "0.80"},
    ),
    Tale(
        "starter batteries", "STARTER", "PBA", "140.0", "8",
        {"kind": "STARTER", "css_class": "pba", "letters": "Pb", "volts": "12 V", "count": 8},
        "OPEN", "recycler 3", {"LEAD": "0.60", "PLASTICS": "0.06", "SODIUM_SULPHATE": "0.05"},
        weighed=Decimal("0.90"),
    ),
)  # fmt: skip


class Story:
    """One telling. Names and addresses are new each time, so that it can be told again on the same site."""

    def __init__(self, site: str, var: Path) -> None:
        self.site, self.logs, self.folder = site, var / "log", var / "story"
        self.mark = secrets.token_hex(3)
        self.people: dict[str, Person] = {}
        self.licences: dict[str, int] = {}
        self.cards: dict[str, int] = {}
        self.carriers: dict[int, str] = {}  # by organisation
        self.number, self.step = 0, "before the first step"
        self._began = time.monotonic()

    def tell(self) -> None:
        """Tell all of it, and leave the site so that it can be told again."""
        try:
            self._tell()
        finally:
            for who, card in self.cards.items():  # else the next story waits for answers by hand
                self.people[who].tell(f"/api/v1/rate-cards/{card}/retirement/")
            self.leave()

    def leave(self) -> None:
        for person in self.people.values():
            person.leave()

    def _tell(self) -> None:
        self.appoint_verifiers()
        self.join()
        self.show_licences()
        self.check_licences()
        self.get_ready()
        for tale in TALES:
            self.describe(tale)
        for tale in TALES:
            self.value(tale)
        self.auction_all()
        for tale in TALES:
            self.contract(tale)
        for tale in TALES:
            self.carry(tale)
        for tale in TALES:
            self.settle(tale)
        for tale in TALES:
            self.certify(tale)
        seconds = time.monotonic() - self._began
        print(f"\nThe end: 3 lots, 3 certificates, {self.number} steps in {seconds:.0f} s.")

    @contextmanager
    def doing(self, who: str, what: str) -> Iterator[None]:
        """Name the step, do it, and print it with the time it took."""
        self.number += 1
        self.step = f"{who}: {what}"
        began = time.monotonic()
        yield
        print(f"{self.number:3}  {who:<12} {what}  ({time.monotonic() - began:.1f} s)", flush=True)

    # --- people -----------------------------------------------------------------------------------

    def appoint_verifiers(self) -> None:
        for number in (1, 2):
            who, email = f"verifier {number}", f"verifier{number}.{self.mark}@story.example"
            with self.doing("operator", f"appoints {who}, of a firm of their own"):
                said = subprocess.run(
                    [
                        *(sys.executable, str(ROOT / "manage.py"), "appoint", email),
                        *("--role", "VERIFIER", "--organisation", f"Verifier {number} {self.mark}"),
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketplace.settings"},
                )
                password = re.search(r"Password: (\S+)", said.stdout)
                if said.returncode or password is None:
                    raise Failed(said.stderr[-500:] or said.stdout)
            with self.doing(who, "logs in and makes an API key"):
                person = self.people[who] = Person(self.site, who, email)
                person.fill(
                    "/accounts/login/",
                    {"login": email, "password": password.group(1)},
                    action="/login",
                )
                person.make_key()

    def join(self) -> None:
        phone = f"+62812{secrets.randbelow(10**8):08d}"
        cast = [("collector", "COLLECTOR", phone, "Bekasi")]
        cast += [
            (f"recycler {n}", "RECYCLER", f"recycler{n}.{self.mark}@story.example", town)
            for n, town in ((1, "Surabaya"), (2, "Semarang"), (3, "Serang"))
        ]
        cast += [
            ("integrator", "INTEGRATOR", f"integrator.{self.mark}@story.example", "Bandung"),
            ("carrier 1", "CARRIER", f"carrier1.{self.mark}@story.example", "Jakarta"),
            ("carrier 2", "CARRIER", f"carrier2.{self.mark}@story.example", "Bekasi"),
        ]
        for who, role, address, town in cast:
            by = "a phone number" if address.startswith("+") else "an e-mail address"
            with self.doing(who, f"joins with {by} and the code that was sent there"):
                person = self.people[who] = Person(self.site, who, address)
                person.fill("/accounts/signup/", {"address": address}, action="/signup")
                code = wait_for(
                    f"the code for {address}", lambda to=address: code_sent_to(to, self.logs)
                )
                person.fill("/accounts/code/", {"code": code}, action="/accounts/code/")
                person.fill(
                    "/accounts/join/",
                    {
                        "name": who.capitalize(),
                        "password": secrets.token_urlsafe(12),
                        "role": role,
                        "organisation_name": f"{who.capitalize()} {self.mark}",
                        "country": "ID",
                        "city": town,
                        "language": "en",
                        "currency": "",
                    },
                    action="/join",
                )
                person.make_key()

    def show_licences(self) -> None:
        today = datetime.now(UTC).date()
        for who, person in self.people.items():
            if who.startswith(("verifier", "collector", "anybody")):
                continue
            kind = "ID_TRANS" if who.startswith("carrier") else "ID_PERTEK"
            with self.doing(who, f"applies with a scan of its licence ({kind})"):
                page = scanned_page(["Licence", who, self.mark], seed=len(who))
                licence = person.send(
                    "/api/v1/licences/",
                    {
                        "licence_type": kind,
                        "number": f"{kind}/{self.mark}/{who[-1]}",
                        "site_name": f"{who.capitalize()} works",
                        "annual_mass_kg": "500000",
                        "valid_from": str(today - timedelta(days=100)),
                        "valid_until": str(today + timedelta(days=700)),
                        "request_id": str(uuid4()),
                    },
                    {"document": ("licence.png", page, "image/png")},
                )
                person.tell(f"/api/v1/licences/{licence['id']}/submit/")
                self.licences[who] = licence["id"]

    def check_licences(self) -> None:
        for number in (1, 2):
            verifier = self.people[f"verifier {number}"]
            with self.doing(verifier.name, f"checks {len(self.licences)} licences, field by field"):
                for licence in self.licences.values():
                    verifier.tell(f"/api/v1/licences/{licence}/claim/")
                    for field in CHECKED:
                        check = {"field": field, "matches": True}
                        verifier.tell(f"/api/v1/licences/{licence}/checks/", check)
                    state = verifier.tell(f"/api/v1/licences/{licence}/approvals/")
        if state["status"] != "VERIFIED":
            raise Failed(f"after two approvals a licence is {state['status']}")

    def get_ready(self) -> None:
        for who in ("recycler 1", "recycler 2", "recycler 3", "integrator"):
            with self.doing(who, "pays in 200 million rupiah"):
                body = {"amount": "200000000", "currency": "IDR", "request_id": str(uuid4())}
                self.people[who].tell("/api/v1/money/top-ups/", body)
                wait_for("the money", lambda person=self.people[who]: person.ask("/api/v1/money/"))
        for who, base, itself in (("carrier 1", "400000", True), ("carrier 2", "350000", False)):
            how = "that answers by itself" if itself else "and answers by hand"
            with self.doing(who, f"publishes a rate card {how}"):
                card = {
                    "licence": self.licences[who],
                    "name": "Java",
                    "currency": "IDR",
                    "base": base,
                    "per_km": "7500",
                    "per_kg": "350",
                    "dangerous_goods_share": "0.15",
                    "countries": ["ID"],
                    "centre_latitude": "-6.2",
                    "centre_longitude": "106.8",
                    "radius_km": 1500,
                    "capacity_kg": "8000",
                    "answers_itself": itself,
                    "request_id": str(uuid4()),
                }
                me = self.people[who].ask("/api/v1/me/")["acts_for"]["id"]
                self.carriers[me] = who
                self.cards[who] = self.people[who].tell("/api/v1/rate-cards/", card)["id"]

    # --- the lot ----------------------------------------------------------------------------------

    def describe(self, tale: Tale) -> None:
        collector = self.people["collector"]
        with self.doing("collector", f"photographs and describes {tale.name}, page by page"):
            begun = collector.fill("/sell/", {}, action="/sell/")
            found = re.search(r"/sell/(\d+)/photos/", str(begun.url))
            if found is None:
                raise Failed(f"beginning a lot led to {begun.url}")
            tale.lot = int(found.group(1))
            here = f"/sell/{tale.lot}"
            whole = photograph(**tale.picture, seed=secrets.randbelow(1000))
            label = photograph(**{**tale.picture, "count": 1}, seed=1, close=True)
            collector.fill(
                f"{here}/photos/",
                {},
                files={
                    "whole": ("whole.jpg", whole, "image/jpeg"),
                    "label": ("label.jpg", label, "image/jpeg"),
                },
            )
            collector.fill(f"{here}/origin/", {"origin": tale.origin})
            collector.fill(f"{here}/chemistry/", {"chemistry": tale.chemistry})
            collector.fill(f"{here}/amount/", {"mass_kg": tale.mass_kg, "units": tale.units})
            town = re.search(
                r'name="geoname_id"\s+value="(\d+)"', collector.look(f"{here}/place/?q=Bekasi").text
            )
            if town is None:
                raise Failed("Bekasi is not on the list of towns")
            collector.fill(
                f"{here}/place/?q=Bekasi", {"country": "ID", "geoname_id": town.group(1)}
            )
            collector.fill(f"{here}/safety/", TRIAGE_NONE)
        with self.doing("collector", f"declares lot {tale.lot} and hands it in"):
            collector.fill(f"{here}/check/", {"declared": "on"})

    def value(self, tale: Tale) -> None:
        def priced() -> Any:
            lot = collector.ask(f"/api/v1/lots/{tale.lot}/")
            return lot["status"] == "PRICED" and collector.ask(
                f"/api/v1/lots/{tale.lot}/valuation/"
            )

        collector = self.people["collector"]
        with self.doing("a job", f"values lot {tale.lot}"):
            worth = wait_for("the valuation", priced)
        print(
            f"     {'':<12} {worth['low']} – {worth['typical']} – {worth['high']} {worth['currency']}"
        )

    # --- the auction ------------------------------------------------------------------------------

    def auction_all(self) -> None:
        for tale in TALES:
            self.open(tale)
        for tale in TALES:
            self.bid(tale)
        for tale in TALES:
            self.close(tale)

    def open(self, tale: Tale) -> None:
        collector = self.people["collector"]
        with self.doing(
            "collector", f"offers lot {tale.lot}, {tale.mode.lower()}, for {AUCTION_SECONDS} s"
        ):
            auction = collector.tell(
                "/api/v1/auctions/",
                {
                    "lot": tale.lot,
                    "mode": tale.mode,
                    "starting_price": "100000",
                    "reserve": "150000",
                    "step": "10000",
                    "closes_at": (
                        datetime.now(UTC) + timedelta(seconds=AUCTION_SECONDS)
                    ).isoformat(),
                    "overtime_seconds": 2,
                    "request_id": str(uuid4()),
                },
            )
            tale.auction = auction["id"]

    def bid(self, tale: Tale) -> None:
        others = [who for who in ("recycler 1", "recycler 2", "recycler 3") if who != tale.winner]
        for who, maximum in ((others[0], "210000"), (others[1], "260000"), (tale.winner, "480000")):
            with self.doing(who, f"bids up to {maximum} IDR for lot {tale.lot}"):
                bid = {"maximum": maximum, "currency": "IDR", "request_id": str(uuid4())}
                first = self.people[who].tell(f"/api/v1/auctions/{tale.auction}/bids/", bid)
                again = self.people[who].tell(f"/api/v1/auctions/{tale.auction}/bids/", bid)
                if first != again:
                    raise Failed(f"the same bid, sent twice, got two answers: {first} and {again}")

    def close(self, tale: Tale) -> None:
        winner = self.people[tale.winner]

        def deal() -> Any:
            found = winner.ask("/api/v1/deals/")["results"]
            return next((row for row in found if row["lot"] == tale.lot), None)

        with self.doing("a job", f"closes the auction of lot {tale.lot} and opens the deal"):
            found = wait_for("the deal", deal)
        tale.deal = found["id"]
        print(
            f"     {'':<12} {tale.winner} pays {found['price']} {found['currency']}: deal {tale.deal}"
        )

    # --- the deal ---------------------------------------------------------------------------------

    def contract(self, tale: Tale) -> None:
        buyer, here = self.people[tale.winner], f"/api/v1/deals/{tale.deal}"
        with self.doing("collector", f"signs the contract of deal {tale.deal} on its page"):
            self.people["collector"].fill(f"/deals/{tale.deal}/", {}, action="/sign/")
        with self.doing(tale.winner, "signs it through the API, and puts the price aside"):
            terms = buyer.ask(f"{here}/")["terms_sha256"]
            buyer.tell(f"{here}/signature/", {"terms_sha256": terms})
            deal = buyer.tell(f"{here}/funding/", {"request_id": str(uuid4())})
            if Decimal(deal["held"]) != Decimal(deal["price"]):
                raise Failed(f"{deal['held']} are held, not the price of {deal['price']}")
        self.quotes(tale)

    def quotes(self, tale: Tale) -> None:
        by_hand, buyer = self.people["carrier 2"], self.people[tale.winner]
        purpose = f"deal:{tale.deal}"

        def question() -> Any:
            asked = by_hand.ask("/api/v1/quotes/")["results"]
            return next((row for row in asked if row["purpose"] == purpose), None)

        with self.doing("carrier 2", f"is asked for deal {tale.deal}, and answers by hand"):
            asked = wait_for("the question", question)
            price = "12000000" if tale is TALES[0] else "410000"
            answer = {"price": price, "pickup_on": str(datetime.now(UTC).date())}
            by_hand.tell(f"/api/v1/quotes/{asked['id']}/answer/", answer)

        def offers() -> Any:
            rows = buyer.ask(f"/api/v1/deals/{tale.deal}/quotes/")
            ranked = [row for row in rows if row["status"] == "RECEIVED" and row["rank"]]
            ours = [row for row in ranked if row["carrier"] in self.carriers]
            return ours if len(ours) == len(self.carriers) else None

        with self.doing("a job", "asks carrier 1's rate card, and ranks both offers"):
            ranked = wait_for("two offers", offers)
        with self.doing(tale.winner, f"chooses the best of {len(ranked)} offers"):
            best = min(ranked, key=lambda row: row["rank"])
            buyer.tell(f"/api/v1/quotes/{best['id']}/choice/")

    def carry(self, tale: Tale) -> None:
        buyer = self.people[tale.winner]

        def booked() -> Any:
            rows = buyer.ask("/api/v1/shipments/")["results"]
            trip = next((row for row in rows if row["deal"] == tale.deal), None)
            return trip if trip and trip["status"] == "BOOKED" and trip["documents"] else None

        with self.doing("a job", f"books the carrier of deal {tale.deal} and prints the papers"):
            trip = wait_for("the shipment", booked)
            self._is_pdf(buyer.fetch(f"/api/v1/papers/{trip['documents'][0]['id']}/"))
        carrier = self.people[self.carriers[trip["carrier"]]]
        with self.doing("collector", "shows the hand-over code on its phone"):
            shown = self.people["collector"].fill(
                f"/deals/{tale.deal}/", {}, action=f"/shipments/{trip['id']}/code/"
            )
            code = re.search(r"<bdi>(\d{3}) (\d{3})</bdi>", shown.text)
            if code is None:
                raise Failed("no code is on the page")
        loaded = (Decimal(tale.mass_kg) * tale.weighed).quantize(Decimal("0.001"))
        with self.doing(
            carrier.name, f"takes {loaded} kg over against the code ({trip['un_number']})"
        ):
            taken = {"code": "".join(code.groups()), "mass_kg": str(loaded)}
            carrier.tell(f"/api/v1/shipments/{trip['id']}/handovers/", {**taken, **self._once()})
        with self.doing(carrier.name, f"brings it to {tale.winner}, who takes it over and weighs"):
            code_there = carrier.tell(f"/api/v1/shipments/{trip['id']}/codes/")["code"]
            taken = {"code": code_there, "mass_kg": str(loaded)}
            buyer.tell(f"/api/v1/shipments/{trip['id']}/handovers/", {**taken, **self._once()})

    def settle(self, tale: Tale) -> None:
        buyer, here = self.people[tale.winner], f"/api/v1/deals/{tale.deal}"
        if tale.weighed == 1:
            with self.doing(tale.winner, f"accepts deal {tale.deal}; the collector is paid"):
                deal = buyer.tell(f"{here}/acceptance/")
        else:
            with self.doing(tale.winner, "finds a tenth missing, and proposes the corrected price"):
                buyer.tell(f"{here}/adjustment/")
            with self.doing("collector", "agrees to the corrected price, and is paid"):
                self.people["collector"].fill(f"/deals/{tale.deal}/", {}, action="/agree/")
                deal = buyer.ask(f"{here}/")
        if deal["status"] != "SETTLED":
            raise Failed(f"deal {tale.deal} is {deal['status']}, not settled")
        print(
            f"     {'':<12} {deal['accepted_kg']} kg for {deal['final_price']} {deal['currency']}"
        )

    # --- the certificate --------------------------------------------------------------------------

    def certify(self, tale: Tale) -> None:
        buyer, here = self.people[tale.winner], f"/api/v1/deals/{tale.deal}"
        accepted = Decimal(buyer.ask(f"{here}/")["accepted_kg"])
        gram = Decimal("0.001")
        outputs = [
            {"material": material, "mass_kg": str((accepted * Decimal(share)).quantize(gram))}
            for material, share in tale.reported.items()
        ]
        is_reuse = "MODULES" in tale.reported
        if is_reuse:
            outputs[0]["units"] = tale.units
        rest = accepted - sum(Decimal(row["mass_kg"]) for row in outputs)
        residue = (rest * Decimal("0.7")).quantize(gram)
        with self.doing(tale.winner, f"reports what became of lot {tale.lot}, to the gram"):
            buyer.tell(
                f"{here}/processing-report/",
                {
                    "kind": "REPURPOSED" if is_reuse else "RECYCLED",
                    "input_kg": str(accepted),
                    "outputs": outputs,
                    "residue_kg": str(residue),
                    "loss_kg": str(rest - residue),
                    "processed_on": str(self._today()),
                    **self._once(),
                },
            )

        def issued() -> Any:
            reports = buyer.ask(f"{here}/processing-report/")
            if reports[0]["status"] == "REFUSED":
                raise Failed(f"the report was refused: {reports[0]['refusal']}")
            return reports[0]["certificate"]

        with self.doing("a job", "signs and prints the certificate"):
            tale.code = wait_for("the certificate", issued)
        self.verify(tale)

    def verify(self, tale: Tale) -> None:
        if "anybody" not in self.people:
            self.people["anybody"] = Person(self.site, "anybody", "")
        anybody = self.people["anybody"]
        with self.doing("anybody", f"opens /v/{tale.code}/ and fetches credential and paper"):
            page = anybody.look(f"/v/{tale.code}/")
            if "genuine" not in page.text.lower():
                raise Failed("the public page does not say that it is genuine")
            signed = anybody.look(f"/v/{tale.code}/credential.jwt").text.strip()
            pdf = anybody.look(f"/v/{tale.code}/certificate.pdf").content
            self._is_pdf(pdf)
        with self.doing("jwcrypto", "verifies signature, issuer, key and status on its own"):
            found = proof.prove(signed)
            if not proof.is_refused(signed):
                raise Failed("a changed credential still verifies")
        with self.doing("anybody", "brings the credential, and a changed one, to be checked"):
            answer = anybody.tell("/api/v1/verify/", {"credential": signed})["answer"]
            changed = signed[:-20] + ("A" if signed[-20] != "A" else "B") + signed[-19:]
            altered = anybody.tell("/api/v1/verify/", {"credential": changed})["answer"]
            if (answer, altered) != ("GENUINE", "ALTERED"):
                raise Failed(f"the answers are {answer} and {altered}")
        self.folder.mkdir(parents=True, exist_ok=True)
        paper = self.folder / f"{tale.code}.pdf"
        paper.write_bytes(pdf)
        print(
            f"     {'':<12} certificate {tale.code}: {answer.lower()}, {found.algorithm}"
            f" by {found.kid}\n     {'':<12} {paper}"
        )

    def _today(self) -> date:
        return datetime.now(UTC).date()

    def _once(self) -> dict[str, str]:
        return {"request_id": str(uuid4())}

    def _is_pdf(self, content: bytes) -> None:
        if not content.startswith(b"%PDF-"):
            raise Failed("what was fetched is no PDF")
