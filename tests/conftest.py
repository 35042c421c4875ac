"""Settings of the whole test run."""

import os

# As the command does: waiting OpenMP threads must not spin, or LightGBM crawls on busy machines.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
