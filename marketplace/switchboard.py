"""When this happens, that runs. Every reaction, job and schedule of the house is on this page."""

from marketplace.accounts import events as accounts
from marketplace.accounts import tasks as accounts_tasks
from marketplace.certificates import events as certificates
from marketplace.certificates import tasks as certificates_tasks
from marketplace.compliance import tasks as compliance_tasks
from marketplace.deals import events as deals
from marketplace.deals import tasks as deals_tasks
from marketplace.freight import events as freight
from marketplace.freight import tasks as freight_tasks
from marketplace.journal import events as journal
from marketplace.journal import tasks as journal_tasks
from marketplace.journal.services import Every, Switchboard
from marketplace.ledger import events as ledger
from marketplace.ledger import tasks as ledger_tasks
from marketplace.logistics import events as logistics
from marketplace.logistics import tasks as logistics_tasks
from marketplace.lots import events as lots
from marketplace.lots import tasks as lots_tasks
from marketplace.market import events as market
from marketplace.market import tasks as market_tasks
from marketplace.notifications import tasks as notifications_tasks
from marketplace.ops import events as ops
from marketplace.ops import tasks as ops_tasks
from marketplace.pricing import events as pricing
from marketplace.pricing import tasks as pricing_tasks
from marketplace.reference import events as reference

SWITCHBOARD = Switchboard(
    reactions={
        journal.JobRetried: [],
        journal.JobDiscarded: [],
        reference.QuotesChanged: [],
        reference.QuoteProposed: [],
        reference.QuoteConfirmed: [],
        reference.QuoteRefused: [],
        reference.RateProposed: [],
        reference.RateConfirmed: [],
        reference.RateRefused: [],
        accounts.CodeRequested: [notifications_tasks.on_code_requested],
        accounts.PersonJoined: [],
        accounts.PersonChanged: [],
        accounts.OrganisationFounded: [],
        accounts.OrganisationChanged: [],
        accounts.OrganisationFrozen: [notifications_tasks.tell],
        accounts.OrganisationReleased: [notifications_tasks.tell],
        accounts.MemberInvited: [notifications_tasks.on_member_invited],
        accounts.MemberAdded: [notifications_tasks.tell],
        accounts.MemberRemoved: [],
        accounts.TokenIssued: [],
        accounts.TokenRevoked: [],
        accounts.LicenceApplied: [],
        accounts.LicenceCorrected: [],
        accounts.LicenceClaimed: [],
        accounts.LicenceFieldChecked: [],
        accounts.LicenceApproved: [],
        accounts.LicenceSubmitted: [],
        accounts.LicenceVerified: [notifications_tasks.tell],
        accounts.LicenceRefused: [notifications_tasks.tell],
        accounts.LicenceNeedsInfo: [notifications_tasks.tell],
        accounts.LicenceSuspended: [market_tasks.on_licence_lapsed, notifications_tasks.tell],
        accounts.LicenceReinstated: [notifications_tasks.tell],
        accounts.LicenceExpired: [market_tasks.on_licence_lapsed, notifications_tasks.tell],
        ledger.MoneyPaidIn: [],
        ledger.MoneyPaidOut: [],
        ledger.PaymentFailed: [],
        ledger.LedgerReconciled: [],
        lots.LotSubmitted: [
            lots_tasks.check_codes,
            compliance_tasks.on_lot_submitted,
            pricing_tasks.on_lot_submitted,
        ],
        lots.LotQuarantined: [compliance_tasks.on_lot_quarantined, notifications_tasks.tell],
        lots.LotNeedsInfo: [notifications_tasks.tell],
        lots.LotEvidenceChanged: [
            lots_tasks.check_codes,
            compliance_tasks.on_lot_evidence_changed,
            pricing_tasks.on_lot_evidence_changed,
        ],
        lots.LotWithdrawn: [lots_tasks.check_codes],
        lots.LotExpired: [lots_tasks.check_codes],
        lots.LotMoved: [],
        pricing.LotValued: [notifications_tasks.tell],
        pricing.IndexPublished: [],
        pricing.ExclusionProposed: [],
        pricing.DealTakenOut: [notifications_tasks.tell],
        pricing.ExclusionRefused: [],
        freight.QuotesRequested: [notifications_tasks.tell],
        freight.QuotesOffered: [notifications_tasks.tell],
        freight.QuoteChosen: [logistics_tasks.on_quote_chosen, notifications_tasks.tell],
        market.AuctionScheduled: [],
        market.AuctionOpened: [market_tasks.on_auction_opened],
        market.SearchMatched: [notifications_tasks.tell],
        market.BidPlaced: [notifications_tasks.tell],
        market.AuctionClosed: [notifications_tasks.tell],
        market.AuctionWithdrawn: [notifications_tasks.tell],
        market.SellerMustDecide: [notifications_tasks.tell],
        market.LotAwarded: [deals_tasks.on_lot_awarded, notifications_tasks.tell],
        market.WinnerDefaulted: [notifications_tasks.tell],
        market.OrderPublished: [],
        market.OrderPaused: [notifications_tasks.tell],
        market.OrderResumed: [],
        market.OrderEnded: [notifications_tasks.tell],
        market.OrderFilled: [deals_tasks.on_lot_awarded, notifications_tasks.tell],
        market.OrderSaleUndone: [notifications_tasks.tell],
        market.PriceTaken: [notifications_tasks.tell],
        market.LastWordBegins: [notifications_tasks.tell],
        market.SealMade: [],
        market.SealTried: [],
        market.OpeningWaits: [notifications_tasks.tell],
        market.AuctionPaused: [notifications_tasks.tell],
        market.AuctionResumed: [notifications_tasks.tell],
        market.QuestionAsked: [notifications_tasks.tell],
        market.QuestionAnswered: [notifications_tasks.tell],
        market.CaseOpened: [],
        market.CaseClosed: [],
        deals.DealOpened: [notifications_tasks.tell],
        deals.DealSigned: [notifications_tasks.tell],
        deals.DealFunded: [
            market_tasks.on_deal_funded,
            logistics_tasks.on_deal_funded,
            notifications_tasks.tell,
        ],
        deals.LotWeighed: [notifications_tasks.tell],
        deals.DealAdjusted: [notifications_tasks.tell],
        deals.DealAccepted: [notifications_tasks.tell],
        deals.DealRejected: [notifications_tasks.tell],
        deals.DealSettled: [
            pricing_tasks.on_deal_settled,
            logistics_tasks.on_deal_settled,
            notifications_tasks.tell,
        ],
        deals.DealDefaulted: [
            market_tasks.on_deal_defaulted,
            logistics_tasks.on_deal_defaulted,
            notifications_tasks.tell,
        ],
        deals.DealCancelled: [
            market_tasks.on_deal_cancelled,
            logistics_tasks.on_deal_cancelled,
            notifications_tasks.tell,
        ],
        deals.DealReturned: [logistics_tasks.on_deal_returned, notifications_tasks.tell],
        deals.CancellationAsked: [notifications_tasks.tell],
        deals.DisputeOpened: [notifications_tasks.tell],
        deals.DisputeEnded: [notifications_tasks.tell],
        deals.AssaySent: [notifications_tasks.tell],
        deals.AssaysDiffer: [notifications_tasks.tell],
        deals.AssayAgreed: [notifications_tasks.tell],
        deals.UmpireAsked: [notifications_tasks.tell],
        deals.PriceReckoned: [],
        logistics.ShipmentPlanned: [],
        logistics.ShipmentBooked: [notifications_tasks.tell],
        logistics.GoodsHandedOver: [notifications_tasks.tell],
        certificates.ProcessingReported: [],
        certificates.ReportContradicted: [notifications_tasks.tell],
        certificates.CertificateIssued: [notifications_tasks.tell],
        certificates.WithdrawalProposed: [],
        certificates.WithdrawalDismissed: [],
        certificates.CertificateRevoked: [notifications_tasks.tell],
        certificates.StatusListSigned: [],
        ops.DrillDone: [],
    },
    jobs={
        "lots.read_codes": lots_tasks.read_codes,
        "pricing.price_lot": pricing_tasks.price_lot,
        "ledger.ask_payment_service": ledger_tasks.ask_payment_service,
        "freight.gather_quotes": freight_tasks.gather_quotes,
        "freight.end_round": freight_tasks.end_round,
        "market.open": market_tasks.open_one,
        "market.close": market_tasks.close_one,
        "market.expire": market_tasks.expire_one,
        "market.end_order": market_tasks.end_order,
        "deals.expire": deals_tasks.expire_one,
        "logistics.render_documents": logistics_tasks.render_documents,
        "certificates.issue": certificates_tasks.issue_certificate,
        "certificates.sign_status_list": certificates_tasks.sign_status_list,
        "notifications.send_copy": notifications_tasks.send_copy,
        "notifications.send_code": notifications_tasks.send_code,
        "notifications.send_invitation": notifications_tasks.send_invitation,
        "notifications.answer_price": notifications_tasks.answer_price,
        "ops.drill": ops_tasks.drill,
    },
    schedules={
        "journal.tidy": Every(3600, journal_tasks.tidy),
        "accounts.expire_licences": Every(3600, accounts_tasks.expire_licences),
        "lots.expire": Every(24 * 3600, lots_tasks.expire_lots),
        "pricing.revalue": Every(24 * 3600, pricing_tasks.revalue_lots),
        "pricing.publish_index": Every(24 * 3600, pricing_tasks.publish_index),
        "ledger.reconcile": Every(24 * 3600, ledger_tasks.reconcile),
        "freight.end_overdue": Every(10, freight_tasks.end_overdue),
        "market.open_due": Every(5, market_tasks.open_due),
        "market.close_due": Every(5, market_tasks.close_due),
        "market.decisions_due": Every(5, market_tasks.decisions_due),
        "market.refresh_listings": Every(10, market_tasks.refresh_listings),
        "market.orders_due": Every(60, market_tasks.orders_due),
        "market.screen": Every(24 * 3600, market_tasks.screen),
        "market.tell_digests": Every(3600, market_tasks.tell_digests),
        "deals.expire_overdue": Every(60, deals_tasks.expire_overdue),
        "certificates.renew_status_lists": Every(6 * 3600, certificates_tasks.renew_status_lists),
    },
)
