"""Network and weight files, one importer each: it registers itself under the file's suffix."""

from workloads.registry import Registry

#: suffix -> function(path) -> Network
network_files = Registry("network file", "workloads.importers")
#: suffix -> function(network, path) -> Network with real weights
weight_files = Registry("weight file", "workloads.importers")
