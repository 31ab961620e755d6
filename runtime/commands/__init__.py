"""The commands of `bridge`, one module each; `runtime.cli` ties them together."""
