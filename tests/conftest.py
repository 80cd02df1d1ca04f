"""Fixtures and rules of all Python suites: see support/brigtest/plugin.py."""
import sys

sys.dont_write_bytecode = True

pytest_plugins = ["brigtest.plugin"]
