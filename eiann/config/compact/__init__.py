"""The compact form of network files (docs/network_format.md): reading, expanding into the nested form, writing."""
