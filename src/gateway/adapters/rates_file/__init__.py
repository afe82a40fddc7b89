"""Rates from a JSON file, for those whose rates come from another program."""

from gateway.adapters.rates_file.rates import FileRates, RatesFileRefused

__all__ = ["FileRates", "RatesFileRefused"]
