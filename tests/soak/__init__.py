"""Random networks on random machines through the public interface, under laws that hold for all of them."""
