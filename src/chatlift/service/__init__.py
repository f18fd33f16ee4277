"""The web service: who may call it, what it answers, and how a refusal reads."""
