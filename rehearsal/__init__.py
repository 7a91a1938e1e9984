"""REHEARSAL. Recorded traffic against the production decider, in virtual time."""
