from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketplace.accounts.models import Licence, Organisation, User
from marketplace.core.models import RowQuerySet, Staged
from marketplace.lots.models import Lot

if TYPE_CHECKING:
    from marketplace.accounts.actors import Actor

    from .orders import OrderFill, StandingOrder


class AuctionQuerySet(RowQuerySet["Auction"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the lot sees its auctions."""
        return self.filter(lot__in=Lot.objects.visible_to(actor))

    def due_to_open(self, now: datetime) -> Self:
        return self.filter(status=Auction.Status.SCHEDULED, opens_at__lte=now)

    def due_to_close(self, now: datetime) -> Self:
        return self.filter(status=Auction.Status.OPEN, closes_at__lte=now, paused_at=None)

    def waiting_for_shares(self, now: datetime) -> Self:
        """Whose sealed bids could not be opened, and were last tried long enough ago."""
        return self.filter(
            status=Auction.Status.OPENING, seal__tried_at__lte=now - Seal.TRY_AGAIN_AFTER
        )

    def undecided(self, now: datetime) -> Self:
        """Where the seller let the time to decide pass."""
        return self.filter(status=Auction.Status.SELLER_DECISION, decide_by__lte=now)


class Auction(Staged):
    """One attempt to sell one lot. Its terms never change once it is open; the clock only moves later.

    ``market.rules.modes`` says how the modes differ. Open and reverse ones show their ``price``: what the leader would pay,
    or be paid, now. Sealed ones show nothing before their bids are opened. In a Dutch one ``planned_close_at`` is when the price has
    fallen to the end; somebody takes it (``taken_at``), sealed bids follow until ``closes_at``, are opened (``opened_at``), and who took
    it has the last word until ``closes_at``, which each stage sets anew. In Dutch and reverse ones the ``reserve`` is below the start.
    """

    class Mode(models.TextChoices):
        OPEN = "OPEN", _("Open, rising")
        SEALED = "SEALED", _("Sealed")
        SECOND_PRICE = "SECOND_PRICE", _("Sealed, second price")
        DUTCH = "DUTCH", _("Falling price")
        REVERSE = "REVERSE", _("Reverse: you pay who takes it")

    class Status(models.TextChoices):
        SCHEDULED = "SCHEDULED", _("Planned")
        OPEN = "OPEN", _("Open")
        OPENING = "OPENING", _("Bids are being opened")
        SELLER_DECISION = "SELLER_DECISION", _("Seller decides")
        AWARDED = "AWARDED", _("Awarded")
        UNSOLD = "UNSOLD", _("Not sold")
        WITHDRAWN = "WITHDRAWN", _("Withdrawn")

    NEXT = {
        Status.SCHEDULED: frozenset({Status.OPEN, Status.WITHDRAWN}),
        Status.OPEN: frozenset(
            {
                Status.OPENING,
                Status.AWARDED,
                Status.UNSOLD,
                Status.SELLER_DECISION,
                Status.WITHDRAWN,
            }
        ),
        Status.OPENING: frozenset(
            {Status.OPEN, Status.AWARDED, Status.UNSOLD, Status.SELLER_DECISION}
        ),
        Status.SELLER_DECISION: frozenset({Status.AWARDED, Status.UNSOLD}),
        Status.AWARDED: frozenset({Status.UNSOLD}),
        Status.UNSOLD: frozenset(),
        Status.WITHDRAWN: frozenset(),
    }

    lot = models.ForeignKey(Lot, models.PROTECT, related_name="auctions")
    attempt = models.PositiveSmallIntegerField(default=1)
    mode = models.CharField(max_length=12, choices=Mode)
    currency = models.CharField(max_length=3)
    starting_price = models.DecimalField(max_digits=14, decimal_places=2)
    reserve = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="Secret: below it the seller decides."
    )
    step = models.DecimalField(max_digits=14, decimal_places=2)
    deposit = models.DecimalField(
        max_digits=14, decimal_places=2, help_text="Held from each bidder."
    )
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    planned_close_at = models.DateTimeField()
    last_close_at = models.DateTimeField(help_text="Overtime never goes beyond.")
    overtime_seconds = models.PositiveIntegerField()
    terms_sha256 = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status, default=Status.SCHEDULED)
    price = models.DecimalField(max_digits=14, decimal_places=2, null=True)
    leader = models.ForeignKey(Organisation, models.PROTECT, null=True, related_name="+")
    bid_count = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    request_id = models.UUIDField()
    closed_at = models.DateTimeField(null=True)
    decide_by = models.DateTimeField(null=True, help_text="Until when the seller may decide.")
    fall_steps = models.PositiveSmallIntegerField(null=True, help_text="Dutch only.")
    sealed_seconds = models.PositiveIntegerField(null=True, help_text="Dutch only.")
    best_seconds = models.PositiveIntegerField(null=True, help_text="Dutch only.")
    taken_at = models.DateTimeField(null=True, help_text="Dutch: when somebody took the price.")
    opened_at = models.DateTimeField(
        null=True, help_text="Dutch: when the sealed bids were opened, and the last word began."
    )
    paused_at = models.DateTimeField(null=True, help_text="While the house cannot take bids.")

    objects = AuctionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(mode__in=["OPEN", "SEALED", "SECOND_PRICE", "DUTCH", "REVERSE"]),
                name="auction_mode_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "SCHEDULED",
                        "OPEN",
                        "OPENING",
                        "SELLER_DECISION",
                        "AWARDED",
                        "UNSOLD",
                        "WITHDRAWN",
                    ]
                ),
                name="auction_status_known",
            ),
            models.CheckConstraint(
                condition=Q(starting_price__gte=0, reserve__gte=0, step__gt=0, deposit__gte=0)
                & (
                    Q(mode__in=["DUTCH", "REVERSE"], reserve__lte=F("starting_price"))
                    | Q(~Q(mode__in=["DUTCH", "REVERSE"]), reserve__gte=F("starting_price"))
                ),
                name="auction_prices_make_sense",
            ),
            models.CheckConstraint(
                condition=Q(opens_at__lt=F("planned_close_at"), closes_at__lte=F("last_close_at"))
                & (Q(planned_close_at__lte=F("closes_at")) | Q(mode="DUTCH")),
                name="auction_times_are_in_order",
            ),
            models.CheckConstraint(
                condition=Q(leader=None, price=None)
                | Q(leader__isnull=False, price__isnull=False, bid_count__gt=0),
                name="auction_leader_has_a_price",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["SCHEDULED", "OPEN", "OPENING"], closed_at=None)
                | (~Q(status__in=["SCHEDULED", "OPEN", "OPENING"]) & Q(closed_at__isnull=False)),
                name="auction_is_dated_once_closed",
            ),
            models.CheckConstraint(
                condition=~Q(status="SELLER_DECISION") | Q(decide_by__isnull=False),
                name="auction_decision_has_a_deadline",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=["OPEN", "REVERSE"])
                | ~Q(status__in=["SCHEDULED", "OPEN", "OPENING"])
                | Q(leader=None, bid_count=0)
                | Q(mode="DUTCH", taken_at__isnull=False, bid_count=1)
                | Q(mode="DUTCH", opened_at__isnull=False),
                name="auction_sealed_shows_nothing",
            ),
            models.CheckConstraint(
                condition=Q(
                    mode="DUTCH",
                    fall_steps__isnull=False,
                    fall_steps__range=(1, 99),
                    sealed_seconds__isnull=False,
                    sealed_seconds__gt=0,
                    best_seconds__isnull=False,
                    best_seconds__gt=0,
                )
                | Q(
                    ~Q(mode="DUTCH"),
                    fall_steps=None,
                    sealed_seconds=None,
                    best_seconds=None,
                    taken_at=None,
                    opened_at=None,
                ),
                name="auction_falls_only_if_dutch",
            ),
            models.CheckConstraint(
                condition=Q(taken_at=None, opened_at=None)
                | Q(taken_at__isnull=False, leader__isnull=False),
                name="auction_is_opened_after_it_is_taken",
            ),
            models.CheckConstraint(
                condition=Q(paused_at=None) | Q(status="OPEN"), name="auction_pauses_while_open"
            ),
            models.UniqueConstraint(fields=["lot", "attempt"], name="auction_attempt_counts_once"),
            models.UniqueConstraint(
                fields=["lot", "request_id"], name="auction_request_counts_once"
            ),
            models.UniqueConstraint(
                fields=["lot"],
                condition=Q(
                    status__in=["SCHEDULED", "OPEN", "OPENING", "SELLER_DECISION", "AWARDED"]
                ),
                name="one_open_sale_per_lot",
            ),
        ]
        indexes = [
            models.Index(
                fields=["closes_at", "id"], condition=Q(status="OPEN"), name="auction_due_to_close"
            ),
            models.Index(
                fields=["opens_at", "id"],
                condition=Q(status="SCHEDULED"),
                name="auction_due_to_open",
            ),
            models.Index(
                fields=["decide_by", "id"],
                condition=Q(status="SELLER_DECISION"),
                name="auction_undecided",
            ),
        ]

    def __str__(self) -> str:
        return f"Auction #{self.pk}"


class BidQuerySet(RowQuerySet["Bid"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Bidders see their own. Before the close nobody sees those of others: not the seller, not staff.

        Not even in an open auction: what rises there is the price; the maximum behind it is the bidder's secret,
        and whoever knew it could drive the price up to it. Pages show prices by ``queries.view_of``.
        """
        over = ~Q(auction__status__in=["SCHEDULED", "OPEN", "OPENING"])
        if actor.sees_everything:
            return self.filter(over)
        mine = Q(bidder_id=actor.organisation_id, bidder__isnull=False)
        sold_by_me = Q(auction__lot__seller_id=actor.organisation_id) & over
        return self.filter(mine | sold_by_me)


class Bid(models.Model):
    """A binding offer: pay up to ``maximum`` for the whole lot. Append-only. Amounts in the auction's currency.

    A bid in a sealed auction may be a formula: then ``terms`` are its terms, as ``pricing.rules.formulas.plain`` writes
    them, ``maximum`` what they typically pay at the seller's gate, and ``figures`` how that was worked out when it was placed.

    A sealed bid is an ``envelope`` with a ``commitment``, and nothing else, until the auction's key is joined: then ``maximum``,
    ``terms`` and ``figures`` are filled in, once (a trigger refuses every other change). Of its request only a hash is kept.
    Sealed bids from before there were envelopes have none, and were readable by whoever could read the database.
    """

    auction = models.ForeignKey(Auction, models.PROTECT, related_name="bids")
    bidder = models.ForeignKey(Organisation, models.PROTECT, related_name="bids")
    placed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    licence = models.ForeignKey(Licence, models.PROTECT, related_name="+")
    maximum = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, help_text="Null while in its envelope."
    )
    price_after = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, help_text="Null while sealed."
    )
    leads = models.BooleanField(help_text="Whether it led when it was placed; false while sealed.")
    placed_at = models.DateTimeField()
    request_id = models.UUIDField()
    terms = models.JSONField(null=True, help_text="Null for a plain amount.")
    figures = models.JSONField(null=True)
    envelope = models.BinaryField(null=True)
    commitment = models.CharField(max_length=64, blank=True, db_default="")
    echo = models.BinaryField(
        null=True, help_text="The same for who repeats the request: its id opens it, nothing else."
    )
    opened_at = models.DateTimeField(null=True)

    objects = BidQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(maximum__gt=0), name="bid_is_positive"),
            models.CheckConstraint(
                condition=Q(terms__isnull=True, figures__isnull=True)
                | Q(terms__isnull=False, figures__isnull=False, leads=False, price_after=None),
                name="bid_terms_have_figures_and_are_sealed",
            ),
            models.CheckConstraint(
                condition=Q(
                    envelope=None,
                    commitment="",
                    echo=None,
                    opened_at=None,
                    maximum__isnull=False,
                )
                | Q(
                    Q(maximum__isnull=True, opened_at=None, terms__isnull=True)
                    | Q(maximum__isnull=False, opened_at__isnull=False),
                    ~Q(commitment=""),
                    echo__isnull=False,
                    envelope__isnull=False,
                    leads=False,
                    price_after=None,
                ),
                name="bid_in_its_envelope_says_nothing",
            ),
            models.UniqueConstraint(
                fields=["bidder", "request_id"], name="bid_request_counts_once"
            ),
        ]
        indexes = [
            models.Index(fields=["auction", "-maximum", "id"], name="bid_best_first"),
            models.Index(fields=["bidder", "-id"], name="bid_by_bidder"),
        ]

    def __str__(self) -> str:
        return f"Bid #{self.pk}"

    @property
    def amount(self) -> Decimal:
        """What the bid says. For who has opened it.

        :raises LookupError: if it is still in its envelope
        """
        if self.maximum is None:
            raise LookupError(f"{self} is sealed.")
        return self.maximum


class SealQuerySet(RowQuerySet["Seal"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Whoever sees the auction sees its public key, and how many of its holders must come together."""
        return self.filter(auction__in=Auction.objects.visible_to(actor))


class Seal(models.Model):
    """What the bids of one auction are sealed with: a public key. Its other half is in parts, which are not in this database."""

    TRY_AGAIN_AFTER = timedelta(minutes=5)

    auction = models.OneToOneField(Auction, models.PROTECT, primary_key=True, related_name="seal")
    number = models.UUIDField(unique=True, help_text="What the holders of the parts know it by.")
    public_key = models.CharField(max_length=64, help_text="X25519, in hexadecimal.")
    needed = models.PositiveSmallIntegerField(help_text="How many parts open it.")
    parts = models.PositiveSmallIntegerField()
    share_digests = models.JSONField(help_text="SHA-256 of each part, in order.")
    made_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True, help_text="When a part was last missing.")
    opened_at = models.DateTimeField(null=True)

    objects = SealQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(needed__gte=1, needed__lte=F("parts"), parts__lte=255),
                name="seal_can_be_opened",
            ),
        ]

    def __str__(self) -> str:
        return f"Seal of auction #{self.pk}"


class DepositQuerySet(RowQuerySet["Deposit"]):
    def visible_to(self, actor: "Actor") -> Self:
        """Bidders see their own: who paid a deposit for a sealed auction is nobody else's business."""
        if actor.organisation_id is None:
            return self.none()
        return self.filter(bidder_id=actor.organisation_id)


class Deposit(models.Model):
    """Money held from a bidder for one auction, so that a bid is meant. The amount sits in the ledger's HELD account."""

    class Status(models.TextChoices):
        HELD = "HELD", _("Held")
        RELEASED = "RELEASED", _("Given back")
        FORFEITED = "FORFEITED", _("Paid to the seller")

    auction = models.ForeignKey(Auction, models.PROTECT, related_name="deposits")
    bidder = models.ForeignKey(Organisation, models.PROTECT, related_name="deposits")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    status = models.CharField(max_length=10, choices=Status, default=Status.HELD)
    held_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = DepositQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["HELD", "RELEASED", "FORFEITED"]),
                name="deposit_status_known",
            ),
            models.CheckConstraint(
                condition=Q(status="HELD", ended_at=None)
                | Q(status__in=["RELEASED", "FORFEITED"], ended_at__isnull=False),
                name="deposit_is_dated_once_ended",
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="deposit_is_not_negative"),
            models.UniqueConstraint(fields=["auction", "bidder"], name="deposit_held_once"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} of {self.bidder_id} for {self.auction_id}"


class AwardQuerySet(RowQuerySet["Award"]):
    def visible_to(self, actor: "Actor") -> Self:
        """The seller sees the whole ladder; a bidder sees their own rung."""
        if actor.sees_everything:
            return self
        return self.filter(
            Q(bidder_id=actor.organisation_id) | Q(lot__seller_id=actor.organisation_id)
        )


class Award(Staged):
    """Who gets a lot for how much: a rung of the ladder of an auction (the winner, and up to three who stand by), or
    the buyer whose standing order took it. Whoever draws up the contract asks the award, and not how it came about.
    """

    class Status(models.TextChoices):
        STANDBY = "STANDBY", _("Standing by")
        WON = "WON", _("Won")
        DEFAULTED = "DEFAULTED", _("Did not honour it")
        RELEASED = "RELEASED", _("Released")

    NEXT = {
        Status.STANDBY: frozenset({Status.WON, Status.RELEASED}),
        Status.WON: frozenset({Status.DEFAULTED, Status.RELEASED}),
        Status.DEFAULTED: frozenset(),
        Status.RELEASED: frozenset(),
    }

    lot = models.ForeignKey(Lot, models.PROTECT, related_name="awards")
    auction = models.ForeignKey(Auction, models.PROTECT, null=True, related_name="awards")
    bidder = models.ForeignKey(Organisation, models.PROTECT, related_name="awards")
    bid = models.OneToOneField(Bid, models.PROTECT, null=True, related_name="award")
    fill = models.OneToOneField("market.OrderFill", models.PROTECT, null=True, related_name="award")
    rank = models.PositiveSmallIntegerField()
    price = models.DecimalField(max_digits=14, decimal_places=2)
    status = models.CharField(max_length=10, choices=Status)
    decided_at = models.DateTimeField()

    objects = AwardQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["STANDBY", "WON", "DEFAULTED", "RELEASED"]),
                name="award_status_known",
            ),
            models.CheckConstraint(condition=Q(price__gt=0, rank__gte=1), name="award_makes_sense"),
            models.CheckConstraint(
                condition=Q(auction__isnull=False, bid__isnull=False, fill=None)
                | Q(auction=None, bid=None, fill__isnull=False, rank=1),
                name="award_is_of_an_auction_or_an_order",
            ),
            models.UniqueConstraint(
                fields=["lot"], condition=Q(status="WON"), name="one_winner_per_lot"
            ),
            models.UniqueConstraint(fields=["auction", "rank"], name="award_rank_is_held_once"),
            models.UniqueConstraint(
                fields=["auction"], condition=Q(status="WON"), name="one_winner_per_auction"
            ),
        ]

    def __str__(self) -> str:
        return f"rank {self.rank} for lot {self.lot_id}"

    @property
    def currency(self) -> str:
        return self._sale.currency

    @property
    def licence(self) -> Licence:
        """Under which the buyer bid, or published the order."""
        said = self.bid or self.fill
        if said is None:
            raise LookupError(f"Award {self.pk} is of nothing.")  # a check constraint says so
        return said.licence

    @property
    def offered_at(self) -> datetime:
        """Since when the lot was for sale at such a price: what was thought of it later did not make the price."""
        return self.auction.opens_at if self.auction else self._fill.matched_at

    @property
    def terms_sha256(self) -> str:
        """The fingerprint of the terms that everybody knew before."""
        return self.auction.terms_sha256 if self.auction else self._fill.terms.terms_sha256

    @property
    def _sale(self) -> "Auction | StandingOrder":
        return self.auction or self._fill.order

    @property
    def _fill(self) -> "OrderFill":
        if self.fill is None:
            raise LookupError(f"Award {self.pk} is of nothing.")
        return self.fill
