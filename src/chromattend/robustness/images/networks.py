"""Stub."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSpec:
    name: str
    weights: bool = False


NETWORKS = {
    n: NetworkSpec(n, n in ("carlini", "cleverhans", "mobilenet"))
    for n in ("small", "carlini", "cleverhans", "densenet", "mobilenet")
}
