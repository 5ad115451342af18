"""What lives on from layer to layer of a run."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from accel_sim.machine.accelerator import Accelerator
from accel_sim.macs.unit import Mode
from accel_sim.mapping.mapper import Mapper
from accel_sim.mapping.search import Given
from accel_sim.run.encoded_maps import EncodedMaps
from accel_sim.run.engine import Engine, MakeEngine
from accel_sim.run.residency import Residency
from accel_sim.values.actions import Actions
from accel_sim.values.address_map import AddressMap
from workloads.formats.codes import Codes
from workloads.layer import Layer
from workloads.network import Network
from workloads.walk import walk


@dataclass
class Session:
    """What lives on from layer to layer: the schedule, the outer memory's state, and where tensors lie in it.

    maps: those that lie encoded. running: names of the layers that run; given: layer -> what the user fixed of its
    mapping.
    """

    network: Network
    machine: Accelerator
    addresses: AddressMap
    memory_state: object
    engine: Engine
    residency: Residency
    maps: EncodedMaps
    running: frozenset[str]
    given: dict[str, Given]
    memory_actions: Actions = field(default_factory=Actions)
    mode: Mode | None = None

    @staticmethod
    def start(
        network: Network,
        machine: Accelerator,
        layers: Collection[str] | None = None,
        engine: MakeEngine = Engine,
        codes: Callable[[str], Codes] | None = None,
    ) -> "Session":
        """layers: names of those that run (a map stays on chip only between layers that do), None = all. codes: of a
        tensor by its name; None = as a walk of seed 0 draws them.

        Raises InputError for a mapping of layers that the network does not have.
        """
        columns = 0 if machine.encodings["weights"].plain else machine.array.lanes
        of_maps = machine.encoded_maps
        nhwc = machine.mapping.map_layout == "nhwc"
        addresses = AddressMap(network, machine.dram.level, columns, nhwc, apart=of_maps is not None)
        state = machine.dram.new_state(machine.clock_mhz)
        running = frozenset(network.names if layers is None else layers)
        kept = Residency(network, addresses, machine.buffers, running if machine.mapping.keep_maps else frozenset())
        maps = EncodedMaps(addresses, of_maps, codes or (lambda name: walk(network, 0).codes(name)))
        given = machine.mapping.given(network.layers)
        return Session(network, machine, addresses, state, engine(machine.dram, state), kept, maps, running, given)

    def mapper(self, layer: Layer) -> Mapper:
        """Who chooses the tiles of a layer."""
        return Mapper(self.machine.goal, self.given.get(layer.name))

    def reconfigure(self, mode: Mode | None) -> int:
        """Cycles in which the MAC units change to a layer's mode (None: it needs none); the first is set already."""
        before, self.mode = self.mode, mode or self.mode
        changes = before is not None and mode is not None and mode != before
        cycles = self.machine.mac.reconfigure_cycles if changes else 0
        self.engine.wait(cycles)
        return cycles

    def new_memory_actions(self) -> Actions:
        """What the outer memory has done since the last call, beside moving bytes."""
        now = self.engine.now
        before, self.memory_actions = self.memory_actions, self.machine.dram.actions(self.memory_state, now)
        return Actions({key: count - before[key] for key, count in self.memory_actions.items() if count > before[key]})
