"""CORE. What the bridge does for trunks between calls: which addresses live, and registrations with providers."""
