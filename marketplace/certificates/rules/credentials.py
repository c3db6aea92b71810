"""The documents that we sign: a UNTP 0.7.0 Digital Conformity Credential, and the status list that withdraws it.

No personal data and no name of a collector goes in: a credential can be copied for ever.

:source: UN/CEFACT UN Transparency Protocol 0.7.0; W3C Verifiable Credentials Data Model 2.0
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from .decentralized_ids import Json
from .mass_balance import Balance, Output
from .signatures import CREDENTIALS_V2
from .status_list import encode

UNTP_CONTEXT = "https://vocabulary.uncefact.org/untp/0.7.0/context/"
TOPICS = "https://vocabulary.uncefact.org/conformity-topic/"
METRICS = "https://vocabulary.uncefact.org/performance-metrics/"
KILOGRAM, PERCENT, PIECE = "KGM", "P1", "C62"  # UN/ECE Recommendation 20

RECYCLED, REPURPOSED = "RECYCLED", "REPURPOSED"
NAMES = {
    RECYCLED: "Certificate of recycling",
    REPURPOSED: "Certificate of repurposing",
}
TOPIC_OF = {
    RECYCLED: ("end-of-life-management", "End-of-Life Management"),
    REPURPOSED: ("resource-circularity", "Resource Circularity"),
}
RATE_OF = {
    RECYCLED: ("material-recovery-rate", "Material Recovery Rate"),
    REPURPOSED: ("reuse-remanufacturing-rate", "Reuse and Remanufacturing Rate"),
}
MATERIAL_NAMES = {
    "LITHIUM": "Lithium",
    "NICKEL": "Nickel",
    "COBALT": "Cobalt",
    "MANGANESE": "Manganese",
    "COPPER": "Copper",
    "ALUMINIUM": "Aluminium",
    "STEEL": "Iron and steel",
    "LEAD": "Lead",
    "CADMIUM": "Cadmium",
    "ZINC": "Zinc",
    "RARE_EARTHS": "Rare earths",
    "GRAPHITE": "Graphite",
    "IRON_PHOSPHATE": "Iron phosphate",
    "PLASTICS": "Plastics",
    "ELECTROLYTE": "Electrolyte and acid",
    "SODIUM_SULPHATE": "Sodium sulphate",
    "BLACK_MASS": "Black mass",
    "LEAD_PASTE": "Lead paste",
    "MIXED_METALS": "Mixed metals",
    "CELLS": "Cells for second life",
    "MODULES": "Modules for second life",
    "PACKS": "Packs for second life",
}


@dataclass(frozen=True)
class Issuer:
    """The deployment that signs."""

    did: str
    name: str
    site_url: str


@dataclass(frozen=True)
class Processor:
    """Who processed the batteries, and under which permit."""

    url: str
    name: str
    country: str
    licence_number: str
    licence_kind: str
    licence_issuer: str


@dataclass(frozen=True)
class Claim:
    """All that a certificate says."""

    code: str
    kind: str
    processor: Processor
    lot_url: str
    lot_name: str
    chemistry: str
    collected_in: str
    processed_on: date
    balance: Balance
    outputs: Sequence[Output]


@dataclass(frozen=True)
class StatusPlace:
    """Where the bit is that withdraws a certificate."""

    list_url: str
    index: int


def timestamp(at: datetime) -> str:
    """Write a moment as UTC to the second.

    >>> timestamp(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    '2026-11-23T12:00:00Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(amount: Decimal) -> int | float:
    """Write an exact decimal as the JSON number with the same digits.

    Exact for masses to the gram: a double holds fifteen digits, ours have ten.

    >>> number(Decimal("640.000")), number(Decimal("112.4"))
    (640, 112.4)
    """
    return int(amount) if amount == amount.to_integral_value() else float(amount)


def conformity_credential(
    claim: Claim, *, issuer: Issuer, status: StatusPlace, valid_from: datetime
) -> Json:
    """Return the certificate as a UNTP Digital Conformity Credential.

    Honest about who stands behind it: we are a market that checked a recycler's report against what was weighed
    at delivery, so the attestation is a declaration (``self``, ``no-endorsement``), not an accredited audit.
    """
    page = f"{issuer.site_url}/v/{claim.code}/"
    return {
        "@context": [CREDENTIALS_V2, UNTP_CONTEXT],
        "type": ["DigitalConformityCredential", "VerifiableCredential"],
        "id": page,
        "issuer": {"type": ["CredentialIssuer"], "id": issuer.did, "name": issuer.name},
        "validFrom": timestamp(valid_from),
        "name": f"{NAMES[claim.kind]} {claim.code}",
        "credentialStatus": untp_status(status),
        "credentialSubject": _attestation(claim, issuer=issuer, page=page),
    }


def untp_status(status: StatusPlace) -> Json:
    """Return the status entry as UNTP 0.7.0 has it: the index is an integer, and no further member is allowed."""
    return {
        "type": "BitstringStatusListEntry",
        "id": f"{status.list_url}#{status.index}",
        "statusPurpose": "revocation",
        "statusListIndex": status.index,
        "statusListCredential": status.list_url,
    }


def w3c_status(status: StatusPlace) -> Json:
    """Return the status entry as W3C has it, for credentials outside UNTP: the index is a string."""
    return {**untp_status(status), "statusListIndex": str(status.index)}


def status_list_credential(
    withdrawn: Sequence[int],
    *,
    list_url: str,
    issuer: Issuer,
    signed_at: datetime,
    valid_until: datetime,
) -> Json:
    """Return the credential that says which indices of a list have been withdrawn."""
    return {
        "@context": [CREDENTIALS_V2],
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "id": list_url,
        "issuer": issuer.did,
        "validFrom": timestamp(signed_at),
        "validUntil": timestamp(valid_until),
        "credentialSubject": {
            "id": f"{list_url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": encode(withdrawn),
        },
    }


def enveloped(signed: str) -> Json:
    """Return a signed credential as JSON, for whoever cannot take ``vc+jwt``."""
    return {
        "@context": CREDENTIALS_V2,
        "id": f"data:application/vc+jwt,{signed}",
        "type": "EnvelopedVerifiableCredential",
    }


@dataclass(frozen=True)
class Facts:
    """What a certificate says, read back from its signed bytes: pages and papers show this and nothing else."""

    code: str
    kind: str
    processor: str
    licence: str
    licence_issuer: str
    lot_name: str
    chemistry: str
    collected_in: str
    processed_in: str
    processed_on: date
    valid_from: datetime
    input_kg: Decimal
    residue_kg: Decimal
    loss_kg: Decimal
    recovered_share: Decimal
    outputs: tuple[Output, ...]


def facts_of(credential: Json) -> Facts:
    """Read a certificate of ours.

    :raises ValueError: if it is a credential of another kind
    """
    try:
        return _facts(credential)
    except (KeyError, IndexError, TypeError, AttributeError, ArithmeticError) as other:
        raise ValueError("This credential is not a certificate of recycling.") from other


def _facts(credential: Json) -> Facts:
    subject = credential["credentialSubject"]
    assessment = subject["conformityAssessment"][0]
    product = assessment["assessedProduct"][0]["product"]
    licence = subject["authorisation"][0]
    collected_in, processed_in = (text[-2:] for text in assessment["specifiedCondition"])
    measured = {
        measure["metric"]["id"].rpartition("#")[2].rpartition("/")[2]: Decimal(
            str(measure["measure"]["value"])
        )
        for measure in assessment["assessedPerformance"]
    }
    kind = {name: kind for kind, name in NAMES.items()}[subject["name"]]
    outputs = tuple(
        Output(
            material,
            mass_kg,
            int(measured[f"{name}-units"]) if f"{name}-units" in measured else None,
        )
        for name, mass_kg in measured.items()
        if (material := name.removeprefix("output-")) in MATERIAL_NAMES
    )
    return Facts(
        code=credential["id"].rstrip("/").rpartition("/")[2],
        kind=kind,
        processor=subject["issuedToParty"]["name"],
        licence=licence["name"],
        licence_issuer=licence["issuingAuthority"]["name"],
        lot_name=product["name"],
        chemistry=product["modelNumber"],
        collected_in=collected_in,
        processed_in=processed_in,
        processed_on=date.fromisoformat(assessment["assessmentDate"]),
        valid_from=datetime.fromisoformat(credential["validFrom"]),
        input_kg=measured["input"],
        residue_kg=measured["residue"],
        loss_kg=measured["loss"],
        recovered_share=measured[RATE_OF[kind][0]] / 100,
        outputs=outputs,
    )


def _attestation(claim: Claim, *, issuer: Issuer, page: str) -> Json:
    party = {"type": ["Party"], "id": claim.processor.url, "name": claim.processor.name}
    scheme = f"{issuer.site_url}/help/credentials/"
    topic, topic_name = TOPIC_OF[claim.kind]
    return {
        "type": ["ConformityAttestation"],
        "id": f"{page}#attestation",
        "name": NAMES[claim.kind],
        "description": (
            "The processor reported what came out of these batteries. The market compared the report with the mass "
            "that was weighed and accepted at delivery and with the processor's licence on the day of processing. "
            "No accredited body has audited it."
        ),
        "assessorLevel": "self",
        "assessmentLevel": "no-endorsement",
        "attestationType": "declaration",
        "issuedToParty": party,
        "authorisation": [
            {
                "name": f"{claim.processor.licence_kind} {claim.processor.licence_number}",
                "issuingAuthority": {
                    "type": ["Party"],
                    "id": f"{claim.processor.url}#licence-issuer",
                    "name": claim.processor.licence_issuer,
                },
            }
        ],
        "referenceScheme": {
            "type": ["ConformityScheme"],
            "id": scheme,
            "name": "Mass balance of a delivered lot",
        },
        "conformityCertificate": {
            "linkURL": page,
            "linkName": f"{NAMES[claim.kind]} {claim.code}",
            "mediaType": "text/html",
        },
        "conformityAssessment": [
            {
                "type": ["ConformityAssessment"],
                "id": f"{page}#assessment",
                "name": "Mass balance",
                "assessmentCriteria": [
                    {
                        "type": ["Criterion"],
                        "id": f"{scheme}#mass-balance",
                        "name": "Outputs, residue and loss explain the mass that was accepted",
                    }
                ],
                "assessmentDate": claim.processed_on.isoformat(),
                "assessedPerformance": _performance(claim, scheme=scheme),
                "assessedProduct": [
                    {
                        "product": {
                            "type": ["Product"],
                            "id": claim.lot_url,
                            "name": claim.lot_name,
                            "modelNumber": claim.chemistry,
                        },
                        "idVerifiedByCAB": False,
                    }
                ],
                "assessedOrganisation": party,
                "specifiedCondition": [
                    f"Batteries collected in {claim.collected_in}",
                    f"Processed in {claim.processor.country}",
                ],
                "conformityTopic": [
                    {"type": ["ConformityTopic"], "id": TOPICS + topic, "name": topic_name}
                ],
                "conformance": True,
            }
        ],
    }


def _performance(claim: Claim, *, scheme: str) -> list[Json]:
    balance = claim.balance
    rate, rate_name = RATE_OF[claim.kind]
    measures = [
        (f"{scheme}#input", "Input", balance.input_kg, KILOGRAM),
        (METRICS + rate, rate_name, balance.recovered_share * 100, PERCENT),
        (f"{scheme}#residue", "Residue", balance.residue_kg, KILOGRAM),
        (f"{scheme}#loss", "Loss", balance.loss_kg, KILOGRAM),
    ]
    for output in claim.outputs:
        url, name = f"{scheme}#output-{output.material}", MATERIAL_NAMES[output.material]
        measures.append((url, name, output.mass_kg, KILOGRAM))
        if output.units is not None:
            measures.append((f"{url}-units", f"{name}, number", Decimal(output.units), PIECE))
    return [
        {
            "metric": {"type": ["PerformanceMetric"], "id": url, "name": name},
            "measure": {"value": number(amount), "unit": unit},
        }
        for url, name, amount, unit in measures
    ]
