"""The turns of sessions: who answers, with what at hand, how they begin, wait, stop and are taken back."""
