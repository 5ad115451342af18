"""Built-in networks: shapes only, one file per family, found by name through workloads.network.networks."""
