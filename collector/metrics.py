"""metrics: what the collector counts about itself, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry per collector, so that tests and several collectors in one process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reports = Counter("farhand_reports", "Reports by answer.", ["answer"], registry=self.registry)
        self.refused = Counter(
            "farhand_requests_refused",
            "Requests of agents that were refused, by problem.",
            ["problem"],
            registry=self.registry,
        )
        self.incidents = Gauge(
            "farhand_incidents",
            "What the collector saw of devices' reports, last 30 days.",
            ["kind"],
            registry=self.registry,
        )
        self.ack_seconds = Histogram(
            "farhand_report_ack_seconds",
            "From the last byte of a report to its durable answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )
        self.assessed = Counter("farhand_assessments", "Assessments made.", registry=self.registry)
        self.judgement_failures = Counter(
            "farhand_judgement_failures", "Devices that could not be judged.", registry=self.registry
        )
        self.alerts_opened = Counter("farhand_alerts_opened", "Alerts opened.", registry=self.registry)
        self.queue_depth = Gauge("farhand_write_queue", "Writes that wait.", registry=self.registry)
        self.healthy = Gauge("farhand_store_healthy", "1 while the last transaction succeeded.", registry=self.registry)
        self.devices = Gauge("farhand_devices", "Enrolled devices.", registry=self.registry)
        self.pending = Gauge("farhand_assessments_pending", "Devices that wait to be assessed.", registry=self.registry)
        self.windows = Counter(
            "farhand_timing_windows",
            "Windows of session timing, by what came of them.",
            ["result"],
            registry=self.registry,
        )
        self.windows_waiting = Gauge(
            "farhand_timing_windows_waiting", "Windows of session timing that wait.", registry=self.registry
        )
        self.geo_lookups = Counter("farhand_geo_lookups", "Public addresses that were located.", registry=self.registry)
        self.geo_conflicts = Counter(
            "farhand_geo_conflicts", "Addresses whose countries by place data differ.", registry=self.registry
        )
        self.geo_age_days = Gauge(
            "farhand_geo_data_age_days", "Days since the day of the place data.", ["source"], registry=self.registry
        )
        self.geo_problems = Gauge(
            "farhand_geo_problems", "Files of place data that cannot be used.", registry=self.registry
        )
