"""The examples for orchestrators, each run by its orchestrator (`make orchestrators`)."""
