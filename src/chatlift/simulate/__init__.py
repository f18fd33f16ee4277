"""The synthetic CRM: believable records whose true probabilities are known."""

from chatlift.simulate.crm import Simulation, simulate_crm
from chatlift.simulate.request import Difficulty, SimulationRequest
from chatlift.simulate.truth import Truth

__all__ = ["Difficulty", "Simulation", "SimulationRequest", "Truth", "simulate_crm"]
