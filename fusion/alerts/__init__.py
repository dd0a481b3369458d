"""Alerts: rules over what voices and words carry, with hysteresis, minimum evidence and reasons. One engine for all."""

from fusion.alerts.alert import Alert, Evidence
from fusion.alerts.engine import AlertEngine, in_order, watch
from fusion.alerts.observation import Observation
from fusion.alerts.rule import Rule
from fusion.alerts.rules import check_rules, load_rules, read_rules

__all__ = [
    "Alert",
    "AlertEngine",
    "Evidence",
    "Observation",
    "Rule",
    "check_rules",
    "in_order",
    "load_rules",
    "read_rules",
    "watch",
]
