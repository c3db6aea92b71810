"""Which field of which battery passport says what: the one map of all formats that we read.

A path is keys with dots; of a list the first entry counts, or the one that ``[key=value]`` picks. What stands behind
``|`` is the unit that the format declares where it does not write one beside the value; else it is ours. Misspelt
keys are normative: they stand so in the published models, and both spellings are read.

:source: BatteryPass data model 1.2.0 and Performance 1.2.1 (DIN DKE SPEC 99100:2025-02, CC BY 4.0);
    Catena-X battery_pass 3.0.1, 6.0.0 and 6.1.0 (CC BY 4.0); UNTP Digital Product Passport 0.7.0
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    TEXT = "TEXT"
    DAY = "DAY"
    NUMBER = "NUMBER"
    CHEMISTRY = "CHEMISTRY"
    STATUS = "STATUS"
    CATEGORY = "CATEGORY"
    MATERIALS = "MATERIALS"
    EVENTS = "EVENTS"
    LINKS = "LINKS"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field of ours, and where each format keeps it.

    :param unit: what its value is turned into
    :param low: less than this is absurd
    :param high: more than this is absurd
    :param moves: it changes while the battery is used, so that it says nothing without its time
    """

    name: str
    kind: Kind
    unit: str = ""
    low: Decimal = Decimal(0)
    high: Decimal = Decimal("Infinity")
    moves: bool = False
    battery_pass: tuple[str, ...] = ()
    catena_x: tuple[str, ...] = ()
    catena_x_3: tuple[str, ...] = ()
    untp: tuple[str, ...] = ()


def _text(name: str, kind: Kind = Kind.TEXT, **paths: tuple[str, ...]) -> Wanted:
    return Wanted(name, kind, **paths)  # type: ignore[arg-type]


def _number(
    name: str, unit: str, low: str, high: str, *, moves: bool = False, **paths: tuple[str, ...]
) -> Wanted:
    return Wanted(name, Kind.NUMBER, unit, Decimal(low), Decimal(high), moves, **paths)


def _both(group: str, key: str) -> tuple[str, ...]:
    """Where BatteryPass keeps a figure: 1.2.1, 1.2.0, and as somebody would spell it who spells well."""
    return tuple(
        f"{spelt}.{key}"
        for spelt in {
            "T": ("batteryTechicalProperties", "batteryTechnicalProperties", "batteryCondition"),
            "C": ("batteryCondition", "batteryTechicalProperties", "batteryTechnicalProperties"),
        }[group]
    )


MAP: tuple[Wanted, ...] = (
    # --- what it is ---
    _text(
        "passport_id",
        battery_pass=("batteryPassportIdentifier",),
        catena_x=("metadata.passportIdentifier",),
        untp=("id",),
    ),
    _text(
        "unit_id",
        battery_pass=("productIdentifier",),
        catena_x=("identification.identification.serial.value", "identification.idDmc"),
        catena_x_3=("batteryIdentification.batteryIDDMCCode",),
        untp=("credentialSubject.itemNumber", "credentialSubject.id"),
    ),
    _text(
        "model",
        catena_x=("identification.identification.type.manufacturerPartId",),
        catena_x_3=("batteryIdentification.batteryModel",),
        untp=("credentialSubject.modelNumber", "credentialSubject.name"),
    ),
    _text(
        "batch",
        catena_x=("identification.identification.batch.value",),
        untp=("credentialSubject.batchNumber",),
    ),
    _text(
        "category",
        Kind.CATEGORY,
        battery_pass=("batteryCategory",),
        catena_x=("identification.category",),
        untp=("credentialSubject.characteristics.batteryCategory",),
    ),
    _text(
        "chemistry",
        Kind.CHEMISTRY,
        battery_pass=("batteryChemistry.shortName", "batteryChemistry.clearName"),
        catena_x=("identification.chemistry",),
        catena_x_3=("batteryIdentification.batteryType",),
        untp=("credentialSubject.characteristics.batteryChemistry",),
    ),
    _text(
        "status",
        Kind.STATUS,
        battery_pass=("batteryStatus",),
        catena_x=("sustainability.status",),
        catena_x_3=("stateOfBattery.statusBattery",),
        untp=("credentialSubject.characteristics.batteryStatus",),
    ),
    _text(
        "maker",
        battery_pass=(
            "manufacturerInformation.contactName",
            "manufacturerInformation.identifier",
        ),
        catena_x=("operation.manufacturer.manufacturer",),
        catena_x_3=("manufacturer.name",),
        untp=("credentialSubject.relatedParty[role=manufacturer].party.name", "issuer.name"),
    ),
    _text(
        "operator",
        battery_pass=("operatorInformation.identifier",),
        catena_x=("metadata.economicOperatorId",),
        untp=("issuer.id",),
    ),
    _text(
        "made_on",
        Kind.DAY,
        battery_pass=("manufacturingDate",),
        catena_x=("operation.manufacturer.manufacturingDate",),
        catena_x_3=("manufacturing.dateOfManufacturing",),
        untp=("credentialSubject.productionDate",),
    ),
    _text(
        "made_in",
        battery_pass=("manufacturingPlace.addressCountry",),
        catena_x=("operation.manufacturer.facility.facility",),
        catena_x_3=("manufacturing.address.country.shortName",),
        untp=("credentialSubject.countryOfProduction.countryCode",),
    ),
    _text(
        "in_service_on",
        Kind.DAY,
        battery_pass=("puttingIntoService",),
        catena_x=("operation.intoServiceDate",),
        catena_x_3=("datePlacedOnMarket",),
        untp=("credentialSubject.characteristics.puttingIntoService",),
    ),
    _number(
        "mass_kg",
        "kg",
        "0.001",
        "50000",
        battery_pass=("batteryMass",),
        catena_x=("characteristics.physicalDimension.weight",),
        catena_x_3=("physicalDimensions.weight",),
        untp=("credentialSubject.dimensions.weight",),
    ),
    _number(
        "length_mm",
        "mm",
        "0.1",
        "30000",
        catena_x=("characteristics.physicalDimension.length",),
        catena_x_3=("physicalDimensions.length",),
        untp=("credentialSubject.dimensions.length",),
    ),
    _number(
        "width_mm",
        "mm",
        "0.1",
        "30000",
        catena_x=("characteristics.physicalDimension.width",),
        catena_x_3=("physicalDimensions.width",),
        untp=("credentialSubject.dimensions.width",),
    ),
    _number(
        "height_mm",
        "mm",
        "0.1",
        "30000",
        catena_x=("characteristics.physicalDimension.height",),
        catena_x_3=("physicalDimensions.height",),
        untp=("credentialSubject.dimensions.height",),
    ),
    _text("warranty_text", battery_pass=("warrentyPeriod", "warrantyPeriod")),
    _number(
        "warranty_months",
        "month",
        "0",
        "600",
        catena_x=("characteristics.warranty",),
        catena_x_3=("warrantyPeriod",),
        untp=("credentialSubject.characteristics.warrantyPeriodMonths",),
    ),
    # --- what it could do when new ---
    _number(
        "rated_capacity_ah",
        "Ah",
        "0.001",
        "100000",
        battery_pass=_both("T", "ratedCapacity"),
        catena_x=("performance.rated.capacity.value",),
        catena_x_3=("electrochemicalProperties.ratedCapacity",),
        untp=("credentialSubject.characteristics.ratedCapacity",),
    ),
    _number(
        "rated_energy_kwh",
        "kWh",
        "0.00001",
        "50000",
        battery_pass=_both("T", "ratedEnergy"),
        catena_x=("performance.rated.energy.value",),
        catena_x_3=("electrochemicalProperties.batteryEnergy.maximumAllowedBatteryEnergy|Wh",),
        untp=(
            "credentialSubject.characteristics.certifiedUsableEnergy",
            "credentialSubject.characteristics.ratedEnergy",
        ),
    ),
    _number(
        "nominal_volts",
        "V",
        "0.5",
        "2000",
        battery_pass=_both("T", "nominalVoltage"),
        catena_x=("performance.rated.voltage.nominal",),
        catena_x_3=("electrochemicalProperties.batteryVoltage.nominalVoltage",),
        untp=("credentialSubject.characteristics.nominalVoltage",),
    ),
    _number(
        "least_volts",
        "V",
        "0",
        "2000",
        battery_pass=_both("T", "minimumVoltage"),
        catena_x=("performance.rated.voltage.min",),
        catena_x_3=("electrochemicalProperties.batteryVoltage.minVoltage",),
        untp=("credentialSubject.characteristics.minimumVoltage",),
    ),
    _number(
        "most_volts",
        "V",
        "0.5",
        "2000",
        battery_pass=_both("T", "maximumVoltage"),
        catena_x=("performance.rated.voltage.max",),
        catena_x_3=("electrochemicalProperties.batteryVoltage.maxVoltage",),
        untp=("credentialSubject.characteristics.maximumVoltage",),
    ),
    _number(
        "rated_power_kw",
        "kW",
        "0.000001",
        "50000",
        battery_pass=_both("T", "ratedMaximumPower|kW"),
        catena_x=("performance.rated.power.value|W",),
        catena_x_3=("electrochemicalProperties.batteryPower.maximumAllowedBatteryPower|W",),
        untp=(
            "credentialSubject.characteristics.maximumPermittedPower",
            "credentialSubject.characteristics.originalPowerCapability",
        ),
    ),
    _number(
        "exhaustion_percent",
        "%",
        "1",
        "100",
        battery_pass=_both("T", "capacityThresholdForExhaustion"),
        catena_x=("performance.rated.capacity.thresholdExhaustion",),
        catena_x_3=("electrochemicalProperties.capacityThresholdExhaustion",),
        untp=("credentialSubject.characteristics.capacityThresholdForExhaustion",),
    ),
    _number(
        "expected_cycles",
        "",
        "1",
        "1000000",
        battery_pass=_both("T", "expectedNumberOfCycles"),
        catena_x=("performance.rated.lifetime.cycleLifeTesting.cycles",),
        catena_x_3=("batteryCycleLife.expectedLifetime",),
        untp=("credentialSubject.characteristics.expectedLifetimeCycles",),
    ),
    _number(
        "expected_years",
        "year",
        "0",
        "60",
        battery_pass=_both("T", "expectedLifetime"),
        catena_x=("performance.rated.lifetime.expectedYears",),
        untp=("credentialSubject.characteristics.expectedLifetimeYears",),
    ),
    _number(
        "rated_resistance_ohm",
        "ohm",
        "0",
        "20",
        battery_pass=_both("T", "initialInternalResistance[batteryComponent=pack].ohmicResistance"),
        catena_x=("performance.rated.resistance.pack",),
        catena_x_3=("electrochemicalProperties.internalResistance.packInternalResistance",),
        untp=("credentialSubject.characteristics.initialInternalResistance.pack",),
    ),
    _number(
        "round_trip_percent",
        "%",
        "1",
        "100",
        battery_pass=_both("T", "roundtripEfficiency"),
        catena_x=("performance.rated.roundTripEfficiency.initial",),
        catena_x_3=("electrochemicalProperties.batteryEnergy.energyRoundtripEfficiency",),
        untp=("credentialSubject.characteristics.initialRoundTripEnergyEfficiency",),
    ),
    _number(
        "idle_from_c",
        "°C",
        "-80",
        "150",
        battery_pass=_both("T", "temperatureRangeIdleState.minimum"),
        catena_x=("performance.rated.temperature.lower",),
        catena_x_3=("temperatureRangeIdleState.temperatureRangeIdleStateLowerLimit",),
        untp=("credentialSubject.characteristics.temperatureRangeIdleState.lower",),
    ),
    _number(
        "idle_to_c",
        "°C",
        "-80",
        "150",
        battery_pass=_both("T", "temperatureRangeIdleState.maximum"),
        catena_x=("performance.rated.temperature.upper",),
        catena_x_3=("temperatureRangeIdleState.temperatureRangeIdleStateUpperLimit",),
        untp=("credentialSubject.characteristics.temperatureRangeIdleState.upper",),
    ),
    # --- how it is now ---
    _number(
        "certified_energy_percent",
        "%",
        "0",
        "102",
        moves=True,
        battery_pass=_both("C", "stateOfCertifiedEnergy"),
        catena_x=("performance.dynamic.energy.soce",),
        untp=("credentialSubject.characteristics.stateOfCertifiedEnergy",),
    ),
    _number(
        "health_percent",
        "%",
        "0",
        "102",
        moves=True,
        catena_x_3=("stateOfBattery.stateOfHealth",),
        untp=("credentialSubject.characteristics.stateOfHealth",),
    ),
    _number(
        "remaining_capacity_ah",
        "Ah",
        "0",
        "100000",
        moves=True,
        battery_pass=_both("C", "remainingCapacity"),
        catena_x=("performance.dynamic.capacity.capacity",),
        untp=("credentialSubject.characteristics.remainingCapacity",),
    ),
    _number(
        "capacity_fade_percent",
        "%",
        "0",
        "100",
        moves=True,
        battery_pass=_both("C", "capacityFade"),
        catena_x=("performance.dynamic.capacity.fade",),
        catena_x_3=("electrochemicalProperties.capacityFade",),
        untp=("credentialSubject.characteristics.capacityFade",),
    ),
    _number(
        "remaining_energy_kwh",
        "kWh",
        "0",
        "50000",
        moves=True,
        battery_pass=_both("C", "remainingEnergy"),
        catena_x=("performance.dynamic.energy.remaining",),
        untp=("credentialSubject.characteristics.remainingEnergy",),
    ),
    _number(
        "full_cycles",
        "",
        "0",
        "1000000",
        moves=True,
        battery_pass=_both("C", "numberOfFullCycles"),
        catena_x=("performance.dynamic.fullCycles",),
        untp=("credentialSubject.characteristics.numberOfFullCycles",),
    ),
    _number(
        "energy_throughput_kwh",
        "kWh",
        "0",
        "1000000000",
        moves=True,
        battery_pass=_both("C", "energyThroughput"),
        catena_x=("performance.dynamic.energy.throughput",),
    ),
    _number(
        "capacity_throughput_ah",
        "Ah",
        "0",
        "1000000000",
        moves=True,
        battery_pass=_both("C", "capacityThroughput"),
        catena_x=("performance.dynamic.capacity.throughput",),
    ),
    _number(
        "resistance_increase_percent",
        "%",
        "-50",
        "2000",
        moves=True,
        battery_pass=_both("C", "internalResistanceIncrease[batteryComponent=pack]"),
        catena_x=("performance.dynamic.resistance.increase.pack",),
        catena_x_3=("electrochemicalProperties.internalResistance.packInternalResistanceIncrease",),
    ),
    _number(
        "remaining_power_kw",
        "kW",
        "0",
        "50000",
        moves=True,
        battery_pass=_both(
            "C", "remainingPowerCapability.remainingPowerCapabilityValue.powerCapabilityAt|kW"
        ),
        catena_x=("performance.dynamic.power.remaining|W",),
    ),
    _number(
        "power_fade_percent",
        "%",
        "0",
        "100",
        moves=True,
        battery_pass=_both("T", "powerFade"),
        catena_x=("performance.dynamic.power.fade",),
        catena_x_3=("electrochemicalProperties.batteryPower.powerFade",),
    ),
    _number(
        "self_discharge_percent",
        "%",
        "0",
        "100",
        moves=True,
        battery_pass=_both("C", "currentSelfDischargingRate"),
        catena_x=("performance.dynamic.selfDischargingRate",),
    ),
    _number(
        "charge_percent",
        "%",
        "0",
        "102",
        moves=True,
        battery_pass=_both("C", "stateOfCharge"),
        catena_x=("performance.dynamic.stateOfCharge",),
        catena_x_3=("stateOfBattery.stateOfCharge",),
    ),
    _text(
        "negative_events",
        Kind.EVENTS,
        battery_pass=_both("C", "negativeEvents"),
        catena_x=("performance.dynamic.negativeEvents",),
    ),
    _number(
        "too_hot_minutes",
        "min",
        "0",
        "50000000",
        moves=True,
        battery_pass=_both("C", "temperatureInformation.timeExtremeHighTemp"),
    ),
    _number(
        "too_cold_minutes",
        "min",
        "0",
        "50000000",
        moves=True,
        battery_pass=_both("C", "temperatureInformation.timeExtremeLowTemp"),
    ),
    # --- what it is made of, and how to take it apart ---
    _text(
        "materials",
        Kind.MATERIALS,
        battery_pass=("batteryMaterials",),
        catena_x=("materials.composition",),
        catena_x_3=("composition.compositionOfBattery",),
        untp=("credentialSubject.materialProvenance",),
    ),
    _text(
        "hazardous_substances",
        Kind.MATERIALS,
        battery_pass=("hazardousSubstances",),
        catena_x=("materials.hazardous.other",),
    ),
    _text(
        "recycled_content",
        Kind.MATERIALS,
        battery_pass=("recycledContent",),
        catena_x=("materials.active.other",),
        catena_x_3=("cellChemistry.recyclateContentActiveMaterials",),
    ),
    _text(
        "dismantling",
        Kind.LINKS,
        battery_pass=("dismantlingAndRemovalInformation",),
        catena_x=("safety.dismantling", "safety.removalFromAppliance"),
        catena_x_3=("document.batteryDismantlingProcedure",),
        untp=("credentialSubject.relatedDocument",),
    ),
    _text(
        "extinguisher",
        battery_pass=("safetyMeasures.extinguishingAgent",),
        catena_x=("safety.usableExtinguishAgent.media",),
        untp=("credentialSubject.characteristics.extinguishingAgent",),
    ),
    _number(
        "carbon_kg_per_kwh",
        "kg/kWh",
        "0",
        "1000",
        battery_pass=("batteryCarbonFootprint",),
        catena_x=("sustainability.carbonFootprint",),
    ),
)
