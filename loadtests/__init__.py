"""Load generators and benchmarks. Each benchmark prints JSON lines with our figure beside a reference of the same run."""
