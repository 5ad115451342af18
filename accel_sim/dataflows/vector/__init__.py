"""Arrays whose PEs take a vector of inputs at once."""
