"""The synthetic CRM: believable records whose true probabilities are known."""
