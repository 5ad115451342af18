"""Tables of networks, densities and operators; each file begins with its source."""
