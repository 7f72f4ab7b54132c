"""The only room that speaks SQL: connections, transactions, migrations, rows. Knows nothing of agents or the wire."""
