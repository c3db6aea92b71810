"""When this happens, that runs. Every reaction, job and schedule of the house is on this page."""

from marketplace.accounts import events as accounts
from marketplace.certificates import events as certificates
from marketplace.certificates import tasks as certificates_tasks
from marketplace.compliance import tasks as compliance_tasks
from marketplace.deals import events as deals
from marketplace.deals import tasks as deals_tasks
from marketplace.freight import events as freight
from marketplace.freight import tasks as freight_tasks
from marketplace.journal import events as journal
from marketplace.journal.services import Every, Switchboard
from marketplace.ledger import events as ledger
from marketplace.ledger import tasks as ledger_tasks
from marketplace.logistics import events as logistics
from marketplace.logistics import tasks as logistics_tasks
from marketplace.lots import events as lots
from marketplace.lots import tasks as lots_tasks
from marketplace.market import events as market
from marketplace.market import tasks as market_tasks
from marketplace.pricing import events as pricing
from marketplace.pricing import tasks as pricing_tasks

SWITCHBOARD = Switchboard(
    reactions={
        journal.JobRetried: [],
        journal.JobDiscarded: [],
        accounts.CodeRequested: [],
        accounts.PersonJoined: [],
        accounts.PersonChanged: [],
        accounts.OrganisationFounded: [],
        accounts.OrganisationChanged: [],
        accounts.OrganisationFrozen: [],
        accounts.OrganisationReleased: [],
        accounts.MemberInvited: [],
        accounts.MemberAdded: [],
        accounts.MemberRemoved: [],
        accounts.TokenIssued: [],
        accounts.TokenRevoked: [],
        accounts.LicenceApplied: [],
        accounts.LicenceCorrected: [],
        accounts.LicenceClaimed: [],
        accounts.LicenceFieldChecked: [],
        accounts.LicenceApproved: [],
        accounts.LicenceSubmitted: [],
        accounts.LicenceVerified: [],
        accounts.LicenceRefused: [],
        accounts.LicenceNeedsInfo: [],
        accounts.LicenceSuspended: [],
        accounts.LicenceReinstated: [],
        accounts.LicenceExpired: [],
        ledger.MoneyPaidIn: [],
        ledger.MoneyPaidOut: [],
        ledger.PaymentFailed: [],
        ledger.LedgerReconciled: [],
        lots.LotSubmitted: [compliance_tasks.on_lot_submitted, pricing_tasks.on_lot_submitted],
        lots.LotQuarantined: [],
        lots.LotNeedsInfo: [],
        lots.LotEvidenceChanged: [
            compliance_tasks.on_lot_evidence_changed,
            pricing_tasks.on_lot_evidence_changed,
        ],
        lots.LotWithdrawn: [],
        lots.LotMoved: [],
        pricing.LotValued: [],
        freight.QuotesRequested: [],
        freight.QuotesOffered: [],
        freight.QuoteChosen: [logistics_tasks.on_quote_chosen],
        market.AuctionScheduled: [],
        market.AuctionOpened: [],
        market.BidPlaced: [],
        market.AuctionClosed: [],
        market.AuctionWithdrawn: [],
        market.SellerMustDecide: [],
        market.LotAwarded: [deals_tasks.on_lot_awarded],
        market.WinnerDefaulted: [],
        deals.DealOpened: [],
        deals.DealSigned: [],
        deals.DealFunded: [market_tasks.on_deal_funded, logistics_tasks.on_deal_funded],
        deals.LotWeighed: [],
        deals.DealAdjusted: [],
        deals.DealAccepted: [],
        deals.DealRejected: [],
        deals.DealSettled: [logistics_tasks.on_deal_settled],
        deals.DealDefaulted: [market_tasks.on_deal_defaulted, logistics_tasks.on_deal_defaulted],
        deals.DealCancelled: [market_tasks.on_deal_cancelled, logistics_tasks.on_deal_cancelled],
        deals.DealReturned: [logistics_tasks.on_deal_returned],
        deals.CancellationAsked: [],
        deals.DisputeOpened: [],
        deals.DisputeEnded: [],
        logistics.ShipmentPlanned: [],
        logistics.ShipmentBooked: [],
        logistics.GoodsHandedOver: [],
        certificates.ProcessingReported: [],
        certificates.ReportContradicted: [],
        certificates.CertificateIssued: [],
        certificates.WithdrawalProposed: [],
        certificates.WithdrawalDismissed: [],
        certificates.CertificateRevoked: [],
        certificates.StatusListSigned: [],
    },
    jobs={
        "pricing.price_lot": pricing_tasks.price_lot,
        "ledger.ask_payment_service": ledger_tasks.ask_payment_service,
        "freight.gather_quotes": freight_tasks.gather_quotes,
        "market.open": market_tasks.open_one,
        "market.close": market_tasks.close_one,
        "market.expire": market_tasks.expire_one,
        "logistics.render_documents": logistics_tasks.render_documents,
        "certificates.issue": certificates_tasks.issue_certificate,
        "certificates.sign_status_list": certificates_tasks.sign_status_list,
    },
    schedules={
        "lots.expire": Every(24 * 3600, lots_tasks.expire_lots),
        "pricing.revalue": Every(24 * 3600, pricing_tasks.revalue_lots),
        "ledger.reconcile": Every(24 * 3600, ledger_tasks.reconcile),
        "freight.end_overdue": Every(10, freight_tasks.end_overdue),
        "market.open_due": Every(5, market_tasks.open_due),
        "market.close_due": Every(5, market_tasks.close_due),
        "market.decisions_due": Every(5, market_tasks.decisions_due),
        "deals.expire_overdue": Every(60, deals_tasks.expire_overdue),
        "certificates.renew_status_lists": Every(6 * 3600, certificates_tasks.renew_status_lists),
    },
)
