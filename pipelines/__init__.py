"""The only place with a clock, MLflow, a terminal, configuration and report files."""
