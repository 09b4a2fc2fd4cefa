"""The only stable API for packs and adapters: protocols, dataclasses and the test kit."""
