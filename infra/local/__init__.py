"""The mesh on one machine: emulators, simulators, services as processes, and a scheduler."""
