"""What the kernels were compiled from and with."""

cdef extern from *:
    """
    #ifndef ACCEL_SIM_BUILD
    #define ACCEL_SIM_BUILD "flags= debug=0 source=unknown"
    #endif
    static const char *accel_sim_build(void) { return ACCEL_SIM_BUILD; }
    """
    const char *accel_sim_build()


def build_info():
    """dict with 'flags' (compiler flags), 'debug' (bool, all checks on) and 'source' (digest of the .pyx files)."""
    text = accel_sim_build().decode()
    flags, _, rest = text.partition(" debug=")
    debug, _, source = rest.partition(" source=")
    return {"flags": flags.removeprefix("flags="), "debug": debug == "1", "source": source}
