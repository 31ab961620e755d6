"""EDGE. Where desired state goes: our own bridge's tables."""
