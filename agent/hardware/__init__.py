"""hardware: how each system shows USB devices and monitors. A reader per system asks the Host; parsers are pure."""
