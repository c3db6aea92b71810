from dataclasses import dataclass

from marketplace.journal.events import Event


@dataclass(frozen=True)
class ShipmentPlanned(Event):
    shipment_id: int
    deal_id: int


@dataclass(frozen=True)
class ShipmentBooked(Event):
    shipment_id: int
    deal_id: int


@dataclass(frozen=True)
class GoodsHandedOver(Event):
    shipment_id: int
    deal_id: int
    handover_id: int
